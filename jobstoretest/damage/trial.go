package damage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"

	"github.com/jobstore/jobstore"
)

// An Outcome is what became of one damaged file.
type Outcome string

// The outcomes that are promised.
const (
	Right   Outcome = "right"      // every answer was right, and Check found nothing
	Found   Outcome = "check only" // every answer was right, and Check found damage
	Corrupt Outcome = "ErrCorrupt" // some answers were ErrCorrupt, the others right
	Refused Outcome = "not opened" // Open said ErrCorrupt or ErrFormat
)

// The outcomes that must not be.
const (
	Short      Outcome = "short"      // a list or a count lacked jobs
	Doubled    Outcome = "doubled"    // an idempotency key made a second job
	Lost       Outcome = "lost"       // a job was said not to be there
	Wrong      Outcome = "wrong"      // any other answer that is neither right nor ErrCorrupt
	Blind      Outcome = "blind"      // an answer was ErrCorrupt, and Check found nothing
	Unopenable Outcome = "unopenable" // a file that opened was closed and did not open again
	Oversized  Outcome = "oversized"  // it took memory out of all proportion to the file
	Died       Outcome = "crash"      // the process died; set by those who watch it
	Hang       Outcome = "hang"       // the process did not come to an end; likewise
)

// Outcomes lists the outcomes.
var Outcomes = []Outcome{Right, Found, Corrupt, Refused, Short, Doubled, Lost, Wrong, Blind, Unopenable, Oversized, Died, Hang}

// Bad reports whether an outcome must not be.
func (o Outcome) Bad() bool {
	return o != Right && o != Found && o != Corrupt && o != Refused
}

// A Verdict is an outcome, and the first answer that led to it.
type Verdict struct {
	Outcome Outcome
	Detail  string
}

// A Trial is one damaged file, and all that is done with it.
type Trial struct {
	State string
	Kind  Kind
	Seed  uint64
	N     int
}

func (t *Trial) rng() *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, t.State, t.Kind)
	return rand.New(rand.NewPCG(t.Seed^h.Sum64(), uint64(t.N)))
}

// Where says what a trial damages.
func (s *Sample) Where(t Trial) string {
	return s.File(t.State).Damage(t.rng(), t.Kind, t.N).Where
}

// Run writes a damaged file to path, and opens it: for reading alone, to ask for
// everything in it; then for writing, to ask, write in every way, check and close,
// or to write before anything was asked; and once more, to ask again. No call may
// take longer than its caller waits, which those who run trials watch.
func (s *Sample) Run(path string, t Trial) (Verdict, error) {
	rng := t.rng()
	f := s.File(t.State)
	d := f.Damage(rng, t.Kind, t.N)
	return s.run(path, d, rng, func(x *exam) {
		x.all(path, s.aim(f, d.Page), t.State == Reindex || rng.IntN(6) == 0)
	})
}

// Examine writes a file that claims to be one of s to path, and asks for
// everything in it.
func (s *Sample) Examine(path string, data []byte) (Verdict, error) {
	d := Damaged{Data: data, Size: int64(len(data))}
	return s.run(path, d, rand.New(rand.NewPCG(1, 1)), func(x *exam) {
		if x.open("first", path, false) {
			x.ask(true)
			x.close()
		}
	})
}

func (s *Sample) run(path string, d Damaged, rng *rand.Rand, examine func(*exam)) (v Verdict, err error) {
	if err := os.WriteFile(path, d.Data, 0o600); err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	for os.Truncate(path, d.Size) != nil && d.Size > int64(len(d.Data)) {
		d.Size /= 4 // longer than files can be here
	}
	x := &exam{truth: newTruth(s.Jobs, s.Keys), rng: rng}
	heap, all := memory()
	examine(x)
	heapNow, allNow := memory()
	// Of deep recursion and of the runtime's own needs, only what was got from the
	// system tells.
	v = x.verdict()
	if took := max(heapNow-heap, allNow-all); took > memoryMax(len(d.Data)) {
		v = Verdict{Oversized, fmt.Sprintf("took %d MiB; %s: %s", took>>20, v.Outcome, v.Detail)}
	}
	return v, nil
}

// memoryMax is how much memory one trial may ask for, from its beginning to its
// end: a trial that goes well asks for some 40 times the file.
func memoryMax(file int) uint64 { return 128<<20 + 100*uint64(file) }

// memory returns how much the process has asked of the heap so far, and what it
// has got from the system, stacks included.
func memory() (heap, all uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc, m.Sys
}

// all does all that is done with one file.
func (x *exam) all(path string, a aim, reindex bool) {
	if x.open("read-only", path, true) {
		x.ask(false)
		x.close()
	}
	if x.rng.IntN(8) == 0 {
		x.salvage(path)
	}
	if !x.open("first", path, false) {
		if x.checks == "" && x.corrupt == "" {
			x.outcome = Refused
		}
		return
	}
	if x.rng.IntN(2) == 0 {
		x.ask(true)
	}
	x.stage = "writes"
	if x.rng.IntN(8) > 0 { // or only opened and closed
		x.write(a, reindex)
		x.check()
	}
	killed := x.rng.IntN(4) == 0
	if killed {
		x.kill(path)
	} else {
		x.close()
	}
	if !x.open("again", path, false) {
		// A killed process leaves no list of free pages, and Open then looks at all
		// pages: that it refuses a damaged one is what it does with such a file.
		if x.worst == "" && !killed {
			x.worst, x.detail = Unopenable, x.refused+"; "+x.corrupt
		}
		return
	}
	x.ask(true)
	x.close()
}

// kill leaves the file as a process leaves it that is killed.
func (x *exam) kill(path string) {
	before, size, err := snapshot(path)
	x.close()
	if err == nil {
		err = os.WriteFile(path, before, 0o600)
	}
	if err == nil {
		err = os.Truncate(path, size)
	}
	if err != nil {
		x.bad(Wrong, "%v", err)
	}
}

// snapshot returns what a file begins with, which is all that was ever written to it,
// and its size, which may be of terabytes.
func snapshot(path string) (b []byte, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	const most = 64 << 20
	b, err = io.ReadAll(io.LimitReader(f, most))
	return b, info.Size(), err
}

func (x *exam) verdict() Verdict {
	switch {
	case x.worst != "":
		return Verdict{x.worst, x.detail}
	case x.outcome == Refused:
		return Verdict{Refused, x.refused}
	case x.corrupt != "":
		return Verdict{Corrupt, x.corrupt}
	case x.checks != "":
		return Verdict{Found, x.checks}
	case x.refused != "":
		return Verdict{Refused, x.refused}
	}
	return Verdict{Outcome: Right}
}

// open opens the store for a stage. It returns false if it is refused.
func (x *exam) open(stage, path string, readOnly bool) bool {
	x.stage = stage
	var err error
	x.store, err = jobstore.Open(path, &jobstore.Options{NoSync: true, ReadOnly: readOnly, Now: clock(Now)})
	if err == nil {
		return true
	}
	x.refused = stage + ": " + err.Error()
	// The address space may be too small for a file that is nearly all a hole.
	if !errors.Is(err, jobstore.ErrCorrupt) && !errors.Is(err, jobstore.ErrFormat) && !errors.Is(err, syscall.ENOMEM) {
		x.bad(Wrong, "%v", err)
	}
	return false
}

func (x *exam) close() {
	if err := x.store.Close(); err != nil {
		x.failed(err, "close")
	}
}

// salvage has Salvage look through the file. It may find earlier versions of jobs,
// and jobs that were deleted, but none of the present version that is not so.
func (x *exam) salvage(path string) {
	x.stage = "salvage"
	var out bytes.Buffer
	_, err := jobstore.Salvage(ctx, path, &out, nil)
	if err != nil {
		if !errors.Is(err, jobstore.ErrFormat) {
			x.bad(Wrong, "%v", err)
		}
		return
	}
	for line := range bytes.Lines(out.Bytes()) {
		var job jobstore.Job
		if err := json.Unmarshal(line, &job); err != nil {
			x.bad(Wrong, "%v: %.200s", err, line)
			return
		}
		at, found := x.find(job.ID)
		if !found || !job.UpdatedAt.Equal(x.jobs[at].UpdatedAt) {
			continue
		}
		want := x.jobs[at]
		if job.Tasks == nil {
			want.Tasks = nil // they may be damaged
		}
		if !equal(&job, &want) {
			x.bad(Wrong, "%v", &job)
		}
	}
}
