package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobfile"
)

// exportChunk is how many bytes of an export are gathered before they are sent.
const exportChunk = 64 << 10

// export answers GET /store/jobs: a stream of jobs, with their tasks, one a line.
// The parameters are those of the list; the limit is ignored. The last line is the
// outcome.
//
// The jobs of a page are read again one by one, as a page has no tasks: so nothing
// but one job is held for a client that reads slowly.
func (o *operator) export(w *response) error {
	q, err := w.query()
	if err != nil {
		return err
	}
	return w.atStore(o.exports, func(ctx context.Context) error {
		s, ctx, done := w.stream(ctx)
		defer done()
		if w.request.Method == http.MethodHead {
			s.begin()
			return nil
		}
		x := &exporter{stream: s, store: o.store, chunk: make([]byte, 0, exportChunk)}
		err := x.run(ctx, q)
		if errors.Is(err, errNoReader) {
			return nil
		}
		if x.begun() || err == nil {
			x.sendText(x.chunk)
		}
		return s.end(outcome{Jobs: &x.jobs}, err)
	})
}

// errNoReader is the outcome of an export whose client does not read it. What the
// client has done stands in the response.
var errNoReader = errors.New("nobody reads the export")

// An exporter sends the jobs of an export.
type exporter struct {
	*stream
	store operated
	jobs  int64
	chunk []byte // lines that are not sent yet
}

// run sends the jobs that q selects, in its order. A Before alone would ask for the
// page next to it, so that the walk is ended there by hand.
func (x *exporter) run(ctx context.Context, q jobstore.Query) error {
	if _, err := x.reserve(x.api.memory.pages.small, 2*exportChunk); err != nil {
		return err
	}
	q.Limit = jobstore.MaxLimit
	end := q.Before
	if q.After == "" {
		q.Before = ""
	}
	for {
		ids, more, err := x.page(ctx, q)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if end != "" && (q.Order == jobstore.Asc) == (id >= end) {
				return nil
			}
			if err := x.job(ctx, id, &q); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		q.After, q.Before = ids[len(ids)-1], end
	}
}

// page returns the IDs of a page, which keep nothing else of it.
func (x *exporter) page(ctx context.Context, q jobstore.Query) (ids []jobstore.ID, more bool, err error) {
	working, err := x.reserve(x.api.memory.working, mostOfPage)
	if err != nil {
		return nil, false, err
	}
	defer x.giveBack(working)
	page, err := x.store.List(ctx, q)
	for i := range page.Jobs {
		ids = append(ids, jobstore.ID(strings.Clone(string(page.Jobs[i].ID))))
	}
	return ids, page.HasMore, err
}

// job sends the job, unless it was deleted or changed so that q does not match it any
// more.
func (x *exporter) job(ctx context.Context, id jobstore.ID, q *jobstore.Query) error {
	job, err := x.store.Get(ctx, id)
	if errors.Is(err, jobstore.ErrNotFound) || err == nil && !jobfile.Matches(&job, q) {
		return nil
	}
	if err != nil {
		return err
	}
	if size := 2 * sizeOf(&job); size > exportChunk {
		large, err := x.reserve(x.api.memory.pages.large, size)
		if err != nil {
			return err
		}
		defer x.giveBack(large)
	}
	x.chunk = append(jobfile.AppendLine(x.chunk, &job), '\n')
	x.jobs++
	if len(x.chunk) < exportChunk {
		return nil
	}
	if x.sendText(x.chunk); x.err != nil {
		return errNoReader
	}
	if x.chunk = x.chunk[:0]; cap(x.chunk) > 2*exportChunk {
		x.chunk = make([]byte, 0, exportChunk)
	}
	return nil
}
