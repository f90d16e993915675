package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// fillLarge creates n jobs with metadata of so many bytes.
func fillLarge(t *testing.T, store *jobstore.Store, n, size int) []jobstore.ID {
	var made []jobstore.ID
	for range n {
		job := &jobstore.Job{
			Kind: jobstore.KindVideo, Input: "s3://a/b",
			Metadata: json.RawMessage(`{"a":"` + strings.Repeat("x", size) + `"}`),
		}
		require.NoError(t, store.Create(t.Context(), job))
		made = append(made, job.ID)
	}
	return made
}

// halfSend sends a request whose body is announced and does not come, and leaves it so
// until the end of the test.
func halfSend(t *testing.T, addr, line string, announced int, begin string) net.Conn {
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		line, announced, begin)
	require.NoError(t, err)
	return conn
}

// beginReading asks for path, and reads no more of the answer than its status.
func beginReading(t *testing.T, addr, path string) (conn net.Conn, status int) {
	conn = halfSend(t, addr, "GET "+path, 0, "")
	line := make([]byte, len("HTTP/1.1 200"))
	_, err := io.ReadFull(conn, line)
	require.NoError(t, err)
	_, err = fmt.Sscanf(string(line), "HTTP/1.1 %d", &status)
	require.NoError(t, err)
	return conn, status
}

// TestHalfSentBodies hold neither slots nor memory that others need.
func TestHalfSentBodies(t *testing.T) {
	store := openStore(t)
	job := fill(t, store, 1)[0]
	server := newServer(t, store, &httpapi.Options{MaxConcurrent: 1, MaxMemory: 32 << 20, MaxWait: 50 * time.Millisecond})
	addr := server.Listener.Addr().String()
	for range 50 {
		halfSend(t, addr, "POST /jobs", 1000, "{")
		halfSend(t, addr, "PATCH /jobs/"+string(job.ID), 4<<20, "{")
	}
	// These take all the memory there is for long bodies, but not that for others.
	for range 20 {
		halfSend(t, addr, "POST /jobs", 4<<20, strings.Repeat(" ", 1<<20))
	}
	time.Sleep(200 * time.Millisecond)
	assert.Equal(t, http.StatusOK, do(t, "GET", server.URL+"/jobs", "").StatusCode)
	assert.Equal(t, http.StatusCreated, do(t, "POST", server.URL+"/jobs", good).StatusCode)
	assert.Equal(t, http.StatusOK, do(t, "PATCH", server.URL+"/jobs/"+string(job.ID), `{"status":"failed"}`).StatusCode)
	long := do(t, "POST", server.URL+"/jobs", good+strings.Repeat(" ", 3<<20))
	assert.Equal(t, http.StatusServiceUnavailable, long.StatusCode)
	assert.Contains(t, long.body, `"kind":"overloaded"`)
	assert.Equal(t, "1", long.Header.Get("Retry-After"))
}

// TestHalfSentImports leave the other calls of operators alone.
func TestHalfSentImports(t *testing.T) {
	store := openStore(t)
	server := newOperator(t, store, &httpapi.Options{MaxConcurrent: 1, MaxWait: 50 * time.Millisecond})
	for range 20 {
		halfSend(t, server.Listener.Addr().String(), "PUT /store/jobs", 1000, "[")
		halfSend(t, server.Listener.Addr().String(), "PUT /store/jobs", 32<<20, strings.Repeat(" ", 100<<10))
		halfSend(t, server.Listener.Addr().String(), "POST /store/prune", 1000, "{")
	}
	time.Sleep(200 * time.Millisecond)
	assert.Equal(t, 200, do(t, "GET", server.URL+"/store/stats", "").StatusCode)
	assert.Equal(t, 200, do(t, "PUT", server.URL+"/store/jobs", "["+numbered(putJob, "1")+"]").StatusCode)
	assert.Equal(t, 200, do(t, "POST", server.URL+"/store/check", "").StatusCode)
	assert.Equal(t, 200, do(t, "POST", server.URL+"/store/prune", `{"before":1}`).StatusCode)
}

// TestLongOperations have slots of their own.
func TestLongOperations(t *testing.T) {
	url := serveCheck(t, nil, func(ctx context.Context, tell func(done, total int64), _ func(jobstore.Problem, error) bool) {
		tell(1, 2)
		<-ctx.Done()
	})
	resp, err := http.Post(url, "", nil)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	assert.Equal(t, 503, do(t, "POST", url, "").StatusCode)
	assert.Equal(t, 200, do(t, "GET", strings.Replace(url, "check", "stats", 1), "").StatusCode)
}

// TestSlowReaders of large pages take the memory of large pages, and nothing else.
func TestSlowReaders(t *testing.T) {
	store := openStore(t)
	large := fillLarge(t, store, 8, 3<<20)
	small := fill(t, store, 1)[0]
	server := newServer(t, store, &httpapi.Options{MaxConcurrent: 1, MaxWait: 50 * time.Millisecond})
	var conns []net.Conn
	for range 20 {
		conn, status := beginReading(t, server.Listener.Addr().String(), "/jobs")
		conns = append(conns, conn)
		if status != 200 {
			break
		}
	}
	assert.Less(t, len(conns), 20, "there is memory for any number of pages")
	assert.Greater(t, len(conns), 2)
	assert.Equal(t, http.StatusServiceUnavailable, do(t, "GET", server.URL+"/jobs", "").StatusCode)

	at := server.URL + "/jobs/"
	assert.Equal(t, 200, do(t, "GET", server.URL+"/jobs?kind=image", "").StatusCode)
	assert.Equal(t, 200, do(t, "GET", at+string(small.ID), "").StatusCode)
	assert.Equal(t, 200, do(t, "PATCH", at+string(small.ID), `{"status":"failed"}`).StatusCode)
	assert.Equal(t, 201, do(t, "POST", server.URL+"/jobs", good).StatusCode)
	for _, conn := range conns {
		_ = conn.Close()
	}
	require.Eventually(t, func() bool {
		return do(t, "GET", at+string(large[0]), "").StatusCode == 200 && do(t, "GET", server.URL+"/jobs", "").StatusCode == 200
	}, 10*time.Second, 10*time.Millisecond, "what slow readers held is not given back")
}

// A meteredStore counts the pages that are read at once.
type meteredStore struct {
	*jobstore.Store
	at, most atomic.Int64
}

func (s *meteredStore) List(ctx context.Context, q jobstore.Query) (jobstore.Page, error) {
	if n := s.at.Add(1); n > s.most.Load() {
		s.most.Store(n)
	}
	defer s.at.Add(-1)
	time.Sleep(5 * time.Millisecond)
	return s.Store.List(ctx, q)
}

// TestManyLargePages are all answered, in turns: while the store reads one, the most that
// a page may be is set aside.
func TestManyLargePages(t *testing.T) {
	if testing.Short() {
		t.Skip("reads some hundred MiB")
	}
	store := &meteredStore{Store: openStore(t)}
	fillLarge(t, store.Store, 6, 3<<20)
	server := httptest.NewServer(httpapi.New(store, &httpapi.Options{MaxWait: time.Minute}))
	defer server.Close()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			accept := []string{"Accept-Encoding: identity", "Accept-Encoding: gzip"}[i%2]
			method := []string{"GET", "GET", "HEAD", "GET"}[i%4]
			got := do(t, method, server.URL+"/jobs?limit=100", "", accept)
			assert.Equal(t, 200, got.StatusCode)
			assert.Equal(t, "true", got.Header.Get("Has-More"), "the page is ended by its size")
		})
	}
	all.Wait()
	assert.LessOrEqual(t, store.most.Load(), int64(3))
}

// TestLargePage is the same whether it is sent in one piece or job by job.
func TestLargePage(t *testing.T) {
	store := openStore(t)
	fillLarge(t, store, 5, 100<<10)
	fill(t, store, 5)
	server := newServer(t, store, nil)
	page, err := store.List(t.Context(), jobstore.Query{Limit: 10})
	require.NoError(t, err)
	want, err := json.Marshal(page.Jobs)
	require.NoError(t, err)
	plain := do(t, "GET", server.URL+"/jobs?limit=10", "", "Accept-Encoding: identity")
	assert.JSONEq(t, string(want), plain.body)
	assert.Equal(t, int64(len(plain.body)), plain.ContentLength)
	packed := do(t, "GET", server.URL+"/jobs?limit=10", "") // net/http unpacks it
	assert.True(t, packed.Uncompressed)
	assert.Equal(t, plain.body, packed.body)
	head := do(t, "HEAD", server.URL+"/jobs?limit=10", "", "Accept-Encoding: identity")
	assert.Equal(t, plain.ContentLength, head.ContentLength)
	for _, name := range []string{"ETag", "Link", "Has-More", "Vary"} {
		assert.Equal(t, plain.Header.Get(name), packed.Header.Get(name))
		assert.Equal(t, plain.Header.Get(name), head.Header.Get(name))
	}
	same := do(t, "GET", server.URL+"/jobs?limit=10", "", "If-None-Match: "+plain.Header.Get("ETag"))
	assert.Equal(t, http.StatusNotModified, same.StatusCode)
}

// TestServeEndsSoon although clients hold back their bodies, do not read their pages, or
// have a check run.
func TestServeEndsSoon(t *testing.T) {
	store := &checkedStore{openStore(t), func(ctx context.Context, tell func(done, total int64), find func(jobstore.Problem, error) bool) {
		tell(1, 2)
		<-ctx.Done()
		find(jobstore.Problem{}, ctx.Err())
	}}
	fillLarge(t, store.Store, 6, 3<<20)
	mux := http.NewServeMux()
	mux.Handle("/", httpapi.New(store, nil))
	mux.Handle("/store/", httpapi.NewOperator(store, nil))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- httpapi.Serve(ctx, l, mux, nil) }()

	posted := halfSend(t, l.Addr().String(), "POST /jobs", 100, "{")
	halfSend(t, l.Addr().String(), "PUT /store/jobs", 100, "[")
	halfSend(t, l.Addr().String(), "GET /jobs", 0, "")
	resp, err := http.Post("http://"+l.Addr().String()+"/store/check", "", nil)
	require.NoError(t, err)
	lines := bufio.NewScanner(resp.Body)
	require.True(t, lines.Scan())
	time.Sleep(100 * time.Millisecond)

	began := time.Now()
	stop()
	select {
	case err := <-ended:
		assert.NoError(t, err)
	case <-time.After(20 * time.Second):
		require.Fail(t, "the server goes on")
	}
	assert.Less(t, time.Since(began), 10*time.Second, "a request is not ended early")
	require.True(t, lines.Scan())
	assert.JSONEq(t, `{"outcome":{"problems":0,"error":{"kind":"unavailable","message":"the server is stopping"}}}`, lines.Text())
	assert.NoError(t, resp.Body.Close())
	answer, err := http.ReadResponse(bufio.NewReader(posted), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	_ = answer.Body.Close()
}
