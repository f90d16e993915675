package command

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

func newCompact() *cobra.Command {
	var path string
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
			if cmd.Flags().Changed("output") {
				if err := requireNew("output", path); err != nil {
					return err
				}
				return compactTo(cmd, path)
			}
			return compactInPlace(cmd)
		},
	}
	cmd.Flags().StringVarP(&path, "output", "o", "", "write to this new `file` instead, and leave the store alone")
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
	return writeCompacted(cmd, before, after, free)
}

func compactTo(cmd *cobra.Command, path string) error {
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
	if err := jobstore.Compact(cmd.Context(), path, databasePath(cmd), bars.report); err != nil {
		return explainLock(err)
	}
	bars.clear()
	made, err := os.Stat(path)
	if err != nil {
		return err
	}
	return writeCompacted(cmd, old.Size(), made.Size(), free)
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

func writeCompacted(cmd *cobra.Command, before, after int64, free string) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "before  %d bytes, %s\nafter   %d bytes\n", before, free, after)
	return err
}
