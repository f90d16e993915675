package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/cmd/jobstore/command"
)

// examplesFile is a file of jobs of every kind, status and shape.
const examplesFile = "testdata/jobs.ndjson"

// shippedFile is the file of jobs that a reader meets first.
const shippedFile = "../../../examples/jobs.ndjson"

// An outcome is what a run of the command line left.
type outcome struct {
	code     int
	out, err string
}

// run runs the command line on the store at database, in this process.
func run(t *testing.T, database, stdin string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"--db", database}, args...)
	code := command.Main(context.Background(), args, strings.NewReader(stdin), &out, &errs)
	got := outcome{code, out.String(), errs.String()}
	if code != 0 {
		requireOneLine(t, got.err)
	}
	return got
}

// must runs the command line and returns what it printed.
func must(t *testing.T, database, stdin string, args ...string) string {
	t.Helper()
	got := run(t, database, stdin, args...)
	require.Equal(t, 0, got.code, "%v: %s", args, got.err)
	return got.out
}

// requireOneLine checks the form of an error: one line that says who speaks.
func requireOneLine(t *testing.T, text string) {
	t.Helper()
	require.Regexp(t, `^jobstore: [^\n]+\n$`, text)
	require.Equal(t, 1, strings.Count(text, "jobstore: "), text)
	require.NotContains(t, text, "goroutine")
}

// newDatabase returns the path of a store that is not there yet. Whatever the
// test makes of it has to be sound in the end.
func newDatabase(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	t.Cleanup(func() {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		store, err := jobstore.Open(path, nil)
		require.NoError(t, err)
		for problem, err := range store.Check(context.Background()) {
			assert.NoError(t, err)
			assert.Fail(t, "damage", problem)
		}
		require.NoError(t, store.Close())
	})
	return path
}

// newExamples returns the path of a store that holds the shipped jobs.
func newExamples(t *testing.T) string {
	t.Helper()
	database := newDatabase(t)
	must(t, database, "", "import", examplesFile)
	return database
}

// ids returns the IDs of the jobs in a JSON array.
func ids(t *testing.T, text string) []string {
	t.Helper()
	var jobs []struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(text), &jobs), text)
	list := []string{}
	for _, job := range jobs {
		list = append(list, job.ID)
	}
	return list
}

// binary returns the path of the real program, which is built once.
func binary(t *testing.T) string {
	t.Helper()
	path, err := buildBinary()
	require.NoError(t, err)
	return path
}

var buildBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaryFolder, "jobstore")
	text, err := exec.Command("go", "build", "-o", path, "..").CombinedOutput()
	if err != nil {
		return "", errors.New(string(text))
	}
	return path, nil
})

var binaryFolder string

func TestMain(m *testing.M) {
	var err error
	if binaryFolder, err = os.MkdirTemp("", "jobstore-command-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(binaryFolder)
	os.Exit(code)
}

// runPlain runs the command line with args alone.
func runPlain(ctx context.Context, args ...string) outcome {
	var out, errs bytes.Buffer
	code := command.Main(ctx, args, strings.NewReader(""), &out, &errs)
	return outcome{code, out.String(), errs.String()}
}

// mainTo runs the command line with out as its standard output.
func mainTo(out, errs io.Writer, args ...string) int {
	return command.Main(context.Background(), args, strings.NewReader(""), out, errs)
}

// mainUntil runs the command line and calls stop once it has printed text.
func mainUntil(ctx context.Context, stop func(), text string, errs io.Writer, args ...string) int {
	return command.Main(ctx, args, strings.NewReader(""), &trigger{text: text, fire: stop}, errs)
}

// A trigger fires when a text is written to it.
type trigger struct {
	text string
	fire func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.fire()
	}
	return len(p), nil
}
