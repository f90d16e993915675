package command

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/client"
)

const (
	urlFlag       = "url"
	tokenFlag     = "token"
	tokenVariable = "JOBSTORE_TOKEN"
)

// addServerFlags adds the flags by which a command asks a server.
func addServerFlags(cmd *cobra.Command) {
	cmd.Flags().String(urlFlag, "", "`address` of a server to ask instead of a file, such as http://127.0.0.1:8080")
	complete(cmd, urlFlag)
	addTokenFlag(cmd)
	inherited := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed(urlFlag) && cmd.Flags().Changed(databaseFlag) {
			return invalidFlags("--" + databaseFlag + " and --" + urlFlag + " name two stores; give one of them")
		}
		if cmd.Flags().Changed(urlFlag) && serverURL(cmd) == "" {
			return &jobstore.FieldError{Field: urlFlag, Reason: "is missing"}
		}
		return inherited(cmd, args)
	}
}

func addTokenFlag(cmd *cobra.Command) {
	cmd.Flags().String(tokenFlag, "", "`token` of the server; $"+tokenVariable+" sets the default")
	complete(cmd, tokenFlag)
}

// invalidFlags returns an error of usage.
func invalidFlags(text string) error { return fmt.Errorf("%w: %s", jobstore.ErrInvalid, text) }

// explainFlag says of a flag that a command does not have and others do, why.
func explainFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if ok && (unknown.GetSpecifiedName() == urlFlag || unknown.GetSpecifiedName() == tokenFlag) && cmd.HasParent() {
		why := cmd.Name() + " works on a file itself, and no server does it"
		if cmd.Name() == "version" {
			why = "it is the version of this program"
		}
		return &jobstore.FieldError{Field: unknown.GetSpecifiedName(), Reason: "cannot be used here: " + why}
	}
	return err
}

// serverURL returns the address of the server to ask, or "" for a file.
func serverURL(cmd *cobra.Command) string {
	if flag := cmd.Flag(urlFlag); flag != nil {
		return flag.Value.String()
	}
	return ""
}

// tokenOf returns the token that was given. The variable is not the default of
// the flag, as help prints defaults. A line end behind the token, which a file
// that it was read from has, is no part of it.
func tokenOf(cmd *cobra.Command) string {
	token := cmd.Flag(tokenFlag).Value.String()
	if token == "" {
		token = os.Getenv(tokenVariable)
	}
	return strings.TrimRight(token, "\r\n")
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
	if serverURL(cmd) != "" {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		return fn(c)
	}
	err := withStore(cmd, how, func(store *jobstore.Store) error { return fn(store) })
	if errors.Is(err, jobstore.ErrLocked) {
		err = fmt.Errorf("%w; if it is a server, give its address with --%s", err, urlFlag)
	}
	return err
}

// newClient returns a client for the server that --url names.
func newClient(cmd *cobra.Command) (*client.Client, error) {
	return client.New(serverURL(cmd), &client.Options{Token: tokenOf(cmd)})
}

// sourceName returns how messages call the source.
func sourceName(cmd *cobra.Command) string {
	if serverURL(cmd) != "" {
		if c, err := newClient(cmd); err == nil {
			return c.String()
		}
	}
	return databasePath(cmd)
}
