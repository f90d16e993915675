package httpapi

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/jobstore/jobstore"
)

// A memory bounds the bytes of bodies and pages that the requests of one handler
// hold at once. It is divided into pools, so that bodies which arrive slowly and
// pages which are read slowly leave room for others, and large ones for small ones.
type memory struct {
	bodies  pools // request bodies, and what is made of them
	reading *pool // pages while the store reads them, when nobody knows how large they are
	pages   pools // pages and jobs until they are sent
}

// pools are one pool for what is small and one for what is not.
type pools struct{ small, large *pool }

// largestSmall is the most bytes that are taken from the pool of the small.
const largestSmall = 128 << 10

func (p pools) of(n int64) *pool {
	if n <= largestSmall {
		return p.small
	}
	return p.large
}

// newMemory divides size bytes. A handler that sends no pages needs all for bodies.
func newMemory(size int64, withPages bool) *memory {
	if !withPages {
		return &memory{bodies: pools{newPool(size / 8), newPool(size - size/8)}}
	}
	part := size / 32
	return &memory{
		bodies:  pools{newPool(2 * part), newPool(6 * part)},
		reading: newPool(11 * part),
		pages:   pools{newPool(2 * part), newPool(11 * part)},
	}
}

// A pool is a number of bytes that reservations share. Those that must wait get
// their turn in the order in which they came.
type pool struct {
	size int64
	free *semaphore.Weighted
}

func newPool(size int64) *pool { return &pool{size, semaphore.NewWeighted(size)} }

// A reservation is a number of bytes of a pool. The request that it was made for
// gives back what is left of it when it ends.
type reservation struct {
	pool *pool
	n    int64
}

// release gives all back.
func (r *reservation) release() {
	r.pool.free.Release(r.n)
	r.n = 0
}

// reserve takes n bytes of p, for which it waits as long as the options say. What
// is larger than the pool takes all of it.
func (w *response) reserve(p *pool, n int64) (*reservation, error) {
	r := &reservation{pool: p}
	if err := w.grow(r, n); err != nil {
		return nil, err
	}
	w.reserved = append(w.reserved, r)
	return r, nil
}

// tryReserve is reserve for who cannot wait.
func (w *response) tryReserve(p *pool, n int64) (*reservation, bool) {
	n = min(n, p.size)
	if !p.free.TryAcquire(n) {
		return nil, false
	}
	r := &reservation{p, n}
	w.reserved = append(w.reserved, r)
	return r, true
}

// grow makes r one of n bytes, which are no less than it has.
func (w *response) grow(r *reservation, n int64) error {
	n = min(n, r.pool.size)
	if !r.pool.free.TryAcquire(n - r.n) {
		ctx, stop := context.WithTimeout(w.request.Context(), w.api.options.MaxWait)
		defer stop()
		if err := r.pool.free.Acquire(ctx, n-r.n); err != nil {
			return w.gaveUp("the requests being answered take all the memory there is")
		}
	}
	r.n = n
	return nil
}

// gaveUp returns the error of a request that has waited in vain.
func (w *response) gaveUp(reason string) error {
	if err := w.request.Context().Err(); err != nil {
		return err
	}
	return refusef("overloaded", "%s, try again", reason)
}

// Memory in bytes that is counted for what a request does.
const (
	// A job that was read may have all the JSON there can be.
	mostOfJob = jobstore.MaxJSON + 64<<10
	// A page ends when its jobs pass MaxPageBytes, which the last one may do.
	mostOfPage = maxPageBytes + mostOfJob
	// A body is held three times: itself, the record that the store makes of
	// it, and the answer.
	copiesOfBody = 3
	// A response that is sent job by job has a packer for itself.
	memoryOfPacker = 1 << 20
)

// maxPageBytes is the size in bytes at which the store ends a page.
const maxPageBytes = 16 << 20

// load reads jobs from the store and takes memory for them until w has ended: read
// does it and returns how many bytes they need, which are at most most.
//
// While the store reads, the most that there can be is reserved. If there is no
// room for what was read, it is let go, and read again when there is: who waits
// for others' readers holds nothing meanwhile that a reader of little needs.
func (w *response) load(most int64, read func(context.Context) (need int64, err error)) error {
	m := w.api.memory
	var held *reservation
	for range 4 {
		reading, err := w.reserve(m.reading, most)
		if err != nil {
			return err
		}
		var need int64
		err = w.atStore(w.api.slots, func(ctx context.Context) error {
			var err error
			need, err = read(ctx)
			return err
		})
		if err != nil {
			return err
		}
		p := m.pages.of(need)
		if held != nil && held.pool == p && held.n >= min(need, p.size) {
			reading.release()
			return nil
		}
		if held != nil {
			held.release()
		}
		if _, ok := w.tryReserve(p, need); ok {
			reading.release()
			return nil
		}
		reading.release()
		if held, err = w.reserve(p, need); err != nil {
			return err
		}
	}
	return w.gaveUp("the jobs grow while they are read")
}

// slots are how many requests may do something at once.
type slots chan struct{}

// atStore runs fn when there is a free slot, for which it waits as long as the
// options say.
func (w *response) atStore(s slots, fn func(context.Context) error) error {
	ctx := w.request.Context()
	select {
	case s <- struct{}{}:
	default:
		timer := time.NewTimer(w.api.options.MaxWait)
		defer timer.Stop()
		select {
		case s <- struct{}{}:
		case <-timer.C:
			return w.gaveUp("too many requests are being answered")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-s }()
	return fn(ctx)
}
