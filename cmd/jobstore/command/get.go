package command

import (
	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newGet() *cobra.Command {
	return &cobra.Command{
		Use:   "get ID",
		Short: "Print one job with its tasks, as JSON",
		Example: examples(
			"jobstore get job_abc123",
		),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobstore.ParseID(args[0])
			if err != nil {
				return err
			}
			return withSource(cmd, reading, func(jobs source) error {
				job, err := jobs.Get(cmd.Context(), id)
				if err != nil {
					return err
				}
				return writeJob(cmd.OutOrStdout(), &job)
			})
		},
	}
}
