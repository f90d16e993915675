package command

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newList() *cobra.Command {
	var query queryFlags
	var asJSON, explain bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List a page of jobs, newest first",
		Long: `List a page of jobs, newest first.

A kind or status may be given several times, or as a comma-separated list, to
name a set. --after and --before are positions: the ID need not exist. --since
and --until look at the time inside the ID, so jobs whose IDs hold none are left
out by them.

At a terminal jobs come as a table, elsewhere as lines with tabs.`,
		Example: examples(
			"jobstore list",
			"jobstore list --kind video --limit 10",
			"jobstore list --status queued,processing --order asc",
			"jobstore list --status failed --since 7d --json",
			"jobstore list --since 2026-01-01 --until 2026-02-01 --explain",
			"jobstore list --after job_abc123 --limit 5",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			q, err := query.query(now)
			if err != nil {
				return err
			}
			return withStore(cmd, reading, func(store *jobstore.Store) error {
				page, err := store.List(cmd.Context(), q)
				if err != nil {
					return err
				}
				if asJSON {
					err = writePage(cmd.OutOrStdout(), page)
				} else {
					err = writeTable(cmd, q, page, now)
				}
				if err != nil || !explain {
					return err
				}
				plan, err := store.Explain(cmd.Context(), q)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.ErrOrStderr(), "plan:", plan)
				return err
			})
		},
	}
	query.addFilter(cmd)
	query.addLimit(cmd)
	query.addRange(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the jobs as a JSON array")
	cmd.Flags().BoolVar(&explain, "explain", false, "print on stderr how the page was read")
	return cmd
}

func writePage(w io.Writer, page jobstore.Page) error {
	out := newJobWriter(w, arrayFor(w))
	for i := range page.Jobs {
		if err := out.write(&page.Jobs[i]); err != nil {
			return err
		}
	}
	return out.close()
}

// writeTable prints the page, and to a reader the call for the one after it.
func writeTable(cmd *cobra.Command, q jobstore.Query, page jobstore.Page, now time.Time) error {
	g := grid{
		header:  []string{"id", "kind", "status", "input", "age", "duration"},
		right:   []int{4, 5},
		elastic: 3,
		fit:     snip,
	}
	for i := range page.Jobs {
		j := &page.Jobs[i]
		g.add(string(j.ID), j.Kind.String(), j.Status.String(), j.Input, jobAge(j, now), jobDuration(j, now))
	}
	if err := g.write(cmd.OutOrStdout()); err != nil {
		return err
	}
	next, ok := page.Next(q)
	if !ok || !isTerminal(cmd.OutOrStdout()) {
		return nil
	}
	_, err := fmt.Fprintln(cmd.ErrOrStderr(), "next page:", listCall(databasePath(cmd), next))
	return err
}

// jobAge returns how long ago j was created.
func jobAge(j *jobstore.Job, now time.Time) string {
	if j.CreatedAt.IsZero() {
		return "-"
	}
	return formatSpan(now.Sub(j.CreatedAt))
}

// jobDuration returns how long j has been worked on so far.
func jobDuration(j *jobstore.Job, now time.Time) string {
	switch {
	case j.StartedAt.IsZero():
		return "-"
	case !j.FinishedAt.IsZero():
		return formatSpan(j.FinishedAt.Sub(j.StartedAt))
	case j.Status == jobstore.StatusProcessing:
		return formatSpan(now.Sub(j.StartedAt))
	}
	return "-"
}

// listCall returns the command that lists q.
func listCall(database string, q jobstore.Query) string {
	call := []string{"jobstore", "list"}
	if database != defaultDatabase {
		call = append(call, "--"+databaseFlag, shellQuote(database))
	}
	values := q.Values()
	for _, name := range []string{"kind", "status", "input", "limit", "order", "after", "before"} {
		if given := values[name]; len(given) > 0 {
			call = append(call, "--"+name, shellQuote(strings.Join(given, ",")))
		}
	}
	return strings.Join(call, " ")
}

// shellQuote returns s as one word of a shell.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:,=@%+", r)
	}
	if s != "" && !slices.ContainsFunc([]rune(s), func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
