package command

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newCount() *cobra.Command {
	var query queryFlags
	cmd := &cobra.Command{
		Use:   "count",
		Short: "Print the number of jobs that match a filter",
		Long: `Print the number of jobs that match a filter. By kind and status the store
knows it without looking at the jobs; by input it walks that input's index.`,
		Example: examples(
			"jobstore count",
			"jobstore count --kind video --status failed,cancelled",
			"jobstore count --input https://example.com/video.mp4",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := query.query(time.Now())
			if err != nil {
				return err
			}
			return withStore(cmd, reading, func(store *jobstore.Store) error {
				n, err := store.Count(cmd.Context(), q)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), n)
				return err
			})
		},
	}
	query.addFilter(cmd)
	return cmd
}
