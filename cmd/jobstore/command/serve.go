package command

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

func newServe() *cobra.Command {
	var addr string
	var readOnly bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer the jobs API over HTTP",
		Long: `Answer the jobs API over HTTP, until it is interrupted: then it takes no more
requests and finishes those it has.

Beside the API, which /openapi.json describes, there are /healthz, which answers
200 while the store can be read, /metrics for Prometheus, and /store, by which
other commands get at the store with --url.

Clients must send the token that --token or $` + tokenVariable + ` gives. It can be left
out where the address is this machine's own (loopback); then only requests that
name this machine as their host are answered, so that no web page gets at the
jobs through a name of its own.`,
		Example: examples(
			"jobstore serve",
			"jobstore serve --addr 127.0.0.1:8080 --read-only",
			"jobstore serve --addr 127.0.0.1:8080 --token secret",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := refuseServer(cmd); err != nil {
				return err // before it listens
			}
			token := tokenOf(cmd)
			l, err := listen(cmd.Context(), addr, token)
			if err != nil {
				return err
			}
			defer func() { _ = l.Close() }()
			how := creating
			if readOnly {
				how = reading
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			m := newMetrics()
			options := jobstore.Options{Logger: log}
			m.hook(&options)
			return withOptions(cmd, how, options, func(store *jobstore.Store) error {
				m.watch(store)
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "listening on http://%s\n", l.Addr()); err != nil {
					return err
				}
				return httpapi.Serve(cmd.Context(), l, newSite(store, m, token, log), log)
			})
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "`host:port` to listen on")
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "open the store for reading alone, beside other readers")
	complete(cmd, "addr")
	return cmd
}

// listen listens on addr. Without a token it does so on a loopback address only.
func listen(ctx context.Context, addr, token string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if at, ok := l.Addr().(*net.TCPAddr); token == "" && (!ok || !at.IP.IsLoopback()) {
		_ = l.Close()
		return nil, &jobstore.FieldError{
			Field: "token", Reason: "is required to listen on " + addr + ": set --token or $" + tokenVariable,
		}
	}
	return l, nil
}

// newSite returns all that serve answers.
func newSite(store *jobstore.Store, m *metrics, token string, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if _, err := store.Count(r.Context(), jobstore.Query{}); err != nil {
			log.Error("store cannot be read", "error", err)
			http.Error(w, "the store cannot be read", http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", requireToken(token, m.handler()))
	mux.Handle("/store/", m.observe(httpapi.NewOperator(store, &httpapi.Options{Token: token, Logger: log})))
	mux.Handle("/", m.observe(httpapi.New(store, &httpapi.Options{Token: token, Logger: log})))
	if token == "" {
		return requireOwnHost(mux)
	}
	return mux
}

// requireToken keeps those from h who do not have the token, if there is one.
func requireToken(token string, h http.Handler) http.Handler {
	if token == "" {
		return h
	}
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "send the header Authorization: Bearer <token>", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// requireOwnHost keeps those from h who have reached this machine under a name
// that is not its own: a web page whose name was made to lead here.
func requireOwnHost(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOwnHost(r.Host) {
			http.Error(w, "without a token only requests to localhost are answered", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isOwnHost reports whether a Host header names this machine by what only it can
// be: localhost, or a loopback address.
func isOwnHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}
