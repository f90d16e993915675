package jobstore

import (
	"sync"
	"sync/atomic"

	"github.com/jobstore/jobstore/index"
)

// snapshots hand what the writer knows of a commit to its readers: where the buckets
// are, the counters, and that the pages are sound. A reader may see a commit before
// the writer has published its snapshot. It then waits for that, some microseconds.
type snapshots struct {
	last atomic.Pointer[index.Snapshot]

	mu      sync.Mutex
	changed chan struct{} // closed at the next publish; nil when nobody waits
	failure error         // why no snapshot will come any more
}

// publish gives s to those who wait for it or begin to read now. If err is not nil,
// they get err instead.
func (p *snapshots) publish(s *index.Snapshot, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failure = err
	} else {
		p.last.Store(s)
	}
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// of returns the snapshot of the commit with this number, or of a later one.
func (p *snapshots) of(id int) (*index.Snapshot, error) {
	for {
		if s := p.last.Load(); s != nil && s.ID() >= id {
			return s, nil
		}
		p.mu.Lock()
		if s := p.last.Load(); s != nil && s.ID() >= id || p.failure != nil {
			err := p.failure
			p.mu.Unlock()
			if s != nil && s.ID() >= id {
				return s, nil
			}
			return nil, err
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		<-changed
	}
}
