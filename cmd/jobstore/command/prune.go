package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newPrune() *cobra.Command {
	var p pruneFlags
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete old jobs, and say how many there were",
		Long: `Delete the jobs that were created before a time, the oldest first, and say how
many there were: those that have succeeded, failed or been cancelled, unless
--status asks for others.

Up to 200 jobs are deleted in one step. Ctrl-C stops between two steps; what was
deleted by then stays deleted. The file does not get smaller: compact does that.`,
		Example: examples(
			"jobstore prune --older-than 30d --status succeeded,failed --dry-run",
			"jobstore prune --older-than 90d --kind video",
			"jobstore prune --before 2026-01-31 --status cancelled",
			"jobstore prune --older-than 30d --url http://127.0.0.1:8080 --token secret --dry-run",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := p.options(cmd, time.Now())
			if err != nil {
				return err
			}
			how := changing
			if options.DryRun {
				how = reading
			}
			return withSource(cmd, how, func(jobs source) error {
				return prune(cmd, jobs, options)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&p.olderThan, "older-than", "", "jobs created longer ago than this `age`: 90m, 24h or 30d")
	flags.StringVar(&p.before, "before", "", "jobs created before this `time`: 2026-01-31, 2026-01-31T12:00:00Z,\nUnix milliseconds, or an age")
	p.filter.add(cmd, "\n(default succeeded,failed,cancelled)")
	flags.BoolVar(&p.dryRun, "dry-run", false, "delete nothing, and say how many jobs it would be")
	cmd.MarkFlagsOneRequired("older-than", "before")
	cmd.MarkFlagsMutuallyExclusive("older-than", "before")
	complete(cmd, "older-than", "30d", "90d")
	complete(cmd, "before")
	return cmd
}

// pruneFlags are the flags of prune as they were given.
type pruneFlags struct {
	olderThan, before string
	filter            filterFlags
	dryRun            bool
}

// options returns what the flags ask for at the time now.
func (p *pruneFlags) options(cmd *cobra.Command, now time.Time) (jobstore.PruneOptions, error) {
	kind, status := p.filter.kinds.set, p.filter.statuses.set
	// An empty set means every status or kind for list. Here it is refused: it may be
	// a variable of a script that was never set, and would delete more than was meant.
	for flag, empty := range map[string]bool{"status": status == 0, "kind": kind == 0} {
		if empty && cmd.Flags().Changed(flag) {
			return jobstore.PruneOptions{}, &jobstore.FieldError{Field: flag, Reason: "is missing"}
		}
	}
	before, err := p.time(cmd, now)
	return jobstore.PruneOptions{
		Before: before, Status: status, Kind: kind, DryRun: p.dryRun,
	}, err
}

// time returns the time that jobs have to be older than.
func (p *pruneFlags) time(cmd *cobra.Command, now time.Time) (time.Time, error) {
	if !cmd.Flags().Changed("older-than") {
		return parseTime("before", p.before, now)
	}
	age, err := parseAge("older-than", p.olderThan)
	return now.Add(-age), err
}

func prune(cmd *cobra.Command, jobs source, options jobstore.PruneOptions) error {
	bars := &stages{w: cmd.ErrOrStderr(), unit: "jobs"}
	defer bars.clear()
	options.Progress = bars.report
	n, err := jobs.Prune(cmd.Context(), options)
	bars.clear()
	verb := "deleted"
	if options.DryRun {
		verb = "would delete"
	}
	if errors.Is(err, context.Canceled) && n == 0 && serverURL(cmd) != "" && !options.DryRun {
		return interruption("interrupted; the server stops too, and what it has deleted by now stays deleted")
	}
	if err != nil && n > 0 {
		return after(err, "%s %s", verb, number(n, "job"))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", verb, number(n, "job"))
	return err
}
