package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/jobstore/jobstore"
)

// A stream is an answer of which nobody knows how long it takes: lines, each a
// JSON object, of which the last is the outcome. Without that, it has broken off.
//
// It begins with its first line. What fails before that is refused as everywhere.
type stream struct {
	*exchange
	control *http.ResponseController
	told    time.Time // when there was progress last
}

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
	Problems *int64  `json:"problems,omitempty"`
	Deleted  *int64  `json:"deleted,omitempty"`
	Error    *failed `json:"error,omitempty"`
}

// failed is the body that a refusal would have had.
type failed struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// stream makes the answer of x a stream.
func (x *exchange) stream() *stream {
	return &stream{exchange: x, control: http.NewResponseController(x.ResponseWriter)}
}

func (s *stream) begun() bool { return s.status != 0 }

// send sends a line. That nobody reads it ends the request's context.
func (s *stream) send(l line) {
	if !s.begun() {
		header := s.Header()
		header.Set("Content-Type", "application/x-ndjson")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		s.status = http.StatusOK
		s.WriteHeader(s.status)
	}
	text, err := json.Marshal(l)
	if err == nil {
		// The server's time-out is for a whole answer, this one is for a line.
		_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout))
		var n int
		n, err = s.Write(append(text, '\n'))
		s.bytes += n
	}
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil && s.err == nil {
		s.err = err
	}
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
	if err != nil && !s.begun() && (o.Deleted == nil || *o.Deleted == 0) {
		return err
	}
	if err != nil {
		told := refusalOf(err)
		o.Error = &failed{told.kind, told.message}
		s.err = errors.Join(err, s.err)
	}
	s.send(line{Outcome: &o})
	return nil
}
