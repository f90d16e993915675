package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	path := filepath.Join(t.TempDir(), "jobs.db")
	go func() { ended <- run(ctx, l, path, "secret") }()
	base := "http://" + l.Addr().String()

	for range 2 {
		status, header, _ := do(t, "POST", base+"/media/v1/jobs", `{"kind":"video","input":"https://example.com/a.mp4"}`)
		assert.Equal(t, http.StatusCreated, status)
		assert.Contains(t, header.Get("Location"), base+"/media/v1/jobs/job_")
	}
	status, header, body := do(t, "GET", base+"/media/v1/jobs?limit=1", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, 1, strings.Count(body, `"object":"job"`))
	assert.Contains(t, header.Get("Link"), "<"+base+"/media/v1/jobs?after=job_")
	assert.Equal(t, "https://app.example.com", header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, []string{"Origin", "Accept-Encoding"}, header.Values("Vary"))
	_, _, body = do(t, "GET", base+"/", "")
	assert.Equal(t, "2 jobs to do\n", body)

	resp, err := http.Get(base + "/media/v1/jobs")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)

	stop()
	assert.NoError(t, <-ended)
}

func do(t *testing.T, method, url, body string) (status int, header http.Header, read string) {
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "https://app.example.com")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.Header, string(data)
}
