package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newBackup() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Copy the store to a new file, and check the copy",
		Long: `Copy the store, as it is at one moment, to a new file, which is a store too.

The copy is synced and read through as check does, and gets its name when it was
found sound; until then it has a temporary name beside it. With - it goes to
standard output, where nobody checks it: run check on what arrives.

A store that another process has open is copied by that process, with
Store.Backup of the library.`,
		Example: examples(
			"jobstore backup backup.db",
			"jobstore backup - | gzip > backup.db.gz",
		),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := args[0]
			if path == "-" {
				return withStore(cmd, reading, func(store *jobstore.Store) error {
					return streamBackup(cmd, store)
				})
			}
			if err := requireNew("file", path); err != nil {
				return err
			}
			return withStore(cmd, reading, func(store *jobstore.Store) error {
				bars := &stages{w: cmd.ErrOrStderr(), unit: "keys", bytes: "copy"}
				defer bars.clear()
				n, err := store.BackupFile(cmd.Context(), path, bars.report)
				if err != nil {
					return err
				}
				bars.clear()
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "backed up to %s: %s, checked\n", path, size(n))
				return err
			})
		},
	}
}

func streamBackup(cmd *cobra.Command, store *jobstore.Store) error {
	out := cmd.OutOrStdout()
	if isTerminal(out) {
		return fmt.Errorf("%w: a backup is no text for a terminal; name a file", jobstore.ErrInvalid)
	}
	stats, err := store.Stats(cmd.Context())
	if err != nil {
		return err
	}
	bar := newProgress(cmd.ErrOrStderr(), "copy", stats.FileBytes, "")
	defer bar.clear()
	_, err = store.Backup(cmd.Context(), &countingWriter{w: out, bar: bar})
	return err
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

// requireNew refuses the path of a file to be made if there is something at it.
func requireNew(field, path string) error {
	if path == "" {
		return &jobstore.FieldError{Field: field, Reason: "is missing"}
	}
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = &jobstore.FieldError{Field: field, Value: path, Reason: "exists already; name a new file"}
	}
	return err
}
