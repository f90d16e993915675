package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newReindex() *cobra.Command {
	var options jobstore.ReindexOptions
	cmd := &cobra.Command{
		Use:   "reindex",
		Short: "Build the indexes and the counters anew from the records",
		Long: `Build the indexes and the counters anew from the records, and print what was
found. This mends what check finds in kind, status, input and counts.

It goes on where the last reindex was cut short: Ctrl-C, and also a crash, leave
the store as good as it was. A damaged record stays as it is and gets no index
entries, or with --discard is removed; with any, the exit code is 1. salvage may
find an older version of it: run that first.`,
		Example: examples(
			"jobstore reindex",
			"jobstore reindex --discard",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, changing, func(store *jobstore.Store) error {
				bars := &stages{w: cmd.ErrOrStderr(), unit: "jobs"}
				defer bars.clear()
				options.Progress = bars.report
				report, err := store.Reindex(cmd.Context(), options)
				if err != nil {
					return err
				}
				bars.clear()
				if err := writeReindexReport(cmd.OutOrStdout(), report, options.Discard); err != nil {
					return err
				}
				if report.Damaged > 0 {
					return fmt.Errorf("%s has damaged records: %d", databasePath(cmd), report.Damaged)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&options.Discard, "discard", false, "remove the records that cannot be read")
	return cmd
}

func writeReindexReport(w io.Writer, report jobstore.ReindexReport, discarded bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "reindexed %s\n", number(report.Jobs, "job"))
	if report.Detached {
		b.WriteString("the old indexes had pages that cannot be read; the next open takes them back\n")
	}
	if report.Damaged > 0 {
		what := "damaged"
		if discarded {
			what = "discarded"
		}
		for _, id := range report.DamagedIDs {
			fmt.Fprintf(&b, "%s: %s\n", what, printable(string(id)))
		}
		if more := report.Damaged - int64(len(report.DamagedIDs)); more > 0 {
			fmt.Fprintf(&b, "%s: %d more\n", what, more)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
