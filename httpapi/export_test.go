package httpapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

func TestExport(t *testing.T) {
	store := openStore(t)
	jobs := fill(t, store, 250)
	spaced := newJob(0)
	spaced.ID, spaced.Kind, spaced.Status = "job_spaced", jobstore.KindImage, jobstore.StatusCancelled
	spaced.Metadata = json.RawMessage("{\r\n\"a\":\n[ 1,\r2 ]\t}")
	require.NoError(t, store.Put(t.Context(), spaced))
	server := newOperator(t, store, nil)

	got := do(t, "GET", server.URL+"/store/jobs", "")
	assert.Equal(t, 200, got.StatusCode)
	assert.Equal(t, "application/x-ndjson", got.Header.Get("Content-Type"))
	lines := strings.Split(strings.TrimSuffix(got.body, "\n"), "\n")
	require.Len(t, lines, 252)
	assert.Equal(t, `{"outcome":{"jobs":251}}`, lines[251])
	assert.Contains(t, lines[0], `"metadata":{ "a": [ 1, 2 ]`+"\t}", "a line end is a space, the rest stays")
	for i, job := range slices.Backward(jobs) {
		require.Equal(t, string(job.AppendJSON(nil)), lines[250-i])
	}

	for query, want := range map[string]int{
		"?kind=video": 50, "?kind=video&kind=audio&status=failed": 20, "?input=s3://no/ne": 0, "?limit=7&order=asc": 251,
		"?order=asc&after=" + string(jobs[99].ID):                                151,
		"?after=" + string(jobs[20].ID) + "&before=" + string(jobs[9].ID):        10,
		"?before=" + string(jobs[9].ID):                                          241,
		"?input_sha256=" + sha256Of(jobs[0].Input):                               26,
		"?input_sha256=" + strings.ToUpper(sha256Of(jobs[0].Input)):              26,
		"?order=asc&status=queued&before=" + string(jobs[10].ID) + "&kind=video": 1,
	} {
		got := do(t, "GET", server.URL+"/store/jobs"+query, "")
		assert.Equal(t, want, strings.Count(got.body, "\n")-1, query)
		assert.True(t, strings.HasSuffix(got.body, fmt.Sprintf("{\"outcome\":{\"jobs\":%d}}\n", want)), query)
	}
	head := do(t, "HEAD", server.URL+"/store/jobs", "")
	assert.Equal(t, 200, head.StatusCode)
	assert.Empty(t, head.body)
	assert.Equal(t, 400, do(t, "GET", server.URL+"/store/jobs?kind=vide", "").StatusCode)
}

// A failingStore fails to read the jobs past the first few.
type failingStore struct {
	*jobstore.Store
	left int
}

func (s *failingStore) Get(ctx context.Context, id jobstore.ID) (jobstore.Job, error) {
	if s.left--; s.left < 0 {
		return jobstore.Job{}, errors.New("the disk is gone")
	}
	return s.Store.Get(ctx, id)
}

// TestExportFails ends the answer with the error, once it has begun.
func TestExportFails(t *testing.T) {
	store := openStore(t)
	fill(t, store, 600)
	for _, readable := range []int{0, 1, 599} {
		server := httptest.NewServer(httpapi.NewOperator(&failingStore{store, readable}, nil))
		resp, err := http.Get(server.URL + "/store/jobs")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		if readable < 100 {
			assert.NoError(t, err)
			assert.Equal(t, 500, resp.StatusCode, "nothing has been sent yet")
		} else {
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "the connection is broken off")
			assert.Equal(t, 200, resp.StatusCode)
			assert.Equal(t, 600, strings.Count(string(body), "\n"))
			assert.True(t, strings.HasSuffix(string(body), `{"outcome":{"jobs":599,"error":{"kind":"internal_error","message":"something went wrong, see the server's log"}}}`+"\n"))
		}
		assert.NoError(t, resp.Body.Close())
		server.Close()
	}
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestSlowExports of large jobs leave the other calls of operators alone, and end with the
// server.
func TestSlowExports(t *testing.T) {
	store := openStore(t)
	fillLarge(t, store, 20, 3<<20)
	server := newOperator(t, store, &httpapi.Options{MaxWait: 50 * time.Millisecond})
	exports := 0
	for ; exports < 20; exports++ {
		if _, status := beginReading(t, server.Listener.Addr().String(), "/store/jobs"); status != 200 {
			break
		}
	}
	assert.Positive(t, exports)
	assert.Less(t, exports, 20, "there is memory for any number of exports")
	assert.Equal(t, 503, do(t, "GET", server.URL+"/store/jobs", "").StatusCode)
	assert.Equal(t, 200, do(t, "GET", server.URL+"/store/stats", "").StatusCode)
	assert.Equal(t, 200, do(t, "GET", server.URL+"/store/explain", "").StatusCode)
	assert.Equal(t, 200, do(t, "PUT", server.URL+"/store/jobs", "["+numbered(putJob, "1")+"]").StatusCode)
	assert.Equal(t, 200, do(t, "POST", server.URL+"/store/check", "").StatusCode)
}
