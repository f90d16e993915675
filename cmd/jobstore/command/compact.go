package command

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newCompact() *cobra.Command {
	var path string
	var force bool
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Rewrite the store without its free pages",
		Long: `Rewrite the store without its free pages, and print how large it was and is.

The new file is written beside the old one, synced and read through as check
does, and then takes its place: whatever happens, the one or the other is there,
whole. The disk must have room for both. With --output the store stays as it is.

Free pages are not lost otherwise, as writes use them before the file grows.
stats says how many there are.`,
		Example: examples(
			"jobstore compact",
			"jobstore compact -o compacted.db",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("output") {
				return compactInPlace(cmd)
			}
			to, err := outputTarget(cmd, path, force, databasePath(cmd))
			if err != nil {
				return err
			}
			return compactTo(cmd, to)
		},
	}
	addOutputFlags(cmd, &path, &force, "write to this `file` instead, and leave the store alone; - is standard\noutput")
	return cmd
}

func compactInPlace(cmd *cobra.Command) error {
	// Only a store that is open for writing always knows its free pages.
	free, err := freeOf(cmd, changing)
	if err != nil {
		return err
	}
	bars := &stages{w: cmd.ErrOrStderr(), unit: "keys"}
	defer bars.clear()
	before, after, err := jobstore.CompactInPlace(cmd.Context(), databasePath(cmd), bars.report)
	if err != nil {
		return explainLock(err)
	}
	bars.clear()
	return writeCompacted(cmd.OutOrStdout(), before, after, free)
}

func compactTo(cmd *cobra.Command, to *target) error {
	if to.isStream() && isTerminal(to.stream) {
		return errTerminal
	}
	free, err := freeOf(cmd, reading)
	if err != nil {
		return err
	}
	old, err := os.Stat(databasePath(cmd))
	if err != nil {
		return err
	}
	bars := &stages{w: cmd.ErrOrStderr(), unit: "keys"}
	defer bars.clear()
	var made os.FileInfo
	err = to.make(func(path string) error {
		if err := jobstore.Compact(cmd.Context(), path, databasePath(cmd), bars.report); err != nil {
			return explainLock(err)
		}
		bars.clear()
		made, err = os.Stat(path)
		return err
	})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if to.isStream() {
		out = cmd.ErrOrStderr() // which the store did not go to
	}
	return writeCompacted(out, old.Size(), made.Size(), free)
}

// freeOf says how much of the store's file is free.
func freeOf(cmd *cobra.Command, how access) (free string, err error) {
	err = withStore(cmd, how, func(store *jobstore.Store) error {
		stats, err := store.Stats(cmd.Context())
		free = freeShare(stats)
		return err
	})
	return free, err
}

func writeCompacted(w io.Writer, before, after int64, free string) error {
	_, err := fmt.Fprintf(w, "before  %d bytes, %s\nafter   %d bytes\n", before, free, after)
	return err
}
