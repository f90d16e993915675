package command_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFileTakenAway serves on while somebody deletes, replaces or cuts its file: the
// server is not healthy, and takes no jobs that would vanish with the file.
func TestFileTakenAway(t *testing.T) {
	for name, take := range map[string]func(path string) error{
		"deleted": os.Remove,
		"renamed": func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error {
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path+".new", text, 0o600)
			}
			if err == nil {
				err = os.Rename(path+".new", path)
			}
			return err
		},
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"overwritten": func(path string) error {
			other := path + ".other"
			if code := mainTo(io.Discard, io.Discard, "--db", other, "import", examplesFile); code != 0 {
				return fmt.Errorf("import ended with %d", code)
			}
			text, err := os.ReadFile(other)
			if err == nil {
				var file *os.File
				if file, err = os.OpenFile(path, os.O_WRONLY, 0); err == nil {
					_, err = file.WriteAt(text, 0)
					err = errors.Join(err, file.Close())
				}
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			database := t.TempDir() + "/jobs.db"
			must(t, database, "", "import", examplesFile)
			s := startServe(t, database)
			for range 3 {
				fetch(t, "POST", s.url+"/jobs", newVideo, "Content-Type: application/json")
			}
			status, _ := fetch(t, "GET", s.url+"/healthz", "")
			require.Equal(t, 200, status)
			require.NoError(t, take(database))

			status, body := fetch(t, "GET", s.url+"/healthz", "")
			assert.Equal(t, 503, status)
			assert.Contains(t, body, `"kind":"unavailable"`)
			status, body = fetch(t, "GET", s.url+"/metrics", "")
			assert.Equal(t, 200, status)
			assert.Contains(t, body, "\njobstore_usable 0\n")
			for _, call := range []string{
				"POST /jobs " + newVideo, `PATCH /jobs/job_abc123 {"status":"failed"}`, "DELETE /jobs/job_abc123 ",
				"PUT /store/jobs []", `POST /store/prune {"before":1}`,
			} {
				method, rest, _ := strings.Cut(call, " ")
				at, body, _ := strings.Cut(rest, " ")
				status, text := fetch(t, method, s.url+at, body, "Content-Type: application/json")
				if (name == "emptied" || name == "overwritten") && method == "PATCH" {
					assert.GreaterOrEqual(t, status, 500, "%s: %s", call, text) // the job cannot be read
					continue
				}
				assert.Equal(t, 503, status, "%s: %s", call, text)
				assert.Contains(t, text, `"kind":"unavailable"`, call)
			}
			code, errs := s.stop()
			assert.Contains(t, errs, "store cannot be used")
			assert.LessOrEqual(t, code, 1)
		})
	}
}

// TestFileTouched is none of that: the server goes on.
func TestFileTouched(t *testing.T) {
	database := newExamples(t)
	s := startServe(t, database)
	for range 3 {
		status, body := fetch(t, "POST", s.url+"/jobs", newVideo, "Content-Type: application/json")
		require.Equal(t, 201, status, body)
		require.NoError(t, os.Chtimes(database, time.Now(), time.Now().Add(time.Hour)))
		status, _ = fetch(t, "GET", s.url+"/healthz", "")
		require.Equal(t, 200, status)
	}
	each(20, func() {
		status, body := fetch(t, "POST", s.url+"/jobs", newVideo, "Content-Type: application/json")
		assert.Equal(t, 201, status, body)
		status, body = fetch(t, "GET", s.url+"/healthz", "")
		assert.Equal(t, 200, status, body)
	})
}

// startProgram runs the real program as a server and returns it with its address.
func startProgram(t *testing.T, cmd *exec.Cmd) (url string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

// TestServeOnFullDisk lets the file reach a limit of its length, as a full disk is one, and takes
// the limit away: the server refuses jobs until then, and takes them after.
func TestServeOnFullDisk(t *testing.T) {
	limiter, err := exec.LookPath("prlimit")
	if err != nil {
		t.Skip("prlimit is not installed")
	}
	database := newDatabase(t)
	cmd := exec.Command("sh", "-c", `ulimit -S -f 8000 && exec "$@"`, "sh", binary(t), "--db", database, "serve", "--addr", "127.0.0.1:0")
	url := startProgram(t, cmd)
	large := `{"kind":"video","input":"https://example.com/a","metadata":{"a":"` + strings.Repeat("x", 50_000) + `"}}`
	post := func() (int, string) { return fetch(t, "POST", url+"/jobs", large, "Content-Type: application/json") }
	made, full := 0, 0
	for full < 20 && made < 1000 {
		switch status, body := post(); status {
		case 201:
			made++
		case 507:
			assert.Contains(t, body, `"kind":"store_full"`)
			full++
		default:
			require.Fail(t, "", "%d: %s", status, body)
		}
	}
	assert.Equal(t, 20, full)
	status, _ := fetch(t, "GET", url+"/healthz", "")
	assert.Equal(t, 200, status)
	status, _ = fetch(t, "GET", url+"/jobs", "")
	assert.Equal(t, 200, status)

	text, err := exec.Command(limiter, "--pid", fmt.Sprint(cmd.Process.Pid), "--fsize=unlimited").CombinedOutput()
	require.NoError(t, err, "%s", text)
	for range 20 {
		status, body := post()
		require.Equal(t, 201, status, body)
		made++
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.Equal(t, fmt.Sprintln(made), must(t, database, "", "count"))
}

// TestReaderOfLogGoesAway leaves the server running.
func TestReaderOfLogGoesAway(t *testing.T) {
	cmd := exec.Command(binary(t), "--db", newExamples(t), "serve", "--addr", "127.0.0.1:0")
	errs, err := cmd.StderrPipe()
	require.NoError(t, err)
	url := startProgram(t, cmd)
	require.NoError(t, errs.Close())
	for range 20 {
		status, _ := fetch(t, "GET", url+"/jobs", "") // logs a line
		require.Equal(t, 200, status)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, cmd.Wait())
}

// TestHangup closes the store, as the end of a terminal does not mean that of the jobs,
// and is ignored where the program was started with nohup.
func TestHangup(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("hangups are ignored here, as under nohup, and so the server ignores them")
	}
	database := newExamples(t)
	var errs strings.Builder
	cmd := exec.Command(binary(t), "--db", database, "serve", "--addr", "127.0.0.1:0")
	cmd.Stderr = &errs
	url := startProgram(t, cmd)
	status, _ := fetch(t, "POST", url+"/jobs", newVideo, "Content-Type: application/json")
	require.Equal(t, 201, status)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	assert.NoError(t, cmd.Wait(), errs.String())
	assert.Equal(t, "307\n", must(t, database, "", "count"))

	cmd = exec.Command("nohup", binary(t), "--db", database, "serve", "--addr", "127.0.0.1:0")
	url = startProgram(t, cmd)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	time.Sleep(200 * time.Millisecond)
	status, _ = fetch(t, "GET", url+"/healthz", "")
	assert.Equal(t, 200, status)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, cmd.Wait())
}

// TestMemoryOfServer holds the resident memory of the real server, the mapped file not
// counted, while 64 clients ask for pages of 16 MiB, and 32 send jobs of 4 MiB.
func TestMemoryOfServer(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads some hundred MiB")
	}
	database := newDatabase(t)
	cmd := exec.Command(binary(t), "--db", database, "serve", "--addr", "127.0.0.1:0")
	url := startProgram(t, cmd)
	status := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)
	if _, err := os.Stat(status); err != nil {
		t.Skip("there is no /proc here")
	}
	most := 0
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ctx.Err() == nil {
			text, _ := os.ReadFile(status)
			for line := range strings.Lines(string(text)) {
				var n int
				if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &n); err == nil {
					most = max(most, n)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	large := `{"kind":"video","input":"https://example.com/a","metadata":{"a":"` + strings.Repeat("x", 4<<20-100) + `"}}`
	each(32, func() {
		got, body := fetch(t, "POST", url+"/jobs", large, "Content-Type: application/json")
		assert.Equal(t, 201, got, "%.200s", body)
	})
	each(64, func() {
		got, header := head(t, url+"/jobs?limit=100", "Accept-Encoding: identity")
		assert.Equal(t, 200, got)
		assert.Equal(t, "true", header.Get("Has-More"))
		resp, err := http.Get(url + "/jobs?limit=100")
		if assert.NoError(t, err) {
			assert.Equal(t, 200, resp.StatusCode)
			_ = resp.Body.Close()
		}
	})
	stop()
	<-watched
	t.Logf("at most %d MiB", most>>10)
	assert.Less(t, most, 512<<10, "kB")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, cmd.Wait())
}

// each runs fn n times side by side.
func each(n int, fn func()) {
	done := make(chan struct{})
	for range n {
		go func() {
			fn()
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
}
