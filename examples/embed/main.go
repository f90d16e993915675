// Command embed is a service in small that keeps its jobs in a file beside it:
// it takes some in, works them off oldest first, and lists them page by page.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/jobstore/jobstore"
)

func main() {
	if err := run(context.Background(), "jobs.db", os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path string, out io.Writer) (err error) {
	store, err := jobstore.Open(path, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	for i, kind := range []jobstore.Kind{jobstore.KindVideo, jobstore.KindAudio, jobstore.KindImage} {
		job := &jobstore.Job{
			Kind:    kind,
			Input:   fmt.Sprintf("https://example.com/upload-%d", i),
			Options: json.RawMessage(`{"quality":"high"}`),
		}
		// The key makes it safe to take the same upload in again after a crash.
		if _, err := store.CreateOnce(ctx, fmt.Sprint("upload-", i), job); err != nil {
			return err
		}
	}

	// The loop may write to the store: no snapshot is open while its body runs.
	for job, err := range store.All(ctx, jobstore.Query{Status: jobstore.StatusQueued, Order: jobstore.Asc}) {
		if err != nil {
			return err
		}
		if err := work(ctx, store, job); err != nil {
			return err
		}
	}

	query, more := jobstore.Query{Status: jobstore.StatusSucceeded | jobstore.StatusFailed, Limit: 2}, true
	for more {
		page, err := store.List(ctx, query)
		if err != nil {
			return err
		}
		for _, job := range page.Jobs {
			fmt.Fprintf(out, "%-10s %-6s %s\n", job.Status, job.Kind, job.Input)
		}
		query, more = page.Next(query)
	}
	return nil
}

// work does one job: here, all but audio succeed.
func work(ctx context.Context, store *jobstore.Store, job jobstore.Job) error {
	_, err := store.Update(ctx, job.ID, func(j *jobstore.Job) error {
		j.Status = jobstore.StatusSucceeded
		if j.Kind == jobstore.KindAudio {
			j.Status, j.Error = jobstore.StatusFailed, json.RawMessage(`{"kind":"no_audio_track"}`)
		}
		return nil
	})
	return err
}
