package httpapi_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

var allJobs = jobstore.Query{Limit: jobstore.MaxLimit}

// serve serves h with Serve until the end of the test and returns the address.
func serve(t *testing.T, h http.Handler) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- httpapi.Serve(ctx, l, h, nil) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	return l.Addr().String()
}

// TestServeFinishes stops the server while it has a request: that one is
// answered, and a later one finds nobody.
func TestServeFinishes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	slow := newSlowStore(openStore(t))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- httpapi.Serve(ctx, l, httpapi.New(slow, nil), nil) }()

	url := "http://" + l.Addr().String() + "/jobs"
	answers := make(chan answer, 1)
	go func() { answers <- do(t, "POST", url, good) }()
	<-slow.entered
	stop()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond, "the listener is closed")
	select {
	case err := <-ended:
		require.Fail(t, "ended with a request in hand", "%v", err)
	default:
	}
	slow.leave <- nil
	got := <-answers
	assert.Equal(t, http.StatusCreated, got.StatusCode)
	assert.NoError(t, <-ended)
	_, err = slow.Get(t.Context(), got.job(t).ID)
	assert.NoError(t, err)
}

func TestServeListenerFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	assert.ErrorIs(t, httpapi.Serve(context.Background(), l, http.NotFoundHandler(), nil), net.ErrClosed)
}
