package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete jobs and say how many there were",
		Long: `Delete jobs, all in one step, and say how many there were. An ID that no job
has is no failure. With --url they are deleted one after the other.`,
		Example: examples(
			"jobstore delete job_abc123",
			"jobstore list --status cancelled | tail -n +2 | cut -f 1 | xargs jobstore delete",
		),
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids := make([]jobstore.ID, len(args))
			for i, arg := range args {
				id, err := jobstore.ParseID(arg)
				if err != nil {
					return err
				}
				ids[i] = id
			}
			return withSource(cmd, changing, func(jobs source) error {
				n, err := jobs.Delete(cmd.Context(), ids...)
				if err != nil && n > 0 {
					return after(err, "deleted %d of %s", n, number(len(ids), "job"))
				}
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted %d of %s\n", n, number(len(ids), "job"))
				return err
			})
		},
	}
}
