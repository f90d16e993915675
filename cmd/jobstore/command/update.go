package command

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newUpdate() *cobra.Command {
	var status, output string
	raw := map[string]*string{}
	cmd := &cobra.Command{
		Use:   "update ID",
		Short: "Change a job and print it",
		Long: `Change a job and print it.

What is not given stays as it is. The times follow from the status: started_at
is set when a job is first processing, finished_at when it first is succeeded,
failed or cancelled, updated_at always.`,
		Example: examples(
			"jobstore update job_abc123 --status processing",
			"jobstore update job_abc123 --status succeeded --output s3://bucket/video.mp4",
			`jobstore update job_abc123 --status failed --error '{"code":"timeout"}'`,
			`jobstore update job_abc123 --metadata '{"reviewed":true}' --error null`,
		),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobstore.ParseID(args[0])
			if err != nil {
				return err
			}
			change := func(job *jobstore.Job) (err error) {
				given := cmd.Flags().Changed
				if given("status") {
					if job.Status, err = jobstore.ParseStatus(status); err != nil {
						return err
					}
				}
				if given("output") {
					job.Output = output
				}
				for name, field := range map[string]*json.RawMessage{
					"error": &job.Error, "metadata": &job.Metadata, "tasks": &job.Tasks,
				} {
					if given(name) {
						*field = json.RawMessage(*raw[name])
					}
				}
				return nil
			}
			// A bad value is found before the store is opened.
			if err := change(new(jobstore.Job)); err != nil {
				return err
			}
			return withSource(cmd, changing, func(jobs source) error {
				job, err := jobs.Update(cmd.Context(), id, change)
				if err != nil {
					return err
				}
				return writeJob(cmd.OutOrStdout(), &job)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&status, "status", "", "the new `status`: "+words(statuses))
	flags.StringVar(&output, "output", "", "the `URL` of the result")
	raw["error"] = flags.String("error", "", "why the job failed, as `JSON`; null for nothing")
	raw["metadata"] = flags.String("metadata", "", "the new metadata, a `JSON` object")
	raw["tasks"] = flags.String("tasks", "", "the new tasks, a `JSON` array")
	complete(cmd, "status", texts(statuses)...)
	cmd.MarkFlagsOneRequired("status", "output", "error", "metadata", "tasks")
	return cmd
}
