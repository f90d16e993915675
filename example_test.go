package jobstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/url"
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

// opened returns a new store.
func opened(opts *jobstore.Options) *jobstore.Store {
	return must(jobstore.Open(filepath.Join(must(os.MkdirTemp("", "jobstore")), "jobs.db"), opts))
}

// A request that is repeated with its key makes no second job.
func ExampleStore_CreateOnce() {
	ctx := context.Background()
	store := opened(nil)
	defer store.Close()
	first := &jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/video.mp4"}
	fmt.Println(store.CreateOnce(ctx, "upload-17", first))

	again := &jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/video.mp4"}
	fmt.Println(store.CreateOnce(ctx, "upload-17", again))
	fmt.Println(again.ID == first.ID)

	other := &jobstore.Job{Kind: jobstore.KindAudio, Input: "https://example.com/sound.mp3"}
	_, err := store.CreateOnce(ctx, "upload-17", other)
	fmt.Println(errors.Is(err, jobstore.ErrConflict))
	// Output:
	// true <nil>
	// false <nil>
	// true
	// true
}

// An error of the callback leaves the job as it is. So a change can have a
// precondition: here, of two workers one gets the job.
func ExampleStore_Update_precondition() {
	ctx := context.Background()
	store := opened(nil)
	defer store.Close()
	job := &jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/video.mp4"}
	if err := store.Create(ctx, job); err != nil {
		log.Fatal(err)
	}
	errTaken := errors.New("somebody else has this job")
	for range 2 {
		_, err := store.Update(ctx, job.ID, func(j *jobstore.Job) error {
			if j.Status != jobstore.StatusQueued {
				return errTaken
			}
			j.Status = jobstore.StatusProcessing
			return nil
		})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// somebody else has this job
}

// A reader that goes on from the newest job it has seen gets each new job once. That
// holds where the store mints all IDs, which MintedOnly ensures.
func ExampleStore_All_tail() {
	ctx := context.Background()
	store := opened(&jobstore.Options{MintedOnly: true})
	defer store.Close()
	var newest jobstore.ID // none: from the first job on
	for _, input := range []string{"https://example.com/a.mp4", "https://example.com/b.mp4"} {
		if err := store.Create(ctx, &jobstore.Job{Kind: jobstore.KindVideo, Input: input}); err != nil {
			log.Fatal(err)
		}
		// In a service, this is what runs every second.
		for job, err := range store.All(ctx, jobstore.Query{After: newest, Order: jobstore.Asc}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(job.Input)
			newest = job.ID
		}
	}
	// Output:
	// https://example.com/a.mp4
	// https://example.com/b.mp4
}

// FirstID turns a time into a cursor: these are the jobs of one day.
func ExampleFirstID() {
	ctx := context.Background()
	store := opened(nil)
	defer store.Close()
	day := time.Date(2026, time.January, 31, 0, 0, 0, 0, time.UTC)
	for hours := range 4 {
		created := day.Add(time.Duration(hours-1) * 12 * time.Hour)
		job := &jobstore.Job{
			ID: jobstore.NewID(created), CreatedAt: created,
			Kind: jobstore.KindVideo, Input: "https://example.com/" + created.Format("02-15") + ".mp4",
		}
		if err := store.Create(ctx, job); err != nil {
			log.Fatal(err)
		}
	}
	q := jobstore.Query{
		After: jobstore.FirstID(day), Before: jobstore.FirstID(day.AddDate(0, 0, 1)),
		Order: jobstore.Asc,
	}
	for job, err := range store.All(ctx, q) {
		fmt.Println(job.Input, err)
	}
	fmt.Println(store.Count(ctx, q))
	// Output:
	// https://example.com/31-00.mp4 <nil>
	// https://example.com/31-12.mp4 <nil>
	// 2 <nil>
}

func ExampleStore_Count() {
	ctx := context.Background()
	store := numbered()
	defer store.Close()
	fmt.Println(store.Count(ctx, jobstore.Query{}))
	fmt.Println(store.Count(ctx, jobstore.Query{Status: jobstore.StatusFailed | jobstore.StatusQueued}))
	fmt.Println(store.Count(ctx, jobstore.Query{After: "job_04"})) // the older ones
	// Output:
	// 10 <nil>
	// 2 <nil>
	// 3 <nil>
}

// The finished jobs of the time before a day are deleted, those that are still queued
// stay.
func ExampleStore_Prune() {
	ctx := context.Background()
	store := opened(nil)
	defer store.Close()
	created := time.Date(2025, time.December, 24, 0, 0, 0, 0, time.UTC)
	for _, status := range []jobstore.Status{jobstore.StatusSucceeded, jobstore.StatusFailed, jobstore.StatusQueued} {
		job := &jobstore.Job{
			ID: jobstore.NewID(created), CreatedAt: created, Status: status,
			Kind: jobstore.KindVideo, Input: "https://example.com/video.mp4",
		}
		if err := store.Create(ctx, job); err != nil {
			log.Fatal(err)
		}
	}
	before := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	fmt.Println(store.Prune(ctx, jobstore.PruneOptions{Before: before, DryRun: true}))
	fmt.Println(store.Prune(ctx, jobstore.PruneOptions{Before: before}))
	fmt.Println(store.Count(ctx, jobstore.Query{}))
	// Output:
	// 2 <nil>
	// 2 <nil>
	// 1 <nil>
}

// A backup is a store, checked before it gets its name.
func ExampleStore_BackupFile() {
	ctx := context.Background()
	store := numbered()
	defer store.Close()
	path := filepath.Join(must(os.MkdirTemp("", "jobstore")), "backup.db")
	if _, err := store.BackupFile(ctx, path, nil); err != nil {
		log.Fatal(err)
	}
	backup := must(jobstore.Open(path, &jobstore.Options{ReadOnly: true}))
	defer backup.Close()
	fmt.Println(backup.Count(ctx, jobstore.Query{}))
	_, err := store.BackupFile(ctx, path, nil)
	fmt.Println(errors.Is(err, fs.ErrExist))
	// Output:
	// 10 <nil>
	// true
}

// A sound store gives nothing.
func ExampleStore_Check() {
	store := numbered()
	defer store.Close()
	problems := 0
	for problem, err := range store.Check(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(problem)
		problems++
	}
	fmt.Println(problems, "problems")
	// Output: 0 problems
}

// The parameters of a request are a query, and a query is parameters again.
func ExampleParseQuery() {
	values := must(url.ParseQuery("kind=video&status=failed&status=cancelled&limit=50"))
	q, err := jobstore.ParseQuery(values)
	fmt.Println(q.Kind, q.Status, q.Limit, err)
	fmt.Println(q.Values().Encode())

	_, err = jobstore.ParseQuery(url.Values{"limit": {"101"}})
	fmt.Println(err)
	// Output:
	// video failed|cancelled 50 <nil>
	// kind=video&limit=50&status=failed&status=cancelled
	// jobstore: limit "101" must be a whole number from 1 to 100
}

// A FieldError says which field was refused.
func ExampleFieldError() {
	store := opened(nil)
	defer store.Close()
	err := store.Create(context.Background(), &jobstore.Job{Kind: jobstore.KindVideo})
	var field *jobstore.FieldError
	fmt.Println(errors.As(err, &field) && errors.Is(err, jobstore.ErrInvalid))
	fmt.Println(field.Field, field.Reason)
	// Output:
	// true
	// input is missing
}
