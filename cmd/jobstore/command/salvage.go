package command

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newSalvage() *cobra.Command {
	var path string
	var force bool
	cmd := &cobra.Command{
		Use:   "salvage FILE",
		Short: "Read the jobs that still can be read out of a damaged file",
		Long: `Read the jobs that still can be read out of a damaged file, and write them as
NDJSON, which import takes. The file is not changed, and need not open as a store.

What was found is said on standard error: how many jobs, how many of them may
have been deleted or be out of date, how many lack their tasks, and how many bytes
could not be read. The exit code is 0 when that was done, however little it was.`,
		Example: examples(
			"jobstore salvage jobs.db > saved.ndjson",
			"jobstore salvage jobs.db -o saved.ndjson --force",
			"jobstore salvage jobs.db | jobstore import --db saved.db -",
		),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := outputTarget(cmd, path, force, args[0])
			if err != nil {
				return err
			}
			return salvage(cmd, args[0], to)
		},
	}
	addOutputFlags(cmd, &path, &force, "write to this `file`; - is standard output")
	return cmd
}

func salvage(cmd *cobra.Command, from string, to *target) error {
	bars := &stages{w: cmd.ErrOrStderr(), unit: "jobs", bytes: "scan"}
	defer bars.clear()
	var report jobstore.SalvageReport
	err := to.write(func(w io.Writer) (err error) {
		report, err = salvageTo(cmd.Context(), from, jsonOutput(w), bars.report)
		return err
	})
	bars.clear()
	if err != nil {
		return explainLock(err)
	}
	return writeSalvaged(cmd.ErrOrStderr(), report)
}

// salvageTo gathers what Salvage writes, which is one line at a time.
func salvageTo(ctx context.Context, from string, w io.Writer, progress jobstore.Progress) (jobstore.SalvageReport, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	report, err := jobstore.Salvage(ctx, from, out, progress)
	if err == nil {
		err = out.Flush()
	}
	return report, err
}

// writeSalvaged says what was found. What is zero and no news is left out.
func writeSalvaged(w io.Writer, r jobstore.SalvageReport) error {
	text := fmt.Sprintf("salvaged %s\n", number(r.Jobs, "job"))
	for _, line := range []struct {
		n    int64
		what string
	}{
		{r.Uncertain, "of them may have been deleted, or have changed since"},
		{r.TasksLost, "of them without tasks, which are damaged"},
		{r.Older, plural(r.Older, "older version") + " passed over"},
		{r.Damaged, plural(r.Damaged, "damaged record") + " found"},
	} {
		if line.n > 0 {
			text += fmt.Sprintf("%d %s\n", line.n, line.what)
		}
	}
	_, err := fmt.Fprintf(w, "%s%d of %s could not be read\n", text, r.UnreadBytes, number(r.FileBytes, "byte"))
	return err
}
