package httpapi

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/jobstore/jobstore"
)

// A memory bounds the bytes of bodies and pages that the requests of one handler
// hold at once. It is divided into pools, so that bodies which arrive slowly and
// pages which are read slowly leave room for others, and large ones for small ones.
//
// A request takes of bodies first, then of pages, then of working, and of working
// only while the store does something: so no two wait for each other.
type memory struct {
	bodies  pools // request bodies
	pages   pools // pages and jobs, from before the store is asked until they are sent
	working *pool // what the store makes: pages of which nobody knows yet how large they are, and records
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

// shares say how a memory is divided, in parts of 32.
type shares struct{ smallBodies, largeBodies, smallPages, largePages, working int64 }

var (
	sharesOfAPI       = shares{2, 6, 2, 11, 11}
	sharesOfOperators = shares{3, 13, 1, 5, 10}
)

// newMemory divides size bytes.
func newMemory(size int64, s shares) *memory {
	part := size / 32
	return &memory{
		bodies:  pools{newPool(s.smallBodies * part), newPool(s.largeBodies * part)},
		pages:   pools{newPool(s.smallPages * part), newPool(s.largePages * part)},
		working: newPool(s.working * part),
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

// giveBack ends a reservation before the response ends.
func (w *response) giveBack(r *reservation) {
	r.pool.free.Release(r.n)
	w.reserved = slices.DeleteFunc(w.reserved, func(held *reservation) bool { return held == r })
}

// reserve takes n bytes of p, for which it waits as long as the options say. What
// is larger than the pool takes all of it.
func (w *response) reserve(p *pool, n int64) (*reservation, error) {
	if r, ok := w.tryReserve(p, n); ok {
		return r, nil
	}
	ctx, stop := context.WithTimeout(w.request.Context(), w.api.options.MaxWait)
	defer stop()
	r := &reservation{p, min(n, p.size)}
	if err := p.free.Acquire(ctx, r.n); err != nil {
		return nil, w.gaveUp("the requests being answered take all the memory there is")
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
	// A page ends ahead of the job that would pass MaxPageBytes, which is read first.
	mostOfPage = jobstore.MaxPageBytes + mostOfJob
	// A response that is sent job by job has a packer for itself.
	memoryOfPacker = 1 << 20
)

// load reads jobs from the store and takes memory for them until w has ended: read
// does it and returns how many bytes they need, which are at most most.
//
// While the store reads, the most that there can be is reserved. If there is no
// room for what was read, it is let go, and read again when there is: who waits
// for others' readers holds nothing meanwhile that a reader of little needs.
func load[T any](w *response, most int64, read func(context.Context) (jobs T, need int64, err error)) (T, error) {
	var none T
	var held *reservation
	for range 4 {
		working, err := w.reserve(w.api.memory.working, most)
		if err != nil {
			return none, err
		}
		var jobs T
		var need int64
		err = w.atStore(w.api.slots, func(ctx context.Context) (err error) {
			jobs, need, err = read(ctx)
			return err
		})
		if err != nil {
			return none, err
		}
		p := w.api.memory.pages.of(need)
		if held != nil && held.pool == p && held.n >= min(need, p.size) {
			w.giveBack(working)
			return jobs, nil
		}
		if held != nil {
			w.giveBack(held)
		}
		if _, ok := w.tryReserve(p, need); ok {
			w.giveBack(working)
			return jobs, nil
		}
		jobs = none
		w.giveBack(working)
		if held, err = w.reserve(p, need); err != nil {
			return none, err
		}
	}
	return none, w.gaveUp("the jobs grow while they are read")
}

// work runs fn, for which the store takes n bytes beside those of the request.
func (w *response) work(n int64, fn func(context.Context) error) error {
	working, err := w.reserve(w.api.memory.working, n)
	if err != nil {
		return err
	}
	defer w.giveBack(working)
	return w.atStore(w.api.slots, fn)
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
