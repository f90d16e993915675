package command

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newCount() *cobra.Command {
	var query queryFlags
	cmd := &cobra.Command{
		Use:   "count",
		Short: "Print the number of jobs that match a filter",
		Long: `Print the number of jobs that match a filter. By kind and status the store
knows it without looking at the jobs; by input and in a range of time or IDs it
walks an index. A server that is no jobstore serve is asked for all pages.`,
		Example: examples(
			"jobstore count",
			"jobstore count --kind video --status failed,cancelled",
			"jobstore count --input https://example.com/video.mp4",
			"jobstore count --status failed --since 24h",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := query.query(time.Now())
			if err != nil {
				return err
			}
			return withSource(cmd, reading, func(jobs source) error {
				n, err := jobs.Count(cmd.Context(), q)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), n)
				return err
			})
		},
	}
	query.addFilter(cmd)
	query.addRange(cmd)
	return cmd
}
