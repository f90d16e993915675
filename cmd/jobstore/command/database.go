package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

const (
	databaseFlag     = "db"
	databaseVariable = "JOBSTORE_DB"
	defaultDatabase  = "jobs.db"
)

func addDatabaseFlag(root *cobra.Command) {
	path := os.Getenv(databaseVariable)
	if path == "" {
		path = defaultDatabase
	}
	root.PersistentFlags().String(databaseFlag, path, "`file` of the store; $"+databaseVariable+" sets the default")
}

// An access is what a command means to do with the store.
type access int

const (
	reading  access = iota // beside other readers; changes nothing
	changing               // alone; the file must exist
	creating               // alone; the file is made when there is none
)

// withStore runs fn on the store that --db names, and closes it.
func withStore(cmd *cobra.Command, how access, fn func(*jobstore.Store) error) (err error) {
	return withOptions(cmd, how, jobstore.Options{}, fn)
}

// withOptions is withStore for a store that is opened with options.
func withOptions(cmd *cobra.Command, how access, options jobstore.Options, fn func(*jobstore.Store) error) (err error) {
	path := databasePath(cmd)
	_, err = os.Stat(path)
	missing := path != "" && errors.Is(err, fs.ErrNotExist)
	if missing && how != creating {
		return fmt.Errorf("there is no store at %s; --db or $%s names another file", path, databaseVariable)
	}
	options.ReadOnly = how == reading
	store, err := openStore(path, &options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	err = fn(store)
	if err != nil && missing {
		removeEmpty(store, path)
	}
	return err
}

// removeEmpty removes the file of a store that a failed command has made and put
// nothing in. It does so ahead of Close, while nobody else can open it.
func removeEmpty(store *jobstore.Store, path string) {
	n, err := store.Count(context.Background(), jobstore.Query{})
	if err == nil && n == 0 {
		if file, _, err := followLinks(path); err == nil && file != "" {
			_ = os.Remove(file)
		}
	}
}

func openStore(path string, options *jobstore.Options) (*jobstore.Store, error) {
	store, err := jobstore.Open(path, options)
	return store, explainLock(err)
}

// explainLock says of ErrLocked what it means.
func explainLock(err error) error {
	if errors.Is(err, jobstore.ErrLocked) {
		return fmt.Errorf("%w: another process has the store open", err)
	}
	return err
}

func databasePath(cmd *cobra.Command) string {
	return cmd.Flag(databaseFlag).Value.String()
}
