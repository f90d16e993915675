// Package command is the command line of jobstore, one file a command. It keeps
// nothing between calls of Main, so that tests run it in their own process.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

// Exit codes of Main.
const (
	exitOK      = 0
	exitFailure = 1 // the command was understood and could not do it
	exitUsage   = 2 // the command, a flag or a value given with it is wrong
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
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	_, _ = fmt.Fprintln(stderr, "jobstore: "+oneLine(err))
	if !running || errors.Is(err, jobstore.ErrInvalid) {
		return exitUsage
	}
	return exitFailure
}

// oneLine returns the text of err without line breaks and without the prefix
// that each of the library's errors has: one such prefix is enough.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.ReplaceAll(strings.Join(lines, " "), "jobstore: ", "")
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "jobstore",
		Short: "List, change and move the media jobs of a store",
		Long: `jobstore works on a store of media jobs, which is one file.

The file is named by --db, or else by $JOBSTORE_DB, or else it is jobs.db.
Commands that only read open it for reading and never make one. A store that a
server has open (jobstore serve) is reached through it: --url takes the place of
--db in every command that reads or writes jobs. Those that work on the file
itself do not have it: backup, compact, reindex and salvage. Exit codes are 0, 1
for a failure and 2 for a mistake in the call.`,
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
	addDatabaseFlag(root)
	addServerFlags(root)
	root.AddCommand(
		newList(), newGet(), newCreate(), newUpdate(), newDelete(),
		newCount(), newStats(), newExplain(), newCheck(),
		newImport(), newExport(), newServe(), newDemo(),
		newBackup(), newCompact(), newReindex(), newSalvage(), newPrune(),
	)
	return root
}

// examples lays out lines as cobra's help wants them. A test runs every one.
func examples(lines ...string) string {
	return "  " + strings.Join(lines, "\n  ")
}

// version returns the version that the module was built at.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
