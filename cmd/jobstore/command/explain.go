package command

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newExplain() *cobra.Command {
	var query queryFlags
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Show how a page of jobs is read and what that costs",
		Long: `Show how a page of jobs is read and what that costs. The page is read; the
figures are counted in doing so.`,
		Example: examples(
			"jobstore explain",
			"jobstore explain --kind video --status failed,cancelled",
			"jobstore explain --input https://example.com/video.mp4 --order asc",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := query.query(time.Now())
			if err != nil {
				return err
			}
			return withSource(cmd, reading, func(jobs source) error {
				plan, err := jobs.Explain(cmd.Context(), q)
				if err != nil {
					return err
				}
				most := plan.Returned + plan.Skipped + 1 + 2*plan.Branches
				_, err = fmt.Fprintf(cmd.OutOrStdout(), `call      %s
index     %s
branches  %d
matches   %d
examined  %d, of at most %d
fetched   %d
returned  %d
`, httpCall(q), printable(plan.Index), plan.Branches, plan.Matches, plan.Examined, most, plan.Fetched, plan.Returned)
				return err
			})
		},
	}
	query.addFilter(cmd)
	query.addLimit(cmd)
	query.addRange(cmd)
	return cmd
}

// httpCall returns the list call that q stands for, as the API has it.
func httpCall(q jobstore.Query) string {
	if values := q.Values(); len(values) > 0 {
		return "/jobs?" + values.Encode()
	}
	return "/jobs"
}
