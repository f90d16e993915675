package command_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sendRaw writes a request as it is given and returns the status, the header and the body.
func sendRaw(t *testing.T, s server, request string) (status int, header http.Header, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err, "%.80q", request)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.Header, string(text)
}

// TestSiteErrors has every error of every part of the server in the documented form.
func TestSiteErrors(t *testing.T) {
	s := startServe(t, newExamples(t))
	for _, c := range []struct {
		line   string
		host   string // a header line; "" sends none
		status int
		kind   string // of an error; "" for an answer
	}{
		{"GET /healthz HTTP/1.0", "", 200, ""},
		{"GET /metrics HTTP/1.0", "", 200, ""},
		{"GET /jobs HTTP/1.0", "", 200, ""},
		{"GET /store/stats HTTP/1.0", "", 200, ""},
		{"GET / HTTP/1.0", "", 200, ""},
		{"GET /jobs HTTP/1.1", "Host:", 200, ""},
		{"HEAD /healthz HTTP/1.1", "Host: localhost", 200, ""},
		{"HEAD /metrics HTTP/1.1", "Host: localhost", 200, ""},
		{"OPTIONS /healthz HTTP/1.1", "Host: localhost", 204, ""},
		{"OPTIONS /metrics HTTP/1.1", "Host: localhost", 204, ""},
		{"OPTIONS /store/check HTTP/1.1", "Host: localhost", 204, ""},
		{"GET http://localhost/jobs HTTP/1.1", "Host: localhost", 200, ""},

		{"GET /healthz HTTP/1.0", "Host: evil.example", 421, "misdirected_request"},
		{"GET /metrics HTTP/1.1", "Host: evil.example", 421, "misdirected_request"},
		{"POST /store/check HTTP/1.1", "Host: evil.example", 421, "misdirected_request"},
		{"GET http://evil.example/jobs HTTP/1.1", "Host: localhost", 421, "misdirected_request"},
		{"POST /healthz HTTP/1.1", "Host: localhost", 405, "method_not_allowed"},
		{"DELETE /metrics HTTP/1.1", "Host: localhost", 405, "method_not_allowed"},
		{"GET /store/prune HTTP/1.1", "Host: localhost", 405, "method_not_allowed"},
		{"PUT /openapi.json HTTP/1.1", "Host: localhost", 405, "method_not_allowed"},
		{"PUT / HTTP/1.1", "Host: localhost", 405, "method_not_allowed"},
		{"GET //jobs HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET /jobs/. HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET /./healthz HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET //metrics HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET /store//stats HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET /store/../jobs HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"POST //store/check HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET /healthz/ HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET /metrics/x HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET /store HTTP/1.1", "Host: localhost", 404, "not_found"},
		{"GET /jobs?" + strings.Repeat("a", 9000) + " HTTP/1.1", "Host: localhost", 414, "url_too_long"},
		{"GET /store/count?" + strings.Repeat("a", 9000) + " HTTP/1.1", "Host: localhost", 414, "url_too_long"},
	} {
		request := c.line + "\r\n"
		if c.host != "" {
			request += c.host + "\r\n"
		}
		status, header, body := sendRaw(t, s, request+"Connection: close\r\n\r\n")
		name := fmt.Sprintf("%.60s %s: %.200s", c.line, c.host, body)
		assert.Equal(t, c.status, status, name)
		assert.Equal(t, status == 405 || status == 204, header.Get("Allow") != "", name)
		assert.Empty(t, header.Get("Location"), name)
		if c.kind == "" {
			continue
		}
		var told map[string]string
		if assert.NoError(t, json.Unmarshal([]byte(body), &told), name) {
			assert.Equal(t, c.kind, told["kind"], name)
			assert.Len(t, told, 2, name)
		}
		assert.Equal(t, "application/json", header.Get("Content-Type"), name)
		assert.Equal(t, "no-store", header.Get("Cache-Control"), name)
		assert.NotEmpty(t, header.Get("X-Request-Id"), name)
	}
}

// TestForeignOrigins can start nothing at a server without a token.
func TestForeignOrigins(t *testing.T) {
	database := newExamples(t)
	s := startServe(t, database)
	for _, from := range []string{
		"Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
		"Origin: http://localhost.evil.example", "Origin: http://127.0.0.1:1",
	} {
		for _, call := range []string{
			"POST /jobs", "PATCH /jobs/job_abc123", "DELETE /jobs/job_abc123", "PUT /store/jobs", "POST /store/check", "POST /store/prune",
			"GET /store/jobs", "GET /store/explain", "HEAD /store/jobs",
		} {
			method, at, _ := strings.Cut(call, " ")
			status, body := fetch(t, method, s.url+at, `{}`, from, "Content-Type: application/json")
			assert.Equal(t, 403, status, "%s %s: %s", call, from, body)
			assert.True(t, method == "HEAD" || strings.Contains(body, `"kind":"origin_not_allowed"`), body)
		}
	}
	for _, from := range []string{"Origin: " + s.url, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"} {
		status, body := fetch(t, "POST", s.url+"/store/check", "", from)
		assert.Equal(t, 200, status, body)
	}
	assert.Equal(t, "306\n", must(t, stopped(t, s, database), "", "count"))
}

// stopped stops a server and returns the path of its store.
func stopped(t *testing.T, s server, database string) string {
	code, errs := s.stop()
	require.Equal(t, 0, code, errs)
	return database
}

// TestTokenForms takes the scheme in any case in every part of the server, and the token
// without the line end of the file or variable that it comes from.
func TestTokenForms(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("secret\r\n"), 0o600))
	database := newExamples(t)
	for name, args := range map[string][]string{"flag": {"--token", "secret"}, "file": {"--token-file", file}, "variable": nil} {
		t.Setenv("JOBSTORE_TOKEN", map[string]string{"variable": "secret\n"}[name])
		s := startServe(t, database, args...)
		for _, at := range []string{"/jobs", "/metrics", "/store/stats"} {
			for header, want := range map[string]int{
				"Bearer secret": 200, "bearer secret": 200, "BEARER  secret ": 200, "bEaReR secret": 200,
				"Bearer wrong": 401, "Bearer Secret": 401, "secret": 401, "Basic secret": 401, "Bearer": 401,
			} {
				status, body := fetch(t, "GET", s.url+at, "", "Authorization: "+header)
				assert.Equal(t, want, status, "%s %s %s", name, at, header)
				if want == 401 {
					assert.Contains(t, body, `"kind":"token_invalid"`)
				}
			}
			status, body := fetch(t, "GET", s.url+at, "")
			assert.Equal(t, 401, status)
			assert.Contains(t, body, `"kind":"token_missing"`)
		}
		stopped(t, s, database)
	}

	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	lines := filepath.Join(t.TempDir(), "lines")
	require.NoError(t, os.WriteFile(lines, []byte("secret\nother\n"), 0o600))
	for call, told := range map[string]string{
		"--token-file " + empty:                          "token-file is empty",
		"--token=":                                       "token is empty",
		"--token-file " + lines:                          "token-file must be one line",
		"--token-file " + file + " --token s":            "cannot be used together",
		"--token-file /nonexistent":                      "no such file",
		"--token schlüssel":                              "token must be one line of ASCII",
		"--base-url api.example.com":                     "base-url",
		"--base-url https://a/b?c=d":                     "base-url",
		"--base-url https://u:p@a/":                      "base-url",
		"--trusted-proxy nginx":                          "trusted-proxy",
		"--trusted-proxy 10.0.0.0/33":                    "trusted-proxy",
		"--base-url https://a --trusted-proxy 127.0.0.1": "none of the others can be",
	} {
		got := run(t, database, "", append([]string{"serve", "--addr", "127.0.0.1:0"}, strings.Fields(call)...)...)
		assert.NotZero(t, got.code, call)
		assert.Contains(t, got.err, told, call)
	}
}

// TestBaseURLFlag and what trusted proxies say make the links.
func TestBaseURLFlag(t *testing.T) {
	database := newExamples(t)
	linkOf := func(s server, headers ...string) string {
		_, header := head(t, s.url+"/jobs?limit=1", headers...)
		at, _, _ := strings.Cut(strings.TrimPrefix(header.Get("Link"), "<"), "?")
		return at
	}
	s := startServe(t, database, "--base-url", "https://api.example.com/media/")
	assert.Equal(t, "https://api.example.com/media/jobs", linkOf(s))
	_, body := fetch(t, "GET", s.url+"/", "")
	assert.Contains(t, body, `"jobs":"https://api.example.com/media/jobs","openapi":"https://api.example.com/media/openapi.json"`)
	stopped(t, s, database)

	said := []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: jobs.example", "X-Forwarded-Prefix: /media"}
	s = startServe(t, database, "--trusted-proxy", "127.0.0.1")
	assert.Equal(t, s.url+"/jobs", linkOf(s))
	assert.Equal(t, "https://jobs.example/media/jobs", linkOf(s, said...))
	stopped(t, s, database)

	s = startServe(t, database, "--trusted-proxy", "10.0.0.0/8,::1")
	assert.Equal(t, s.url+"/jobs", linkOf(s, said...), "the peer is not the named proxy")
	stopped(t, s, database)
	s = startServe(t, database)
	assert.Equal(t, s.url+"/jobs", linkOf(s, said...), "no proxy is trusted")
}

// head sends a HEAD request.
func head(t *testing.T, url string, headers ...string) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "HEAD", url, nil)
	require.NoError(t, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.Header
}

// TestHealthFlag asks a server as the health command of a container does.
func TestHealthFlag(t *testing.T) {
	database := newDatabase(t)
	s := startServe(t, database)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	for _, addr := range []string{"127.0.0.1:", ":", "0.0.0.0:"} {
		assert.Equal(t, outcome{0, "", ""}, run(t, database, "", "serve", "--health", "--addr", addr+port), addr)
	}
	require.NoError(t, os.Rename(database, database+".away"))
	got := run(t, database, "", "serve", "--health", "--addr", ":"+port)
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "503")
	require.NoError(t, os.Rename(database+".away", database))
	stopped(t, s, database)
	assert.Equal(t, 1, run(t, database, "", "serve", "--health", "--addr", ":"+port).code)
}
