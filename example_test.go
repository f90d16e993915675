package jobstore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/jobstore/jobstore"
)

// Embedding a store: what the README shows.
func Example() {
	ctx := context.Background()
	path := filepath.Join(must(os.MkdirTemp("", "jobstore")), "jobs.db")

	store, err := jobstore.Open(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	job := &jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/video.mp4"}
	if err := store.Create(ctx, job); err != nil { // on disk when it returns
		log.Fatal(err)
	}
	page, err := store.List(ctx, jobstore.Query{Kind: jobstore.KindVideo, Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, j := range page.Jobs {
		fmt.Println(j.ID == job.ID, j.Kind, j.Status, j.Input)
	}
	// Output: true video queued https://example.com/video.mp4
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// numbered returns a store of the jobs 1 to 10.
func numbered() *jobstore.Store {
	store := must(jobstore.Open(filepath.Join(must(os.MkdirTemp("", "jobstore")), "jobs.db"), nil))
	for i := 1; i <= 10; i++ {
		status := jobstore.StatusSucceeded
		if i%4 == 0 {
			status = jobstore.StatusFailed
		}
		job := &jobstore.Job{
			ID: jobstore.ID(fmt.Sprintf("job_%02d", i)), Kind: jobstore.KindVideo, Status: status,
			Input: fmt.Sprintf("https://example.com/%d.mp4", i),
		}
		if err := store.Put(context.Background(), job); err != nil {
			log.Fatal(err)
		}
	}
	return store
}

func ExampleStore_List() {
	store := numbered()
	defer store.Close()
	for _, q := range []jobstore.Query{
		{Limit: 3},
		{Limit: 3, After: "job_08"},
		{Limit: 3, Before: "job_05"},
		{Limit: 3, Order: jobstore.Asc},
		{Status: jobstore.StatusFailed},
	} {
		page, err := store.List(context.Background(), q)
		if err != nil {
			log.Fatal(err)
		}
		for _, job := range page.Jobs {
			fmt.Print(job.ID, " ")
		}
		fmt.Println(page.HasMore)
	}
	// Output:
	// job_10 job_09 job_08 true
	// job_07 job_06 job_05 true
	// job_08 job_07 job_06 true
	// job_01 job_02 job_03 true
	// job_08 job_04 false
}

func ExampleStore_All() {
	store := numbered()
	defer store.Close()
	for job, err := range store.All(context.Background(), jobstore.Query{Status: jobstore.StatusFailed}) {
		if err != nil {
			log.Fatal(err)
		}
		// The store may be used, and written to, inside the loop.
		_, err := store.Update(context.Background(), job.ID, func(j *jobstore.Job) error {
			j.Status = jobstore.StatusQueued
			return nil
		})
		fmt.Println(job.ID, err)
	}
	// Output:
	// job_08 <nil>
	// job_04 <nil>
}

func ExampleStore_Update() {
	store := numbered()
	defer store.Close()
	job, err := store.Update(context.Background(), "job_03", func(j *jobstore.Job) error {
		j.Status, j.Output = jobstore.StatusSucceeded, "s3://bucket/3.mp4"
		return nil
	})
	fmt.Println(job.Status, job.Output, job.FinishedAt.IsZero(), err)
	// Output: succeeded s3://bucket/3.mp4 false <nil>
}

func ExampleStore_Explain() {
	store := numbered()
	defer store.Close()
	plan, err := store.Explain(context.Background(), jobstore.Query{Status: jobstore.StatusFailed})
	fmt.Println(plan, err)
	// Output: index=status branches=1 matches=2 examined=3 fetched=2 returned=2 <nil>
}

func ExamplePage_Next() {
	store := numbered()
	defer store.Close()
	query := jobstore.Query{Limit: 4}
	for ok := true; ok; {
		page, err := store.List(context.Background(), query)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(page.Jobs), query.Values().Encode())
		query, ok = page.Next(query)
	}
	// Output:
	// 4 limit=4
	// 4 after=job_07&limit=4
	// 2 after=job_03&limit=4
}

// A migration keeps the age of its jobs: CreatedAt is stored as given, and the ID of
// that time sorts among the others.
func ExampleNewID() {
	ctx := context.Background()
	store := must(jobstore.Open(filepath.Join(must(os.MkdirTemp("", "jobstore")), "jobs.db"), nil))
	defer store.Close()

	created := time.Date(2019, time.May, 1, 12, 0, 0, 0, time.UTC)
	err := store.Create(ctx,
		&jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/new.mp4"},
		&jobstore.Job{
			ID: jobstore.NewID(created), CreatedAt: created, Status: jobstore.StatusSucceeded,
			Kind: jobstore.KindVideo, Input: "https://example.com/old.mp4",
		})
	if err != nil {
		log.Fatal(err)
	}
	for job, err := range store.All(ctx, jobstore.Query{Order: jobstore.Asc}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.Input)
	}
	// Output:
	// https://example.com/old.mp4
	// https://example.com/new.mp4
}

// The Link header of a page says where its neighbours are.
func ExamplePage_Link() {
	store := numbered()
	defer store.Close()
	q := jobstore.Query{Limit: 3, After: "job_08"}
	page := must(store.List(context.Background(), q))
	fmt.Println(page.Link("https://example.com/jobs", q))
	// Output: <https://example.com/jobs?after=job_05&limit=3>; rel="next", <https://example.com/jobs?before=job_07&limit=3>; rel="prev"
}
