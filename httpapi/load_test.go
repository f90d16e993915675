package httpapi_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// TestLoad lets workers create, report, read, list and delete jobs side by side,
// a bounded number of times, and then looks for each job as its worker left it.
func TestLoad(t *testing.T) {
	const workers, rounds = 8, 50
	store := openStore(t)
	server := newServer(t, store, &httpapi.Options{Token: token})
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = workers

	var all sync.WaitGroup
	kept := make([]map[jobstore.ID]string, workers) // the body of the last answer
	for w := range workers {
		kept[w] = map[jobstore.ID]string{}
		all.Go(func() { loadWorker(t, server.URL, uint64(w), rounds, kept[w]) })
	}
	all.Wait()

	jobs := 0
	for _, mine := range kept {
		for id, body := range mine {
			jobs++
			assert.Equal(t, body, do(t, "GET", server.URL+"/jobs/"+string(id), "", "Authorization: Bearer "+token).body)
		}
	}
	n, err := store.Count(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	assert.Equal(t, int64(jobs), n)
	assert.Greater(t, jobs, workers*rounds/2)
}

// loadWorker does rounds of what clients do, on jobs of its own and an input of
// its own, and keeps what the API said of each job last.
func loadWorker(t *testing.T, base string, seed uint64, rounds int, kept map[jobstore.ID]string) {
	rng := rand.New(rand.NewPCG(seed, 7))
	input := fmt.Sprintf("https://example.com/worker-%d.mp4", seed)
	expect := func(status int, method, at, body string, headers ...string) answer {
		got := do(t, method, at, body, append(headers, "Authorization: Bearer "+token)...)
		assert.Equal(t, status, got.StatusCode, "%s %s: %s", method, at, got.body)
		return got
	}
	for round := range rounds {
		body := fmt.Sprintf(`{"kind":"video","input":%q,"metadata":{"round":%d}}`, input, round)
		key := fmt.Sprintf("Idempotency-Key: %d-%d", seed, round)
		made := expect(http.StatusCreated, "POST", base+"/jobs", body, key)
		assert.Equal(t, made.body, expect(http.StatusOK, "POST", base+"/jobs", body, key).body)
		job := made.job(t)
		at := base + "/jobs/" + string(job.ID)
		kept[job.ID] = made.body

		for _, status := range []string{"processing", "succeeded"} {
			got := expect(http.StatusOK, "PATCH", at, `{"status":"`+status+`","tasks":[{"object":"task"}]}`)
			kept[job.ID] = got.body
			assert.Equal(t, got.body, expect(http.StatusOK, "GET", at, "").body)
		}
		if rng.IntN(4) == 0 {
			expect(http.StatusNoContent, "DELETE", at, "")
			expect(http.StatusNotFound, "GET", at, "")
			delete(kept, job.ID)
		}
		mine := expect(http.StatusOK, "GET", base+"/jobs?status=succeeded&limit=5&input="+url.QueryEscape(input), "").jobs(t)
		assert.Len(t, mine, min(5, len(kept)))
		for _, j := range mine {
			assert.Contains(t, kept, j.ID)
		}
		list := expect(http.StatusOK, "GET", base+"/jobs?limit=100", "")
		assert.Equal(t, strings.Count(list.body, `"object":"job"`), len(list.jobs(t)))
	}
}
