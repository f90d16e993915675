package command

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

const (
	urlFlag       = "url"
	tokenFlag     = "token"
	tokenVariable = "JOBSTORE_TOKEN"
)

func addServerFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.String(urlFlag, "", "`address` of a server to ask instead of a file, such as http://127.0.0.1:8080")
	flags.String(tokenFlag, "", "`token` of the server; $"+tokenVariable+" sets the default")
	root.MarkFlagsMutuallyExclusive(databaseFlag, urlFlag)
	complete(root, urlFlag)
	complete(root, tokenFlag)
}

func serverURL(cmd *cobra.Command) string { return cmd.Flag(urlFlag).Value.String() }

// tokenOf returns the token that was given. The variable is not the default of
// the flag, as help prints defaults.
func tokenOf(cmd *cobra.Command) string {
	if token := cmd.Flag(tokenFlag).Value.String(); token != "" {
		return token
	}
	return os.Getenv(tokenVariable)
}

// A source is where a command finds jobs: a store in a file, or a server. Its
// methods are those of jobstore.Store.
type source interface {
	List(context.Context, jobstore.Query) (jobstore.Page, error)
	All(context.Context, jobstore.Query) iter.Seq2[jobstore.Job, error]
	Count(context.Context, jobstore.Query) (int64, error)
	Get(context.Context, jobstore.ID) (jobstore.Job, error)
	Create(context.Context, ...*jobstore.Job) error
	Update(context.Context, jobstore.ID, func(*jobstore.Job) error) (jobstore.Job, error)
	Delete(context.Context, ...jobstore.ID) (deleted int, err error)
	Put(context.Context, ...*jobstore.Job) error
	Prune(context.Context, jobstore.PruneOptions) (deleted int64, err error)
	Stats(context.Context) (jobstore.Stats, error)
	Explain(context.Context, jobstore.Query) (jobstore.Plan, error)
	CheckProgress(ctx context.Context, progress func(done, total int64)) iter.Seq2[jobstore.Problem, error]
}

// withSource runs fn on the server that --url names, or else on the store that
// --db names.
func withSource(cmd *cobra.Command, how access, fn func(source) error) error {
	if address := serverURL(cmd); address != "" {
		r, err := newRemote(address, tokenOf(cmd))
		if err != nil {
			return err
		}
		return fn(r)
	}
	err := withStore(cmd, how, func(store *jobstore.Store) error { return fn(store) })
	if errors.Is(err, jobstore.ErrLocked) {
		err = fmt.Errorf("%w; if it is a server, give its address with --%s", err, urlFlag)
	}
	return err
}

// sourceName returns how messages call the source.
func sourceName(cmd *cobra.Command) string {
	if address, err := url.Parse(serverURL(cmd)); err == nil && address.Host != "" {
		return address.Redacted()
	}
	return databasePath(cmd)
}
