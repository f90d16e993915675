package sqlite

import (
	"context"
	"sync"
)

// A group commits writes together as the library does: one goroutine takes all
// that wait as soon as the last transaction has ended. A write that fails leaves
// the others be, since SQLite undoes a failed statement alone.
type group struct {
	store *Store
	mu    sync.Mutex
	queue []*queued
	wake  chan struct{}
	done  chan struct{}
	ended bool
}

type queued struct {
	write func() error
	err   error
	done  chan struct{}
}

func newGroup(s *Store) *group {
	g := &group{store: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go g.run()
	return g
}

func (g *group) do(write func() error) error {
	q := &queued{write: write, done: make(chan struct{})}
	g.mu.Lock()
	g.queue = append(g.queue, q)
	g.mu.Unlock()
	g.signal()
	<-q.done
	return q.err
}

func (g *group) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *group) run() {
	defer close(g.done)
	for range g.wake {
		g.mu.Lock()
		batch, ended := g.queue, g.ended
		g.queue = nil
		g.mu.Unlock()
		if len(batch) > 0 {
			g.commit(batch)
		}
		if ended {
			return
		}
	}
}

func (g *group) commit(batch []*queued) {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	err := g.store.inTx(context.Background(), func() error {
		for _, q := range batch {
			q.err = q.write()
		}
		return nil
	})
	for _, q := range batch {
		if q.err == nil {
			q.err = err
		}
		close(q.done)
	}
}

func (g *group) stop() {
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.signal()
	<-g.done
}
