package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

func newStats() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Print figures about the store",
		Example: examples(
			"jobstore stats",
			"jobstore stats --json",
			"jobstore stats --url http://127.0.0.1:8080 --token secret",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSource(cmd, reading, func(jobs source) error {
				stats, err := jobs.Stats(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return writeStatsJSON(cmd.OutOrStdout(), stats)
				}
				return writeStats(cmd.OutOrStdout(), stats)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the figures as a JSON object, sizes in bytes")
	return cmd
}

func writeStatsJSON(w io.Writer, stats jobstore.Stats) error {
	text, err := json.Marshal(httpapi.StatsOf(stats))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

func writeStats(w io.Writer, stats jobstore.Stats) error {
	var b strings.Builder
	row := func(name string, jobs int64) {
		share := 0.0
		if stats.Jobs > 0 {
			share = 100 * float64(jobs) / float64(stats.Jobs)
		}
		fmt.Fprintf(&b, "  %-14s %12s %5.1f%%\n", name, humanize.Comma(jobs), share)
	}
	fmt.Fprintf(&b, "jobs    %s\n", humanize.Comma(stats.Jobs))
	fmt.Fprintf(&b, "file    %s, %s\n", size(stats.FileBytes), freeShare(stats))
	fmt.Fprintf(&b, "format  %d\n", stats.Format)
	b.WriteString("by kind\n")
	for _, kind := range kinds {
		row(kind.String(), stats.ByKind[kind])
	}
	b.WriteString("by status\n")
	for _, status := range statuses {
		row(status.String(), stats.ByStatus[status])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// size returns a number of bytes as people read it, such as 12 MiB.
func size(bytes int64) string { return humanize.IBytes(uint64(max(0, bytes))) }

// freeShare says how much of the file is free, such as 3.1 MiB (26%) of it free.
func freeShare(stats jobstore.Stats) string {
	share := 0.0
	if stats.FileBytes > 0 {
		share = 100 * float64(stats.FreeBytes) / float64(stats.FileBytes)
	}
	return fmt.Sprintf("%s (%.0f%%) of it free", size(stats.FreeBytes), share)
}
