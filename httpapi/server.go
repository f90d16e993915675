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
	shutdownGrace  = 30 * time.Second // for the store to finish what was begun when the server stops
	clientGrace    = time.Second      // for clients to send and to read the rest when the server stops
)

// Serve answers the requests that arrive at l with h, until ctx ends: then it
// takes no more, finishes those that it has, for at most 30 seconds, and returns
// nil. It closes l, and fails with the error of l.
//
// When ctx ends, a check or a prune is ended and says what it has done, and a
// client that has not sent its body or read its page gets one more second.
//
// It is an http.Server with time-outs and limits that suit this API. Services
// with a server of their own mount the handler there.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), stopKey{}, ctx)
		},
	}
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

// stopKey is the key of the context that ends when Serve is to stop.
type stopKey struct{}

// stopping returns the context that ends when the server of a request stops. It
// never ends at a server that is not Serve's.
func stopping(request context.Context) context.Context {
	if stop, ok := request.Value(stopKey{}).(context.Context); ok {
		return stop
	}
	return context.Background()
}

// hurryOnStop makes set end what the client does, a moment after the server is to
// stop. The function that it returns calls that off.
func (w *response) hurryOnStop(set func(time.Time) error) (calledOff func()) {
	callOff := context.AfterFunc(stopping(w.request.Context()), func() {
		_ = set(time.Now().Add(clientGrace))
	})
	return func() { callOff() }
}

// control returns what sets the time-outs of the request's connection.
func (w *response) control() *http.ResponseController {
	return http.NewResponseController(w.ResponseWriter)
}
