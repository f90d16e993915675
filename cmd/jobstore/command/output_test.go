//go:build unix

package command_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/cmd/jobstore/command"
)

// writers are the commands that write a file, on the store jobs.db, with OUT in the
// place of its path.
var writers = []string{
	"export -o OUT", "export --array -o OUT", "salvage jobs.db -o OUT", "compact -o OUT", "backup OUT",
}

// inFolder makes a folder with the shipped jobs in jobs.db.
func inFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Rename(newExamples(t), filepath.Join(folder, "jobs.db")))
	return folder
}

// shell runs a line in sh, with the real program as jobstore.
func shell(t *testing.T, folder, line string) outcome {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this system has no sh")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, sh, "-c", line)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "JOBSTORE_DB=", "JOBSTORE_TOKEN=",
		"PATH="+filepath.Dir(binary(t))+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	code := cmd.ProcessState.ExitCode()
	if err != nil && code < 0 {
		require.NoError(t, err, line)
	}
	return outcome{code, out.String(), errs.String()}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// TestOutputs writes by every command to every kind of target.
func TestOutputs(t *testing.T) {
	for _, writer := range writers {
		t.Run(writer, func(t *testing.T) {
			t.Parallel()
			folder := inFolder(t)
			to := func(path string) string { return "jobstore " + strings.ReplaceAll(writer, "OUT", path) }
			in := func(name string) string { return filepath.Join(folder, name) }
			require.Equal(t, 0, shell(t, folder, to("new")).code)
			want := readFile(t, in("new"))
			require.NotEmpty(t, want)
			same := func(got string) bool { // of stores, no two copies are alike in all bytes
				return want == got || (strings.HasPrefix(writer, "backup") || strings.HasPrefix(writer, "compact")) && len(got) >= len(want)/2 && got[:4] == want[:4]
			}

			// What is there stays, but with --force.
			require.NoError(t, os.WriteFile(in("old"), []byte("old"), 0o640))
			got := shell(t, folder, to("old"))
			assert.Equal(t, 2, got.code)
			assert.Contains(t, got.err, "exists already; name a new file, or replace it with --force")
			assert.Equal(t, "old", readFile(t, in("old")))
			got = shell(t, folder, to("old --force"))
			require.Equal(t, 0, got.code, got.err)
			assert.True(t, same(readFile(t, in("old"))))
			info, err := os.Stat(in("old"))
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0o640), info.Mode())
			got = shell(t, folder, to("jobs.db --force"))
			assert.Equal(t, 2, got.code)
			assert.Contains(t, got.err, "is the store itself")

			// Links are followed, and stay links.
			require.NoError(t, os.Mkdir(in("far"), 0o700))
			require.NoError(t, os.Symlink("far/made", in("dangling")))
			require.NoError(t, os.Symlink("dangling", in("link")))
			require.Equal(t, 0, shell(t, folder, to("link")).code)
			assert.True(t, same(readFile(t, in("far/made"))))
			assert.Equal(t, 2, shell(t, folder, to("link")).code)
			require.Equal(t, 0, shell(t, folder, to("link --force")).code)
			link, err := os.Readlink(in("link"))
			require.NoError(t, err)
			assert.Equal(t, "dangling", link)
			assert.Len(t, filesIn(t, in("far")), 1)
			require.NoError(t, os.Symlink("loop", in("loop")))
			assert.Equal(t, 1, shell(t, folder, to("loop")).code)

			// "-" is standard output, and no file is made of that name.
			got = shell(t, folder, to("-"))
			require.Equal(t, 0, got.code, got.err)
			assert.True(t, same(got.out))
			assert.NotContains(t, filesIn(t, folder), "-")
			got = shell(t, folder, to("/dev/null"))
			require.Equal(t, 0, got.code, got.err)

			// Descriptors are written to where they stand.
			for name, line := range map[string]string{
				"a": to("/dev/stdout") + " >> a", "b": to("/dev/fd/1") + " >> b",
				"c": to("/dev/fd/3") + " 3>> c", "d": to("/proc/self/fd/4") + " 4>> d",
			} {
				if runtime.GOOS != "linux" && name == "d" {
					continue
				}
				require.NoError(t, os.WriteFile(in(name), []byte("archive\n"), 0o600))
				before, err := os.Stat(in(name))
				require.NoError(t, err)
				got := shell(t, folder, line)
				require.Equal(t, 0, got.code, got.err)
				text := readFile(t, in(name))
				assert.True(t, strings.HasPrefix(text, "archive\n"), line)
				assert.True(t, same(strings.TrimPrefix(text, "archive\n")), line)
				after, err := os.Stat(in(name))
				require.NoError(t, err)
				assert.True(t, os.SameFile(before, after), line)
			}
			if strings.HasPrefix(writer, "export") {
				assert.True(t, shell(t, folder, to("/dev/stderr")).err == want)
			}

			// A pipe stays a pipe, and a folder a folder.
			if exec.Command("mkfifo", in("pipe")).Run() == nil {
				got = shell(t, folder, to("pipe")+" & cat pipe; wait")
				assert.True(t, same(got.out[strings.Index(got.out, want[:4]):]), got.err)
				info, err := os.Lstat(in("pipe"))
				require.NoError(t, err)
				assert.Equal(t, fs.ModeNamedPipe, info.Mode().Type())
			}
			assert.Contains(t, shell(t, folder, to("far --force")).err, "is no regular file")
			assert.Equal(t, 1, shell(t, folder, to("none/file")).code)
			for _, name := range filesIn(t, folder) {
				assert.False(t, strings.HasPrefix(name, "."), "a temporary file stayed behind: %s", name)
			}
		})
	}
}

// TestLeftoversAreRemoved finds what a killed run has left, and not what a run that
// goes on is writing.
func TestLeftoversAreRemoved(t *testing.T) {
	folder := inFolder(t)
	cmd := inBinary(t, folder, "export", "--array", "-o", "out")
	for _, name := range []string{".out.export-1", ".out.export-1.lock", ".out.export-2", ".out.export-2.lock"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, 0o600))
	}
	busy, err := os.OpenFile(filepath.Join(folder, ".out.export-2.lock"), os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(busy.Fd()), syscall.LOCK_EX))
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	assert.Regexp(t, `^removed \S*\.out\.export-1, which a run that was cut short had left\n$`, string(text))
	assert.ElementsMatch(t, []string{"jobs.db", "out", ".out.export-2", ".out.export-2.lock"}, filesIn(t, folder))
	require.NoError(t, busy.Close())
}

// TestInterruptedOutputs sends a Ctrl-C while nobody reads what is written, or
// nothing comes to be read.
func TestInterruptedOutputs(t *testing.T) {
	folder := inFolder(t)
	if exec.Command("mkfifo", filepath.Join(folder, "pipe")).Run() != nil {
		t.Skip("there are no pipes")
	}
	before := filesIn(t, folder)
	for _, line := range []string{
		"export", "export -o -", "export --array", "export -o pipe", "backup -", "backup pipe", "salvage jobs.db", "compact -o -",
		"list --all --json", "create --body -", "import -", "--db new.db import -", "--db new.db create --body -",
	} {
		t.Run(line, func(t *testing.T) {
			cmd := inBinary(t, folder, strings.Fields(line)...)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			defer func() { _ = in.Close() }()
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			time.Sleep(500 * time.Millisecond)
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				_ = cmd.Process.Kill()
				assert.Fail(t, "it goes on")
			}
			_, _ = io.Copy(io.Discard, out)
			assert.Equal(t, 130, cmd.ProcessState.ExitCode(), errs.String())
			assert.Contains(t, errs.String(), "interrupted")
			assert.ElementsMatch(t, before, filesIn(t, folder))
		})
	}
}

// TestFailureMakesNoStore leaves nothing of a store that would have been empty.
func TestFailureMakesNoStore(t *testing.T) {
	folder := t.TempDir()
	link := filepath.Join(folder, "link.db")
	require.NoError(t, os.Symlink("behind.db", link))
	for _, args := range [][]string{
		{"import", "-"}, {"import", filepath.Join(folder, "none")}, {"import", folder}, {"create", "--body", "{}"}, {"create", "--body", "-"},
	} {
		for _, database := range []string{filepath.Join(folder, "new.db"), link} {
			got := run(t, database, "{\n", args...)
			assert.NotEqual(t, 0, got.code, args)
			assert.Equal(t, []string{"link.db"}, filesIn(t, folder), args)
		}
	}
	// One that was there stays, and so does one with jobs in it.
	database := filepath.Join(folder, "new.db")
	must(t, database, "", "import", "-")
	assert.FileExists(t, database, "an import of nothing is no failure")
	assert.Equal(t, 1, run(t, database, "{\n", "import", "-").code)
	assert.FileExists(t, database)
	second := filepath.Join(folder, "second.db")
	assert.Equal(t, 1, run(t, second, ndjson(1)[0]+"\n{", "import", "-").code)
	assert.Equal(t, 1, count(t, second), "the jobs ahead of the mistake have been committed")
}

// TestInterruptedByContext ends every writer of a file ever later: the old file is
// there in the end, and nothing else.
func TestInterruptedByContext(t *testing.T) {
	folder := inFolder(t)
	database, out := filepath.Join(folder, "jobs.db"), filepath.Join(folder, "out")
	require.NoError(t, os.WriteFile(out, []byte("old"), 0o600))
	for _, writer := range writers {
		writer = strings.NewReplacer("OUT", out, "jobs.db", database).Replace(writer) + " --force"
		interrupted := 0
		for looks := 1; ; looks *= 2 {
			var errs bytes.Buffer
			ctx := &endingContext{Context: context.Background(), looks: looks}
			args := append([]string{"--db", database}, strings.Fields(writer)...)
			code := command.Main(ctx, args, strings.NewReader(""), io.Discard, &errs)
			if code == 0 {
				break
			}
			interrupted++
			require.Equal(t, 130, code, errs.String())
			require.Equal(t, "old", readFile(t, out), fmt.Sprint(writer, looks))
			require.ElementsMatch(t, []string{"jobs.db", "out"}, filesIn(t, folder), writer)
		}
		assert.Positive(t, interrupted, writer)
		require.NoError(t, os.WriteFile(out, []byte("old"), 0o600))
	}
}
