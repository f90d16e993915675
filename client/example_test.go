package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/client"
)

func Example() {
	folder, err := os.MkdirTemp("", "client-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	store, err := jobstore.Open(filepath.Join(folder, "jobs.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	server := httptest.NewServer(site(store)) // in general: jobstore serve
	defer server.Close()

	ctx := context.Background()
	c, err := client.New(server.URL, &client.Options{Token: os.Getenv("JOBSTORE_TOKEN")})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	job := &jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/video.mp4"}
	if err := c.Create(ctx, job); err != nil {
		log.Fatal(err)
	}
	for job, err := range c.All(ctx, jobstore.Query{Status: jobstore.StatusQueued}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.Kind, job.Status, job.Input)
	}
	_, err = c.Get(ctx, "job_none")
	fmt.Println(errors.Is(err, jobstore.ErrNotFound))
	// Output:
	// video queued https://example.com/video.mp4
	// true
}
