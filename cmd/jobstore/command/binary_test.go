package command_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inBinary returns the real program with args, in a folder of its own.
func inBinary(t *testing.T, folder string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary(t), args...)
	cmd.Dir = folder
	return cmd
}

// TestInterruptedProcess sends a real import a real Ctrl-C while it waits for
// more of its input.
func TestInterruptedProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no way to send a Ctrl-C to one process")
	}
	database := newDatabase(t)
	cmd := inBinary(t, t.TempDir(), "--db", database, "import", "-")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	// Once all this is written, the pipe and the program's buffers hold but a
	// part of it: the first batches have been committed.
	feed := bufio.NewWriter(in)
	_, err = feed.WriteString(strings.Join(ndjson(5500), "\n"))
	require.NoError(t, err)
	require.NoError(t, feed.Flush())
	require.NoError(t, cmd.Process.Signal(os.Interrupt))

	err = cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 130, exit.ExitCode(), errs.String())
	n := count(t, database)
	assert.Equal(t, fmt.Sprintf("jobstore: standard input: interrupted; %d jobs were committed\n", n), errs.String())
	assert.GreaterOrEqual(t, n, 2000)
	assert.Zero(t, n%1000)
}

// TestExamplesOfHelpRun runs every example of every help, one after the other
// in one folder, as a reader might.
func TestExamplesOfHelpRun(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this system has no sh")
	}
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "examples"), 0o700))
	jobs, err := os.ReadFile(shippedFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "examples", "jobs.ndjson"), jobs, 0o600))

	// import comes first, as the others need a store, and what deletes last.
	commands := []string{"import", "", "list", "get", "create", "update", "count", "stats", "explain", "check", "export", "serve", "demo",
		"backup", "compact", "reindex", "salvage", "delete", "prune", "version"}
	help := runPlain(context.Background(), "--help")
	for _, match := range regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`).FindAllStringSubmatch(help.out, -1) {
		if name := match[1]; name != "completion" && name != "help" {
			assert.Contains(t, commands, name, "a command whose examples are not run")
		}
	}
	server := served(t, newExamples(t)).url
	ran := 0
	for _, name := range commands {
		help := runPlain(context.Background(), strings.Fields(name+" --help")...)
		require.Equal(t, 0, help.code)
		_, rest, ok := strings.Cut(help.out, "Examples:\n")
		require.True(t, ok, "%q has no examples", name)
		block, _, _ := strings.Cut(rest, "\n\n")
		for line := range strings.Lines(block) {
			line = strings.ReplaceAll(line, "--url http://127.0.0.1:8080", "--url "+server)
			runExample(t, shell, folder, line)
			ran++
		}
	}
	assert.Greater(t, ran, 30)
}

// runExample runs a line of a help in the shell. One that has no end is
// interrupted once it has printed something.
func runExample(t *testing.T, shell, folder, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	line = strings.TrimSpace(line)
	endless := strings.Contains(line, " serve") && !strings.Contains(line, " --health") || strings.Contains(line, " --watch")
	if endless {
		line = "exec env " + strings.Replace(line, "--addr 127.0.0.1:8080", "--addr 127.0.0.1:0", 1)
		if !strings.Contains(line, "--addr") && strings.Contains(line, " serve") {
			line += " --addr 127.0.0.1:0" // the port of the default may be taken
		}
	}
	cmd := exec.CommandContext(ctx, shell, "-c", line)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "JOBSTORE_DB=", "JOBSTORE_TOKEN=",
		"PATH="+filepath.Dir(binary(t))+string(os.PathListSeparator)+os.Getenv("PATH"))
	if !endless {
		text, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s\n%s", line, text)
		return
	}
	if runtime.GOOS == "windows" {
		return // there is no way to send a Ctrl-C to one process
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	assert.NoError(t, err, line)
	assert.NoError(t, cmd.Process.Signal(os.Interrupt))
	_, _ = io.Copy(io.Discard, out)
	assert.NoError(t, cmd.Wait(), "%s\n%s", line, errs.String())
}
