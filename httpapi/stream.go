package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/jobstore/jobstore"
)

// A stream is an answer of which nobody knows how long it takes: lines, each a
// JSON object, of which the last is the outcome. A stream that ends without one, or
// that ends with an error, ends with a broken connection too, so that a client
// which does not read the lines is told as well.
//
// It begins with its first line. What fails before that is refused as everywhere.
type stream struct {
	*response
	stop context.Context // ends when the server is to stop
	told time.Time       // when there was progress last
}

// lineTimeout is how long a client may take to read a line.
const lineTimeout = 10 * time.Second

// progressEvery is the least time between two lines that tell of progress.
const progressEvery = 100 * time.Millisecond

// A line is one of a stream.
type line struct {
	Progress *progress `json:"progress,omitempty"`
	Problem  *problem  `json:"problem,omitempty"`
	Outcome  *outcome  `json:"outcome,omitempty"`
}

type progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

type problem struct {
	Bucket string      `json:"bucket"`
	ID     jobstore.ID `json:"id,omitempty"`
	Detail string      `json:"detail"`
}

// An outcome is what was done, and what ended it if that was an error.
type outcome struct {
	Problems *int64   `json:"problems,omitempty"`
	Deleted  *int64   `json:"deleted,omitempty"`
	Jobs     *int64   `json:"jobs,omitempty"`
	Error    *failure `json:"error,omitempty"`
}

// stream makes the answer a stream. What it tells of runs in the context that it
// returns, which ends with ctx, with the server, and when done is called.
func (w *response) stream(ctx context.Context) (s *stream, until context.Context, done func()) {
	s = &stream{response: w, stop: stopping(ctx)}
	ctx, cancel := context.WithCancel(ctx)
	release := context.AfterFunc(s.stop, cancel)
	callOff := w.hurryOnStop(w.control().SetWriteDeadline)
	return s, ctx, func() {
		release()
		callOff()
		cancel()
	}
}

func (s *stream) begun() bool { return s.status != 0 }

// begin sends the header, unless that has been sent.
func (s *stream) begin() {
	if s.begun() {
		return
	}
	header := s.Header()
	header.Set("Content-Type", "application/x-ndjson")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // so that nginx passes lines on as they come
	s.status = http.StatusOK
	s.WriteHeader(s.status)
}

// send sends a line at once. That nobody reads it ends the request's context.
func (s *stream) send(l line) {
	text, err := json.Marshal(l)
	if err == nil {
		s.sendText(append(text, '\n'))
		err = s.control().Flush()
	}
	if err != nil && s.err == nil {
		s.err = err
	}
}

// sendText sends text, which is lines.
func (s *stream) sendText(text []byte) {
	s.begin()
	// The server's time-out is for a whole answer, this one is for a part of it.
	if s.stop.Err() == nil {
		_ = s.control().SetWriteDeadline(time.Now().Add(lineTimeout))
	}
	_, _ = s.Write(text) // which remembers its error
}

func (s *stream) progress(done, total int64) {
	if now := time.Now(); now.Sub(s.told) >= progressEvery {
		s.told = now
		s.send(line{Progress: &progress{done, total}})
	}
}

func (s *stream) problem(p jobstore.Problem) {
	s.send(line{Problem: (*problem)(&p)})
}

// end sends the outcome, or returns err for a refusal while nothing has been done.
func (s *stream) end(o outcome, err error) error {
	if err != nil && s.stop.Err() != nil && s.request.Context().Err() == nil {
		err = errStopping
	}
	if err != nil && !s.begun() && (o.Deleted == nil || *o.Deleted == 0) {
		return err
	}
	if err != nil {
		told := refusalOf(err)
		o.Error = &failure{told.kind, told.message}
		s.err, s.failed = errors.Join(err, s.err), true
	}
	s.send(line{Outcome: &o})
	return nil
}
