package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newList() *cobra.Command {
	var l lister
	var watch bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List a page of jobs, newest first",
		Long: `List a page of jobs, newest first.

A kind or status may be given several times, or as a comma-separated list, to
name a set. --after and --before are positions: the ID need not exist. --since
and --until look at the time inside the ID, so jobs whose IDs hold none are left
out by them.

At a terminal jobs come as a table, elsewhere as lines with tabs. $NO_COLOR
leaves out the colours.`,
		Example: examples(
			"jobstore list",
			"jobstore list --kind video --limit 10",
			"jobstore list --status queued,processing --order asc",
			"jobstore list --status failed --since 7d --json",
			"jobstore list --since 2026-01-01 --until 2026-02-01 --explain",
			"jobstore list --after job_abc123 --limit 5",
			"jobstore list --all --status failed --quiet",
			"jobstore list --watch --status processing",
			"jobstore list --url http://127.0.0.1:8080 --token secret --limit 5",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return l.watch(cmd)
			}
			return l.run(cmd)
		},
	}
	l.query.addFilter(cmd)
	l.query.addLimit(cmd)
	l.query.addRange(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&l.asJSON, "json", false, "print the jobs as a JSON array")
	flags.BoolVar(&l.asLines, "ndjson", false, "print the jobs as JSON, one a line")
	flags.BoolVarP(&l.quiet, "quiet", "q", false, "print the IDs alone")
	flags.BoolVar(&l.all, "all", false, "list every page")
	flags.BoolVar(&watch, "watch", false, "list the page again and again, until Ctrl-C")
	l.every = durationFlag{"every", 2 * time.Second}
	flags.Var(&l.every, "every", "`time` between two lists of --watch")
	flags.BoolVar(&l.explain, "explain", false, "print on stderr how the page was read")
	cmd.MarkFlagsMutuallyExclusive("json", "ndjson", "quiet")
	cmd.MarkFlagsMutuallyExclusive("limit", "all")
	cmd.MarkFlagsMutuallyExclusive("all", "watch", "explain")
	complete(cmd, "every")
	return cmd
}

// A lister is one run of the list command.
type lister struct {
	query                  queryFlags
	asJSON, asLines, quiet bool
	all, explain           bool
	every                  durationFlag
}

func (l *lister) run(cmd *cobra.Command) error {
	now := time.Now()
	q, err := l.query.query(now)
	if err != nil {
		return err
	}
	return withSource(cmd, reading, func(jobs source) error {
		if l.all {
			return l.pages(cmd.Context(), jobs, q, l.printer(interruptible(cmd.Context(), cmd.OutOrStdout()), now))
		}
		if !l.explain {
			return l.page(cmd, jobs, q, now)
		}
		plan, err := jobs.Explain(cmd.Context(), q)
		if err != nil {
			return err
		}
		if err := l.page(cmd, jobs, q, now); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.ErrOrStderr(), "plan:", printable(plan.String()))
		return err
	})
}

// page prints the page of q, and to a reader the call for the one after it.
func (l *lister) page(cmd *cobra.Command, jobs source, q jobstore.Query, now time.Time) error {
	page, err := jobs.List(cmd.Context(), q)
	if err != nil {
		return err
	}
	if err := printPage(l.printer(cmd.OutOrStdout(), now), page); err != nil {
		return err
	}
	next, ok := page.Next(q)
	if !ok || !isTerminal(cmd.OutOrStdout()) || l.asJSON || l.asLines || l.quiet {
		return nil
	}
	_, err = fmt.Fprintln(cmd.ErrOrStderr(), "next page:", listCall(cmd, next))
	return err
}

// pages prints every job of q.
func (l *lister) pages(ctx context.Context, jobs source, q jobstore.Query, p printer) error {
	for job, err := range jobs.All(ctx, q) {
		if err == nil {
			err = p.write(&job)
		}
		if err != nil {
			return err
		}
	}
	return p.close()
}

// A printer prints jobs in one of the ways of the list command.
type printer interface {
	write(*jobstore.Job) error
	close() error
}

func (l *lister) printer(w io.Writer, now time.Time) printer {
	switch {
	case l.asJSON:
		return newJobWriter(w, arrayFor(w))
	case l.asLines:
		return newJobWriter(w, lines)
	case l.quiet:
		return &idPrinter{newJobWriter(w, lines)}
	}
	return newJobTable(w, now)
}

func printPage(p printer, page jobstore.Page) error {
	for i := range page.Jobs {
		if err := p.write(&page.Jobs[i]); err != nil {
			return err
		}
	}
	return p.close()
}

// An idPrinter prints the IDs of jobs, one a line.
type idPrinter struct{ *jobWriter }

func (p *idPrinter) write(job *jobstore.Job) error {
	_, err := p.out.WriteString(string(job.ID) + "\n")
	return err
}

// listCall returns the command that lists q from where cmd does.
func listCall(cmd *cobra.Command, q jobstore.Query) string {
	call := []string{"jobstore", "list"}
	if address := serverURL(cmd); address != "" {
		call = append(call, "--"+urlFlag, shellQuote(address))
	} else if database := databasePath(cmd); database != defaultDatabase {
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

// shellQuote returns s as one word of a shell. What a terminal cannot be shown is
// written as the escapes of $'…'.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:,=@%+", r)
	}
	if s != "" && !slices.ContainsFunc([]rune(s), func(r rune) bool { return !plain(r) }) {
		return s
	}
	if shown := printable(s); shown != s {
		var b strings.Builder
		for _, c := range []byte(s) {
			if c >= ' ' && c <= '~' && c != '\'' && c != '\\' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		return "$'" + b.String() + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
