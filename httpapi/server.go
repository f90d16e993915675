package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The bounds within which Serve holds its clients.
const (
	headerTimeout  = 10 * time.Second // for a request's header to arrive
	readTimeout    = 30 * time.Second // for a whole request to arrive
	writeTimeout   = 60 * time.Second // from the end of the header to the end of the response
	idleTimeout    = 2 * time.Minute  // between two requests of a connection
	maxHeaderBytes = 32 << 10         // a URL of DefaultMaxURL, and the rest
	shutdownGrace  = 30 * time.Second // for requests that were begun when the server stops
)

// Serve answers the requests that arrive at l with h, until ctx ends: then it
// takes no more, finishes those that it has, for at most 30 seconds, and returns
// nil. It closes l, and fails with the error of l.
//
// It is an http.Server with time-outs and limits that suit this API. Services
// with a server of their own mount the handler there.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer done()
		err := server.Shutdown(grace)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		stopped <- err
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
