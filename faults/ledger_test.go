package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/jobstore/jobstore"
)

// A ledger holds what the writers of a workload were told: which jobs must be in
// the store, and which operations had no answer.
type ledger struct {
	jobs    []map[int]change // by writer and number of the job
	pending [][]change       // by writer: the operation without an answer
	acked   int              // operations that were acknowledged
	full    int              // operations that failed with ErrFull
	unknown int              // operations that failed with ErrCommitUnknown
	whole   int              // operations without an answer that were found done
	notes   []string
}

func newLedger(writers int) *ledger {
	l := &ledger{pending: make([][]change, writers)}
	for range writers {
		l.jobs = append(l.jobs, map[int]change{})
	}
	return l
}

// read takes the messages of a child until it ends. It calls seen after each, and
// returns what no child should say.
func (l *ledger) read(r io.Reader, seen func(message)) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var m message
		if err := json.Unmarshal(scanner.Bytes(), &m); err != nil {
			if !scanner.Scan() {
				return nil // the last line was cut off
			}
			return fmt.Errorf("message %q: %w", scanner.Text(), err)
		}
		if err := l.take(m); err != nil {
			return err
		}
		if seen != nil {
			seen(m)
		}
	}
	return scanner.Err()
}

func (l *ledger) take(m message) error {
	w := m.Writer
	switch {
	case m.Err != "":
		return fmt.Errorf("writer %d: %s", w, m.Err)
	case m.Note != "":
		l.notes = append(l.notes, m.Note)
	case m.Begin != nil:
		l.pending[w] = m.Begin
	case m.Unknown:
		l.unknown++ // stays pending
	case m.Full:
		l.full++
		l.pending[w] = nil
	case m.Done:
		l.acked++
		apply(l.jobs[w], l.pending[w])
		l.pending[w] = nil
	}
	return nil
}

func apply(jobs map[int]change, changes []change) {
	for _, c := range changes {
		if c.Gone {
			delete(jobs, c.N)
		} else {
			jobs[c.N] = c
		}
	}
}

// compare returns how the store contradicts the ledger, or itself: a writer's
// jobs must be as they were acknowledged, with the operation that had no answer
// done whole or not at all. Then it takes the store's word for that one.
func (l *ledger) compare(store *jobstore.Store) error {
	for w := range l.jobs {
		got, err := jobsOf(store, w)
		if err != nil {
			return err
		}
		after := make(map[int]change, len(l.jobs[w]))
		apply(after, values(l.jobs[w]))
		apply(after, l.pending[w])
		switch {
		case same(got, l.jobs[w]):
		case l.pending[w] != nil && same(got, after):
			l.whole++
			l.jobs[w] = after
		default:
			return fmt.Errorf("writer %d: %s, in flight: %+v", w, difference(l.jobs[w], got), l.pending[w])
		}
		l.pending[w] = nil
	}
	for problem, err := range store.Check(context.Background()) {
		if err != nil {
			return err
		}
		return fmt.Errorf("check: %s", problem)
	}
	return nil
}

func jobsOf(store *jobstore.Store, w int) (map[int]change, error) {
	ctx := context.Background()
	jobs := map[int]change{}
	for job, err := range store.All(ctx, jobstore.Query{Input: inputOf(w)}) {
		if err == nil {
			job, err = store.Get(ctx, job.ID)
		}
		if err != nil {
			return nil, err
		}
		c, whole := changeOf(w, &job)
		if !whole {
			return nil, fmt.Errorf("writer %d: job %s is not what was written: %v", w, job.ID, job)
		}
		jobs[c.N] = c
	}
	return jobs, nil
}

func values(m map[int]change) []change {
	var list []change
	for _, c := range m {
		list = append(list, c)
	}
	return list
}

func same(a, b map[int]change) bool {
	if len(a) != len(b) {
		return false
	}
	for n, c := range a {
		if b[n] != c {
			return false
		}
	}
	return true
}

// difference names the first job, by number, that is not as it should be.
func difference(want, got map[int]change) string {
	var numbers []int
	for n := range want {
		numbers = append(numbers, n)
	}
	for n := range got {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		if want[n] != got[n] {
			return fmt.Sprintf("job %d should be %+v and is %+v", n, want[n], got[n])
		}
	}
	return "no difference"
}
