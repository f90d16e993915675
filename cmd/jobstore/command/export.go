package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newExport() *cobra.Command {
	var query queryFlags
	var ex exporter
	var path string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write jobs as NDJSON or as a JSON array",
		Long: `Write all jobs, or those that match, as NDJSON: one job a line, newest first.
Tasks are written too, so that import gives the same store back; without them
the jobs are what the list call returns.`,
		Example: examples(
			"jobstore export -o backup.ndjson",
			"jobstore export --array --no-tasks --status failed",
			"jobstore export --order asc --since 2026-01-01 | jobstore import --db copy.db -",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			q, err := query.query(time.Now())
			if err != nil {
				return err
			}
			return withSource(cmd, reading, func(jobs source) error {
				ex.jobs, ex.query = jobs, q
				out := cmd.OutOrStdout()
				if path == "" {
					return ex.run(cmd.Context(), out, nil)
				}
				if serverURL(cmd) == "" && sameFile(path, databasePath(cmd)) {
					return fmt.Errorf("%w: %s is the store itself", jobstore.ErrInvalid, path)
				}
				total, err := jobs.Count(cmd.Context(), q)
				if err != nil {
					return err
				}
				bar := newProgress(cmd.ErrOrStderr(), "exporting", total, "jobs")
				defer bar.clear()
				return replaceFile(path, func(f io.Writer) error {
					return ex.run(cmd.Context(), f, bar)
				})
			})
		},
	}
	query.addFilter(cmd)
	query.addRange(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&ex.array, "array", false, "write a JSON array")
	flags.BoolVar(&ex.noTasks, "no-tasks", false, "leave out the tasks")
	flags.StringVarP(&path, "output", "o", "", "write to this `file`, which appears when it is complete")
	return cmd
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// An exporter writes jobs of a source.
type exporter struct {
	jobs           source
	query          jobstore.Query
	array, noTasks bool
}

func (ex *exporter) run(ctx context.Context, w io.Writer, bar *progress) error {
	l := lines
	if ex.array {
		l = arrayFor(w)
	}
	out := newJobWriter(w, l)
	for job, err := range ex.jobs.All(ctx, ex.query) {
		if err == nil && !ex.noTasks {
			// A walk leaves the tasks out.
			job, err = ex.jobs.Get(ctx, job.ID)
			if errors.Is(err, jobstore.ErrNotFound) {
				continue // deleted meanwhile
			}
		}
		if err == nil {
			err = out.write(&job)
		}
		if err != nil {
			return err
		}
		bar.set(int64(out.jobs))
	}
	return out.close()
}
