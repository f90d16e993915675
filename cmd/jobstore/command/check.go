package command

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the whole store and print what is wrong with it",
		Long: `Read the whole store and print what is wrong with it, one problem a line: damaged
records, index entries without a record, records without an index entry,
counters that are off. With a problem the exit code is 1.`,
		Example: examples(
			"jobstore check",
			"jobstore check --url http://127.0.0.1:8080 --token secret",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSource(cmd, reading, func(jobs source) error {
				return check(cmd, jobs)
			})
		},
	}
}

func check(cmd *cobra.Command, jobs source) error {
	var bar *progress
	defer func() { bar.clear() }()
	problems := 0
	for problem, err := range jobs.CheckProgress(cmd.Context(), func(done, total int64) {
		if bar == nil {
			bar = newProgress(cmd.ErrOrStderr(), "checking", total, "keys")
		}
		bar.set(done)
	}) {
		if err != nil {
			return err
		}
		bar.clear()
		problems++
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), printable(problem.String())); err != nil {
			return err
		}
	}
	bar.clear()
	if problems > 0 {
		return fmt.Errorf("%s has problems: %d", sourceName(cmd), problems)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), "no problems")
	return err
}
