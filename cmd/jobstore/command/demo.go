package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobfile"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

func newDemo() *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the list call at work on a realistic store",
		Long: `Show the list call at work.

First the documented sample job is put into a new store, and the documented
calls are answered with it. Then the store is filled with realistic jobs, and the
documented calls and the hard ones are run: how many rows each gives, by which
index it is read, how many keys that takes, and the median time of a page.

The store is removed at the end, unless --keep names a file for it.`,
		Example: examples(
			"jobstore demo",
			"jobstore demo --jobs 20000 --seed 7",
			"jobstore demo --jobs 5000 --keep demo.db",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out, d.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return d.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&d.jobs, "jobs", 100_000, "`number` of jobs to fill the store with")
	flags.Uint64Var(&d.seed, "seed", 1, "`number` that the jobs are drawn from: the same one gives the same jobs")
	flags.StringVar(&d.keep, "keep", "", "leave the store in this `file`, which must not exist")
	return cmd
}

// A demo is one run of the demo command.
type demo struct {
	out, err io.Writer
	jobs     int
	seed     uint64
	keep     string

	store  *jobstore.Store
	sample sampledJobs
}

// sampledJobs are what the calls need to know of the jobs in the store.
type sampledJobs struct {
	middle jobstore.ID // of the job halfway between the oldest and the newest
	unique string      // an input that one job has; empty in a very small store
	noon   time.Time   // when the middle job was created
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.jobs < 1 {
		return &jobstore.FieldError{Field: "jobs", Value: fmt.Sprint(d.jobs), Reason: "must be at least 1"}
	}
	path := d.keep
	if path == "" {
		folder, err := os.MkdirTemp("", "jobstore-demo-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		path = filepath.Join(folder, defaultDatabase)
	} else if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return &jobstore.FieldError{Field: "keep", Value: path, Reason: "exists already; name a new file"}
	}
	// A crash of the machine may spoil the store: then the demo starts over.
	d.store, err = openStore(path, &jobstore.Options{NoSync: true})
	if err != nil {
		return err
	}
	err = d.show(ctx)
	if err = errors.Join(err, d.store.Close()); err != nil {
		if d.keep != "" {
			_ = os.Remove(d.keep) // half of what was asked for
		}
		return err
	}
	if d.keep != "" {
		d.say("\nThe store is kept. Two commands to go on with:\n\n"+
			"  go run ./cmd/jobstore --db %[1]s list --status failed --limit 10 --explain\n"+
			"  go run ./cmd/jobstore --db %[1]s list --since %[2]s --order asc --json\n",
			shellQuote(d.keep), d.sample.noon.Format(time.DateOnly))
	}
	return nil
}

func (d *demo) show(ctx context.Context) error {
	if err := d.showSample(ctx); err != nil {
		return err
	}
	if err := d.fill(ctx); err != nil {
		return err
	}
	return d.showCalls(ctx)
}

// documentedJob is the job on the page that documents the list call.
const documentedJob = `{
  "id": "job_abc123",
  "object": "job",
  "kind": "video",
  "input": "https://example.com/video.mp4",
  "output": "https://store.ittybit.net/org_123/video.mp4",
  "options": { "format": "mp4", "quality": "high" },
  "metadata": {},
  "status": "succeeded",
  "error": null,
  "created_at": 1711900000000,
  "started_at": 1711900001000,
  "finished_at": 1711900045000,
  "updated_at": 1711900045000
}`

// documentedCalls are the calls on that page.
var documentedCalls = []string{"kind=video&limit=10", "status=failed&limit=20"}

func (d *demo) showSample(ctx context.Context) error {
	job, err := jobfile.Parse([]byte(documentedJob), false)
	if err != nil {
		return err
	}
	if err := d.store.Put(ctx, job); err != nil {
		return err
	}
	d.say("The documented job is in the store, and the documented calls give:\n")
	for _, call := range documentedCalls {
		values, err := url.ParseQuery(call)
		if err != nil {
			return err
		}
		q, err := jobstore.ParseQuery(values)
		if err != nil {
			return err
		}
		page, err := d.store.List(ctx, q)
		if err != nil {
			return err
		}
		d.say("\nGET /jobs?%s\n", call)
		out := newJobWriter(d.out, pretty)
		for i := range page.Jobs {
			if err := out.write(&page.Jobs[i]); err != nil {
				return err
			}
		}
		if err := out.close(); err != nil {
			return err
		}
	}
	return nil
}

// fill puts the realistic jobs into the store.
func (d *demo) fill(ctx context.Context) error {
	d.say("\nFilling the store with %s (seed %d).\n", humanize.Comma(int64(d.jobs))+" "+plural(d.jobs, "realistic job"), d.seed)
	began := time.Now()
	bar := newProgress(d.err, "filling", int64(d.jobs), "jobs")
	defer bar.clear()
	filled := 0
	for jobs := range batches(dataset.Realistic(d.seed, d.jobs), batchJobs) {
		if err := d.store.Put(ctx, jobs...); err != nil {
			return err
		}
		for _, job := range jobs {
			d.sample.look(job, filled, d.jobs)
			filled++
		}
		bar.set(int64(filled))
	}
	bar.clear()
	stats, err := d.store.Stats(ctx)
	if err != nil {
		return err
	}
	d.say("It took %s; the file has %s.\n\n", formatSpan(time.Since(began)), size(stats.FileBytes))
	return nil
}

// look takes note of job i of n.
func (s *sampledJobs) look(job *jobstore.Job, i, n int) {
	if i == n/2 {
		s.middle, s.noon = job.ID, job.CreatedAt
	}
	if i >= n/2 && s.unique == "" && !dataset.IsHot(job.Input) {
		s.unique = job.Input
	}
}

// batches returns the jobs in slices of size, the last one shorter.
func batches(jobs iter.Seq[*jobstore.Job], size int) iter.Seq[[]*jobstore.Job] {
	return func(yield func([]*jobstore.Job) bool) {
		var batch []*jobstore.Job
		for job := range jobs {
			if batch = append(batch, job); len(batch) == size {
				if !yield(batch) {
					return
				}
				batch = batch[:0]
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// say prints for the reader. A failure is ignored here. It is reported by the
// writers of the jobs and tables, which print to the same place.
func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...)
}
