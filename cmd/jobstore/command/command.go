// Package command is the command line of jobstore, one file a command. It keeps
// nothing between calls of Main, so that tests run it in their own process.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/client"
)

// Exit codes of Main.
const (
	exitOK          = 0
	exitFailure     = 1   // the command was understood and could not do it
	exitUsage       = 2   // the command, a flag or a value given with it is wrong
	exitInterrupted = 130 // ctx ended: Ctrl-C, or a signal that asks to end
)

// Main runs the command line args, without the name of the program, and returns
// the exit code. What goes wrong is one line on stderr. When ctx ends, the
// command stops at the next point where nothing is left half done.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)

	// Whatever fails before a command runs is a mistake in the call.
	running := false
	for _, c := range root.Commands() {
		run := c.RunE
		c.RunE = func(cmd *cobra.Command, args []string) error {
			running = true
			return run(cmd, args)
		}
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	stopped := ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)))
	if stopped {
		err = interruptionOf(err)
	}
	_, _ = fmt.Fprintln(stderr, "jobstore: "+oneLine(err))
	if stopped {
		return exitInterrupted
	}
	if !running || errors.Is(err, jobstore.ErrInvalid) {
		return exitUsage
	}
	return exitFailure
}

// An interruption is what is said of a command that was interrupted.
type interruption string

func (i interruption) Error() string { return string(i) }

func (interruption) Unwrap() error { return context.Canceled }

// interruptionOf returns what is said of err, which ended an interrupted command.
func interruptionOf(err error) error {
	if said, ok := errors.AsType[interruption](err); ok {
		return said
	}
	if errors.Is(err, client.ErrOutcomeUnknown) {
		return interruption("interrupted; " + client.ErrOutcomeUnknown.Error())
	}
	return interruption("interrupted")
}

// after returns err with what had been done when it came, in the exit code that err
// has.
func after(err error, format string, args ...any) error {
	done := fmt.Sprintf(format, args...)
	if errors.Is(err, context.Canceled) {
		return interruption("interrupted; " + done)
	}
	return fmt.Errorf("%w; %s", err, done)
}

// oneLine returns the text of err as one line that a terminal can be shown, without
// the prefix that each of the library's errors has: one such prefix is enough.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return printable(strings.ReplaceAll(strings.Join(lines, " "), "jobstore: ", ""))
}

// number returns n with the name of what is counted, such as 1 job or 2 jobs.
func number[N int | int64](n N, name string) string {
	return fmt.Sprintf("%d %s", n, plural(n, name))
}

// plural returns the name of n things.
func plural[N int | int64](n N, name string) string {
	if n == 1 {
		return name
	}
	return name + "s"
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "jobstore",
		Short: "List, change and move the media jobs of a store",
		Long: `jobstore works on a store of media jobs, which is one file.

The file is named by --db, or else by $JOBSTORE_DB, or else it is jobs.db.
Commands that only read open it for reading and never make one. A store that a
server has open (jobstore serve) is reached through it: commands that read or
write jobs take --url in the place of --db.

Exit codes are 0 when it is done, 1 for a failure, 2 for a mistake in the call
and 130 after Ctrl-C.`,
		Example: examples(
			"jobstore import examples/jobs.ndjson",
			"jobstore list --kind video --limit 10",
			"jobstore list --status failed --since 24h",
			"jobstore demo --jobs 1000",
		),
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(explainFlag)
	addDatabaseFlag(root)
	serve := newServe()
	addTokenFlag(serve)
	root.AddCommand(
		newBackup(), newCompact(), newReindex(), newSalvage(),
		newDemo(), serve, newVersion(),
	)
	for _, cmd := range []*cobra.Command{
		newList(), newGet(), newCreate(), newUpdate(), newDelete(),
		newCount(), newStats(), newExplain(), newCheck(),
		newImport(), newExport(), newPrune(),
	} {
		addServerFlags(cmd)
		root.AddCommand(cmd)
	}
	return root
}

// examples lays out lines as cobra's help wants them. A test runs every one.
func examples(lines ...string) string {
	return "  " + strings.Join(lines, "\n  ")
}
