package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobstore/jobstore"
)

// What is full is 2 MiB large.
const fullSize = 2 << 20

// TestFullMaxSize fills a file up to Options.MaxSize.
func TestFullMaxSize(t *testing.T) {
	f := filling{path: filepath.Join(scratch(t), "jobs.db"), options: jobstore.Options{MaxSize: fullSize}}
	require.NoError(t, f.run())
	t.Log(&f)
}

// TestFullDisk fills a small file system, and then makes room on it.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a file system can be mounted by root alone")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", 2*fullSize)); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, fullSize), 0o600))
	f := filling{path: filepath.Join(dir, "jobs.db"), makeRoom: func() error { return os.Remove(ballast) }}
	require.NoError(t, f.run())
	t.Log(&f)
}

// TestFullLimit fills a file up to the limit of its process.
func TestFullLimit(t *testing.T) {
	cmd := child("limit", filepath.Join(scratch(t), "jobs.db"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	t.Log(string(out))
}

// limitChild fills a file under RLIMIT_FSIZE. A write past it raises SIGXFSZ as
// well, which Go's runtime takes no notice of.
func limitChild(args []string) error {
	limit := func(n uint64) error {
		return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY})
	}
	if err := limit(fullSize); err != nil {
		return err
	}
	f := filling{path: args[0], makeRoom: func() error { return limit(2 * fullSize) }}
	err := f.run()
	fmt.Println(&f)
	return err
}

// A filling fills a store until it is full, makes room by deleting and in
// another way, and fills it again.
type filling struct {
	path     string
	options  jobstore.Options
	makeRoom func() error

	store *jobstore.Store
	jobs  map[jobstore.ID]change
	next  int

	atFirst, afterDelete, afterRoom int // jobs that it held each time
	deleted                         int
	size                            int64
}

func (f *filling) String() string {
	return fmt.Sprintf("full at %d bytes with %d jobs; %d could be deleted, then it was full with %d; after room was made with %d",
		f.size, f.atFirst, f.deleted, f.afterDelete, f.afterRoom)
}

func (f *filling) run() error {
	var err error
	if f.store, err = jobstore.Open(f.path, &f.options); err != nil {
		return err
	}
	f.jobs = map[jobstore.ID]change{}
	err = errors.Join(f.steps(), f.store.Close())
	if err != nil {
		return err
	}
	// All of it is there after a restart as well.
	if f.store, err = jobstore.Open(f.path, &f.options); err != nil {
		return err
	}
	return errors.Join(f.verify(), f.store.Close())
}

func (f *filling) steps() error {
	if err := f.fill(); err != nil {
		return err
	}
	f.atFirst = len(f.jobs)
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	f.size = info.Size()
	if err := f.delete(len(f.jobs) / 2); err != nil {
		return err
	}
	before := len(f.jobs)
	if err := f.fill(); err != nil {
		return err
	}
	if f.afterDelete = len(f.jobs); f.afterDelete == before {
		return errors.New("no job could be written after half of them were deleted")
	}
	if f.makeRoom == nil {
		return nil
	}
	if err := f.makeRoom(); err != nil {
		return err
	}
	if err := f.fill(); err != nil {
		return err
	}
	if f.afterRoom = len(f.jobs); f.afterRoom == f.afterDelete {
		return errors.New("no job could be written after room was made")
	}
	return nil
}

// fill creates jobs until the store is full, ten times in a row, and finds all of
// them there.
func (f *filling) fill() error {
	for refused := 0; refused < 10; f.next++ {
		c := change{N: f.next, V: 1, Status: jobstore.StatusQueued}
		job := jobOf(0, c)
		switch err := f.store.Create(context.Background(), job); {
		case err == nil:
			f.jobs[job.ID] = c
		case errors.Is(err, jobstore.ErrFull):
			refused++
		default:
			return fmt.Errorf("create: %w", err)
		}
		if len(f.jobs) > 100000 {
			return errors.New("it never gets full")
		}
	}
	return f.verify()
}

// delete deletes n jobs one by one, of which some may not go for want of room.
func (f *filling) delete(n int) error {
	refused := 0
	for id := range f.jobs {
		if f.deleted == n {
			break
		}
		switch _, err := f.store.Delete(context.Background(), id); {
		case err == nil:
			f.deleted++
			delete(f.jobs, id)
		case errors.Is(err, jobstore.ErrFull):
			refused++
		default:
			return fmt.Errorf("delete: %w", err)
		}
	}
	if f.deleted == 0 {
		return fmt.Errorf("no job could be deleted, %d were refused", refused)
	}
	return f.verify()
}

// verify reads everything, through the store that may have just been refused.
func (f *filling) verify() error {
	ctx := context.Background()
	n := 0
	for job, err := range f.store.All(ctx, jobstore.Query{}) {
		if err != nil {
			return err
		}
		if job, err = f.store.Get(ctx, job.ID); err != nil {
			return err
		}
		c, whole := changeOf(0, &job)
		if want, ok := f.jobs[job.ID]; !ok || !whole || c != want {
			return fmt.Errorf("job %s is %+v and should be %+v", job.ID, c, want)
		}
		n++
	}
	if n != len(f.jobs) {
		return fmt.Errorf("%d jobs of %d", n, len(f.jobs))
	}
	for problem, err := range f.store.Check(ctx) {
		return fmt.Errorf("check: %s (%w)", problem, err)
	}
	return nil
}
