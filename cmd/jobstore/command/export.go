package command

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/client"
	"github.com/jobstore/jobstore/jobfile"
)

func newExport() *cobra.Command {
	var query queryFlags
	var ex exporter
	var path string
	var force bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write jobs as NDJSON or as a JSON array",
		Long: `Write all jobs, or those that match, as NDJSON: one job a line, newest first.
Tasks are written too, so that import gives the same store back; without them
the jobs are what the list call returns. JSON that jobs came with stays as it
is, but for NDJSON, where a line end in it becomes a space.

A file appears when it is complete, and takes the place of another only with
--force. A pipe or a device is written to as it is.`,
		Example: examples(
			"jobstore export -o backup.ndjson",
			"jobstore export -o backup.ndjson --force",
			"jobstore export --array --no-tasks --status failed",
			"jobstore export --order asc --since 2026-01-01 | jobstore import --db copy.db -",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			q, err := query.query(time.Now())
			if err != nil {
				return err
			}
			store := ""
			if serverURL(cmd) == "" {
				store = databasePath(cmd)
			}
			to, err := outputTarget(cmd, path, force, store)
			if err != nil {
				return err
			}
			return withSource(cmd, reading, func(jobs source) error {
				ex.jobs, ex.query = jobs, q
				var bar *progress
				if !to.isStream() {
					total, err := jobs.Count(cmd.Context(), q)
					if err != nil {
						return err
					}
					bar = newProgress(cmd.ErrOrStderr(), "exporting", total, "jobs")
					defer bar.clear()
				}
				err := to.write(func(w io.Writer) error {
					return ex.run(cmd.Context(), w, bar)
				})
				if err != nil && to.isStream() && ex.written > 0 {
					return after(err, "the output is incomplete, after about %s", number(ex.written, "job"))
				}
				return err
			})
		},
	}
	query.addFilter(cmd)
	query.addRange(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&ex.array, "array", false, "write a JSON array")
	flags.BoolVar(&ex.noTasks, "no-tasks", false, "leave out the tasks")
	addOutputFlags(cmd, &path, &force, "write to this `file`; - is standard output")
	return cmd
}

// An exporter writes jobs of a source.
type exporter struct {
	jobs           source
	query          jobstore.Query
	array, noTasks bool

	written int
}

func (ex *exporter) run(ctx context.Context, w io.Writer, bar *progress) error {
	l := lines
	if ex.array {
		l = arrayFor(w)
	}
	out := newJobWriter(w, l)
	for job, err := range ex.all(ctx) {
		if err == nil {
			err = out.write(&job)
		}
		if err != nil {
			return err
		}
		ex.written = out.jobs
		bar.set(int64(out.jobs))
	}
	return out.close()
}

// all returns the jobs to write. A server sends them with their tasks at once.
func (ex *exporter) all(ctx context.Context) iter.Seq2[jobstore.Job, error] {
	if ex.noTasks {
		return ex.jobs.All(ctx, ex.query)
	}
	if c, ok := ex.jobs.(*client.Client); ok {
		return c.Export(ctx, ex.query)
	}
	return jobfile.Export(ctx, ex.jobs, ex.query)
}
