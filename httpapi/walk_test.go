package httpapi_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

// TestWalk reads 10,000 jobs by the links alone, there and back, while a writer
// puts others among them, moves them from filter to filter, and removes them.
func TestWalk(t *testing.T) {
	const n = 10_000
	store := openStore(t)
	known := map[jobstore.ID]bool{}
	var jobs []*jobstore.Job
	for job := range dataset.Realistic(1, n) {
		jobs = append(jobs, job)
		known[job.ID] = true
	}
	require.NoError(t, store.Put(t.Context(), jobs...))
	server := newServer(t, store, nil)

	for query, q := range map[string]jobstore.Query{
		"?limit=100":          {},
		"?order=asc&limit=93": {Order: jobstore.Asc},
		"?kind=video&kind=image&status=succeeded&limit=50": {
			Kind: jobstore.KindVideo | jobstore.KindImage, Status: jobstore.StatusSucceeded},
	} {
		t.Run(query, func(t *testing.T) {
			if testing.Short() && query != "?limit=100" {
				t.Skip("one walk is enough for a short test")
			}
			var want []jobstore.ID
			for job, err := range store.All(t.Context(), q) {
				require.NoError(t, err)
				if known[job.ID] {
					want = append(want, job.ID)
				}
			}
			stop := disturb(t, store, jobs)
			there, last := walk(t, server.URL+"/jobs"+query, "next")
			back, _ := walk(t, last, "prev")
			stop()

			isOther := func(id jobstore.ID) bool { return !known[id] }
			assertSorted(t, there, q.Order)
			assert.Equal(t, want, slices.DeleteFunc(there, isOther))
			assertSorted(t, back, q.Order)
			assert.Equal(t, want, slices.DeleteFunc(back, isOther))
		})
	}
}

// walk follows the links with rel from url on, and returns the IDs in the order
// of the list, and the URL of the last page.
func walk(t *testing.T, url, rel string) (list []jobstore.ID, last string) {
	for url != "" {
		page := do(t, "GET", url, "")
		got := ids(page.jobs(t))
		if rel == "prev" {
			list = append(got, list...)
		} else {
			list = append(list, got...)
		}
		last, url = url, page.link(rel)
		assert.Equal(t, url != "", len(got) > 0 && (page.Header.Get("Has-More") == "true" || rel == "prev" && !isBackward(last)))
	}
	return list, last
}

func isBackward(url string) bool { return strings.Contains(url, "before=") }

// assertSorted checks that IDs stand in order, none of them twice.
func assertSorted(t *testing.T, list []jobstore.ID, order jobstore.Order) {
	for i := 1; i < len(list); i++ {
		if list[i-1] == list[i] || (list[i-1] < list[i]) != (order == jobstore.Asc) {
			assert.Fail(t, "out of order", "%s, then %s", list[i-1], list[i])
			return
		}
	}
}

// disturb starts a writer of other jobs, whose IDs fall between those of jobs and
// past them, and returns what stops it. It ends by itself after a while, as a
// walk towards the newest job must.
func disturb(t *testing.T, store *jobstore.Store, jobs []*jobstore.Job) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range 2000 {
			job := newJob(i)
			if i%4 != 0 {
				beside := jobs[rng.IntN(len(jobs))].ID
				job.ID = jobstore.ID(fmt.Sprintf("%s_%d", beside, rng.IntN(3)))
			}
			_ = store.Create(ctx, job) // some exist already
			_, _ = store.Update(ctx, job.ID, func(j *jobstore.Job) error {
				j.Status = jobstore.StatusQueued << rng.IntN(5)
				return nil
			})
			if i%3 == 0 {
				_, _ = store.Delete(ctx, job.ID)
			}
			if ctx.Err() != nil {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// TestWalkWithPolling lists the newest page again and again while jobs come, and
// sees each of them by going back to the last page that it knows.
func TestWalkWithPolling(t *testing.T) {
	store := openStore(t)
	fill(t, store, 50)
	server := newServer(t, store, nil)
	all, _ := walk(t, server.URL+"/jobs?order=asc", "next")
	for i := range 20 {
		fill(t, store, i%7)
		newer, _ := walk(t, server.URL+"/jobs?limit=3&before="+string(all[len(all)-1]), "prev")
		slices.Reverse(newer)
		all = append(all, newer...)
	}
	want, err := store.Count(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	assert.Len(t, all, int(want))
	assertSorted(t, all, jobstore.Asc)
	assert.Equal(t, http.StatusOK, do(t, "GET", server.URL+"/jobs", "").StatusCode)
}
