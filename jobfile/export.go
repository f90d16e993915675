package jobfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"strings"

	"github.com/jobstore/jobstore"
)

// A Source is what Export reads: a [jobstore.Store], or the client of a server.
type Source interface {
	All(context.Context, jobstore.Query) iter.Seq2[jobstore.Job, error]
	Get(context.Context, jobstore.ID) (jobstore.Job, error)
}

// Export returns the jobs that All returns, with their tasks. A job that is deleted
// meanwhile is left out, and so is one that q's filter no longer matches.
func Export(ctx context.Context, s Source, q jobstore.Query) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		for job, err := range s.All(ctx, q) {
			if err == nil {
				job, err = s.Get(ctx, job.ID) // All leaves the tasks out
				if errors.Is(err, jobstore.ErrNotFound) || err == nil && !Matches(&job, &q) {
					continue
				}
			}
			if !yield(job, err) || err != nil {
				return
			}
		}
	}
}

// Matches reports whether q's filter lets job through, wherever the cursors stand.
func Matches(job *jobstore.Job, q *jobstore.Query) bool {
	if q.Kind != 0 && job.Kind&q.Kind == 0 || q.Status != 0 && job.Status&q.Status == 0 {
		return false
	}
	if q.InputSHA256 != "" {
		sum := sha256.Sum256([]byte(job.Input))
		return strings.EqualFold(hex.EncodeToString(sum[:]), q.InputSHA256)
	}
	return q.Input == "" || job.Input == q.Input
}

// AppendLine appends job to dst as a line of NDJSON, without the line end behind
// it. Raw fields stand as they are, but for line ends between their tokens, each of
// which becomes a space.
func AppendLine(dst []byte, job *jobstore.Job) []byte {
	start := len(dst)
	dst = job.AppendJSON(dst)
	if bytes.IndexByte(dst[start:], '\n') < 0 && bytes.IndexByte(dst[start:], '\r') < 0 {
		return dst
	}
	kept, after := dst[:start], byte(0)
	for _, c := range dst[start:] {
		switch {
		case c == '\n' && after == '\r': // the two are one line end
		case c == '\n', c == '\r':
			kept = append(kept, ' ')
		default:
			kept = append(kept, c)
		}
		after = c
	}
	return kept
}
