package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/internal/tempfile"
)

// A target is where a command writes what it makes:
//
//   - standard output, for "-" and for no path;
//   - a pipe or a device, or a descriptor that the process was given, such as
//     /dev/stdout and /dev/fd/3, which are written to as they are;
//   - a file, which gets its name when it is complete. A symbolic link is followed,
//     also to where nothing is yet. What is there already is replaced only if that
//     was asked for.
type target struct {
	cmd   *cobra.Command
	path  string // of the file, behind all links; empty for anything else
	given string // as the user has it
	// stream is what is written to as it is, or nil for a file.
	stream io.Writer
	force  bool
	old    fs.FileInfo // of the file to be replaced, or nil
}

// addOutputFlags adds the flags that name a target.
func addOutputFlags(cmd *cobra.Command, path *string, force *bool, usage string) {
	cmd.Flags().StringVarP(path, "output", "o", "", usage)
	addForceFlag(cmd, force)
}

func addForceFlag(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVar(force, "force", false, "replace the file if it exists")
}

// outputTarget returns the target that --output names. The file source is what is
// read, which it must not be.
func outputTarget(cmd *cobra.Command, path string, force bool, source string) (*target, error) {
	if path == "" && !cmd.Flags().Changed("output") {
		path = "-"
	}
	return newTarget(cmd, "output", path, force, source)
}

// newTarget returns the target at path. It opens pipes and devices, so that it must
// be called ahead of anything that opens another file.
func newTarget(cmd *cobra.Command, field, path string, force bool, source string) (*target, error) {
	t := &target{cmd: cmd, given: path, force: force}
	switch path {
	case "":
		return nil, &jobstore.FieldError{Field: field, Reason: "is missing"}
	case "-":
		t.stream = cmd.OutOrStdout()
		return t, nil
	}
	file, number, err := followLinks(path)
	if err != nil {
		return nil, err
	}
	if number >= 0 {
		t.stream, err = descriptor(cmd, number, path)
		return t, err
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(file)); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case info.Mode()&(fs.ModeNamedPipe|fs.ModeDevice) != 0:
		t.stream, err = openStream(cmd.Context(), file)
		return t, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case source != "" && sameFile(file, source):
		return nil, fmt.Errorf("%w: %s is the store itself", jobstore.ErrInvalid, path)
	case !force:
		return nil, &jobstore.FieldError{Field: field, Value: path, Reason: "exists already; name a new file, or replace it with --force"}
	default:
		t.old = info
	}
	t.path = file
	return t, nil
}

// isStream reports whether the target is no file.
func (t *target) isStream() bool { return t.stream != nil }

// write runs fn with what it is to write to. A new file can be read by its owner
// alone, as a store is; one that replaces another has its mode. After an error, and
// when the command is interrupted, what was there is there.
func (t *target) write(fn func(io.Writer) error) error {
	if t.isStream() {
		return fn(interruptible(t.cmd.Context(), t.stream))
	}
	purpose := tempfile.Export
	if t.cmd.Name() == "salvage" {
		purpose = tempfile.Salvage
	}
	removed, err := tempfile.RemoveStale(t.path, purpose)
	for _, name := range removed {
		_, _ = fmt.Fprintln(t.cmd.ErrOrStderr(), "removed", printable(name)+", which a run that was cut short had left")
	}
	if err != nil {
		return err
	}
	temp, err := tempfile.Create(t.path, purpose)
	if err != nil {
		return err
	}
	defer temp.Remove()
	if err := fn(temp.File); err != nil {
		return err
	}
	if err := temp.File.Sync(); err != nil {
		return err
	}
	if t.force {
		return temp.Replace(t.path)
	}
	return temp.Link(t.path) // which settles it when somebody else was first
}

// make runs fn with the path of a file that does not exist, for it to make a store
// there, and then puts the store where it belongs.
func (t *target) make(fn func(path string) error) error {
	if !t.isStream() && t.old == nil {
		return fn(t.path) // which gives it the name when it is complete
	}
	if !t.isStream() {
		folder, name := filepath.Split(t.path)
		// Always the same name, so that what a crash leaves is removed by the next
		// run, which is that of the library but for this file.
		path := filepath.Join(folder, "."+name+".new")
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		defer func() { _ = os.Remove(path) }()
		if err := fn(path); err != nil {
			return err
		}
		if err := errors.Join(os.Chmod(path, t.old.Mode().Perm()), os.Rename(path, t.path)); err != nil {
			return err
		}
		return syncFolder(filepath.Dir(t.path))
	}
	folder, err := os.MkdirTemp("", "jobstore-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, defaultDatabase)
	if err := fn(path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_ = os.RemoveAll(folder) // now, as a reader that goes away may end the process
	_, err = io.Copy(interruptible(t.cmd.Context(), t.stream), f)
	return err
}

// descriptors are the folders of the descriptors of this process, as links lead to
// them, and of other processes.
var descriptors = regexp.MustCompile(`^(/dev/fd|/proc/([0-9]+)(/task/[0-9]+)?/fd)$`)

// followLinks returns the path behind the symbolic links at path, the last of which
// may lead to where nothing is. When it comes to a descriptor of this process, it
// returns the number of that instead, which is otherwise -1.
func followLinks(path string) (file string, number int, err error) {
	const most = 40
	for range most {
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", -1, err
		}
		if match := descriptors.FindStringSubmatch(filepath.ToSlash(folder)); match != nil {
			n, err := strconv.Atoi(filepath.Base(path))
			if err == nil && (match[2] == "" || match[2] == strconv.Itoa(os.Getpid())) {
				return "", n, nil
			}
			return "", -1, fmt.Errorf("%s is a descriptor of another process", path)
		}
		path = filepath.Join(folder, filepath.Base(path))
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, -1, nil
		}
		if err != nil {
			return "", -1, err
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", -1, err
		}
		if path = to; !filepath.IsAbs(to) {
			path = filepath.Join(folder, to)
		}
	}
	return "", -1, fmt.Errorf("%s: too many links", path)
}

// descriptor returns what the process was given as descriptor number.
func descriptor(cmd *cobra.Command, number int, path string) (io.Writer, error) {
	switch number {
	case 1:
		return cmd.OutOrStdout(), nil
	case 2:
		return cmd.ErrOrStderr(), nil
	}
	f := os.NewFile(uintptr(number), path)
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrInvalid}
	}
	if _, err := f.Stat(); err != nil {
		return nil, err
	}
	return f, nil
}

// openStream opens a pipe or a device. For a pipe it waits until somebody reads.
func openStream(ctx context.Context, path string) (io.Writer, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.file, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// interruptible returns a writer to w that gives up when ctx ends, also while
// nobody takes what it writes. Only what can keep it waiting is written to in this
// way.
func interruptible(ctx context.Context, w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return w
	}
	return &patientWriter{ctx, f}
}

type patientWriter struct {
	ctx context.Context
	f   *os.File
}

func (w *patientWriter) Write(p []byte) (int, error) {
	type written struct {
		n   int
		err error
	}
	done := make(chan written, 1)
	go func() {
		n, err := w.f.Write(p)
		done <- written{n, err}
	}()
	select {
	case r := <-done:
		return r.n, r.err
	case <-w.ctx.Done():
	}
	// What is under way may be through in a moment.
	select {
	case r := <-done:
		return r.n, r.err
	case <-time.After(100 * time.Millisecond):
		return 0, w.ctx.Err()
	}
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// syncFolder makes the renaming of a file in a folder last, on systems where
// that can be asked for.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
