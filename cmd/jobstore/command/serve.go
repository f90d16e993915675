package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

func newServe() *cobra.Command {
	var addr, tokenFile, baseURL string
	var proxies []string
	var readOnly, health bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer the jobs API over HTTP",
		Long: `Answer the jobs API over HTTP, until it is interrupted or its terminal goes
away: then it takes no more requests and finishes those it has.

Beside the API, which /openapi.json describes, there are /healthz, which answers
200 while the store can be used, /metrics for Prometheus, and /store, by which
other commands get at the store with --url.

Clients must send the token that --token, --token-file or $` + tokenVariable + ` gives. It
can be left out where the address is this machine's own (loopback); then only
requests that name this machine as their host are answered, so that no web page
gets at the jobs through a name of its own.

Behind a proxy that ends TLS or takes a prefix off the paths, --base-url says
where clients find the API, or --trusted-proxy names the proxies whose
Forwarded and X-Forwarded-* headers say so.`,
		Example: examples(
			"jobstore serve",
			"jobstore serve --addr 127.0.0.1:8080 --read-only",
			"jobstore serve --addr 127.0.0.1:8080 --token secret",
			"jobstore serve --base-url https://api.example.com/media",
			"jobstore serve --trusted-proxy 127.0.0.1 --trusted-proxy 10.0.0.0/8",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if health {
				return checkHealth(cmd.Context(), addr)
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			api := httpapi.Options{Logger: log}
			var err error
			if api.Token, err = serverToken(cmd, tokenFile); err != nil {
				return err
			}
			if api.BaseURL, err = parseBaseURL(baseURL); err != nil {
				return err
			}
			if api.TrustedProxies, err = parseProxies(proxies); err != nil {
				return err
			}
			ctx, release := untilHangup(cmd.Context())
			defer release()
			l, err := listen(ctx, addr, api.Token)
			if err != nil {
				return err
			}
			defer func() { _ = l.Close() }()
			how := creating
			if readOnly {
				how = reading
			}
			m := newMetrics()
			options := jobstore.Options{Logger: log}
			m.hook(&options)
			return withOptions(cmd, how, options, func(store *jobstore.Store) error {
				held, err := holdFile(store, databasePath(cmd))
				if err != nil {
					return err
				}
				defer held.letGo()
				m.watch(held)
				defer limitMemory()()
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "listening on http://%s\n", l.Addr()); err != nil {
					return err
				}
				return httpapi.Serve(ctx, l, newSite(held, m, api), log)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&addr, "addr", "127.0.0.1:8080", "`host:port` to listen on")
	flags.BoolVar(&readOnly, "read-only", false, "open the store for reading alone, beside other readers")
	flags.StringVar(&tokenFile, "token-file", "", "`file` that holds the token, without its line end")
	flags.StringVar(&baseURL, "base-url", "", "`URL` under which clients find the API, for the links in answers")
	flags.StringSliceVar(&proxies, "trusted-proxy", nil, "`addresses` of proxies whose Forwarded and X-Forwarded-* headers are believed, such as 10.0.0.0/8")
	flags.BoolVar(&health, "health", false, "ask the server at --addr whether it is healthy, and exit with 1 if it is not")
	cmd.MarkFlagsMutuallyExclusive("base-url", "trusted-proxy")
	for _, flag := range []string{"addr", "base-url", "trusted-proxy"} {
		complete(cmd, flag)
	}
	return cmd
}

// untilHangup returns a context that ends with ctx, or when the terminal that the
// server was started from goes away, unless that is to be ignored (nohup). A reader
// of its log that goes away ends nothing.
func untilHangup(ctx context.Context) (until context.Context, release func()) {
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	stop := context.CancelFunc(func() {})
	if !signal.Ignored(syscall.SIGHUP) {
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
	}
	return ctx, func() {
		stop()
		signal.Stop(pipes)
	}
}

// memoryOfServer is how many bytes the Go runtime is to keep to, beside what the
// process has when it starts to serve: what requests may hold, and half as much for
// what is not collected yet.
const memoryOfServer = (httpapi.DefaultMaxMemory + httpapi.DefaultMaxOperatorMemory) * 3 / 2

// limitMemory makes the runtime collect garbage earlier when requests hold much,
// unless $GOMEMLIMIT says what it is to do. The function that it returns undoes that.
func limitMemory() (undo func()) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before := debug.SetMemoryLimit(int64(stats.Sys) + memoryOfServer)
	return func() { debug.SetMemoryLimit(before) }
}

// serverToken returns the token that clients must have, or "". One that is given and
// turns out to be empty is refused: it would let everybody in.
func serverToken(cmd *cobra.Command, file string) (string, error) {
	token, from := tokenOf(cmd), tokenFlag
	given := token != "" || cmd.Flag(tokenFlag).Changed
	if file != "" {
		if cmd.Flag(tokenFlag).Changed {
			return "", &jobstore.FieldError{Field: tokenFlag, Reason: "and token-file cannot be used together"}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		token, from, given = string(text), "token-file", true
	}
	token = strings.TrimRight(token, "\r\n")
	if given && token == "" {
		return "", &jobstore.FieldError{Field: from, Reason: "is empty"}
	}
	if token != strings.Trim(token, " \t") || strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", &jobstore.FieldError{Field: from, Reason: "must be one line of ASCII without spaces around it, as a header has to carry it"}
	}
	return token, nil
}

// parseBaseURL reads the value of --base-url.
func parseBaseURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || len(text) > 256 {
		return nil, &jobstore.FieldError{
			Field: "base-url", Value: text, Reason: "must be http:// or https://, a host and perhaps a path, up to 256 bytes",
		}
	}
	return u, nil
}

// parseProxies reads the values of --trusted-proxy: addresses, or blocks of them.
func parseProxies(texts []string) (proxies []netip.Prefix, err error) {
	for _, text := range texts {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return nil, &jobstore.FieldError{
					Field: "trusted-proxy", Value: text, Reason: "must be an IP address or a block such as 10.0.0.0/8",
				}
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		proxies = append(proxies, prefix)
	}
	return proxies, nil
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
			Field: "token", Reason: "is required to listen on " + addr + ": set --token, --token-file or $" + tokenVariable,
		}
	}
	return l, nil
}

// checkHealth asks the server that listens on addr for /healthz.
func checkHealth(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return &jobstore.FieldError{Field: "addr", Value: addr, Reason: "must be host:port"}
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("the server answers " + resp.Status)
	}
	return nil
}
