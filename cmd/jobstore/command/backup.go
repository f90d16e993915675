package command

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

// errTerminal is returned when a store would be written to a terminal.
var errTerminal = fmt.Errorf("%w: a store is no text for a terminal; name a file", jobstore.ErrInvalid)

func newBackup() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Copy the store to a new file, and check the copy",
		Long: `Copy the store, as it is at one moment, to a new file, which is a store too.

The copy is synced and read through as check does, and gets its name when it was
found sound; until then it has a temporary name beside it. It takes the place of
another file only with --force. With - it goes to standard output, and where FILE
is a pipe or a device, into that; then nobody checks it: run check on what
arrives.

A store that another process has open is copied by that process, with
Store.Backup of the library.`,
		Example: examples(
			"jobstore backup backup.db",
			"jobstore backup --force backup.db",
			"jobstore backup - | gzip > backup.db.gz",
		),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := newTarget(cmd, "file", args[0], force, databasePath(cmd))
			if err != nil {
				return err
			}
			return withStore(cmd, reading, func(store *jobstore.Store) error {
				if to.isStream() {
					return streamBackup(cmd, store, to)
				}
				return backup(cmd, store, to)
			})
		},
	}
	addForceFlag(cmd, &force)
	return cmd
}

func backup(cmd *cobra.Command, store *jobstore.Store, to *target) error {
	bars := &stages{w: cmd.ErrOrStderr(), unit: "keys", bytes: "copy"}
	defer bars.clear()
	var n int64
	err := to.make(func(path string) (err error) {
		n, err = store.BackupFile(cmd.Context(), path, bars.report)
		return err
	})
	if err != nil {
		return err
	}
	bars.clear()
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "backed up to %s: %s, checked\n", to.given, size(n))
	return err
}

func streamBackup(cmd *cobra.Command, store *jobstore.Store, to *target) error {
	if isTerminal(to.stream) {
		return errTerminal
	}
	stats, err := store.Stats(cmd.Context())
	if err != nil {
		return err
	}
	bar := newProgress(cmd.ErrOrStderr(), "copy", stats.FileBytes, "")
	defer bar.clear()
	return to.write(func(w io.Writer) error {
		_, err := store.Backup(cmd.Context(), &countingWriter{w: w, bar: bar})
		return err
	})
}

// A countingWriter shows how many bytes were written through it.
type countingWriter struct {
	w   io.Writer
	n   int64
	bar *progress
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.bar.set(c.n)
	return n, err
}
