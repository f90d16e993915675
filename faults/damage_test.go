package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobstore/jobstore/jobstoretest/damage"
)

var (
	trialsFlag = flag.Int("trials", 0, "damaged files of each kind and state; 0 is a few")
	everyFlag  = flag.Bool("every", false, "every bit of the kinds that go through all, whatever -trials says")
	firstFlag  = flag.Int("first", -1, "one trial alone: the one with this number")
	jobsFlag   = flag.Int("jobs", 300, "jobs in the files that are damaged")
	damageFlag = flag.String("damage", "", "kinds of damage, such as bit,pair; empty is all")
	stateFlag  = flag.String("state", "", "states of the file, such as clean,crash; empty is all")
	sampleFlag = flag.String("sample", "", "file of the sample: read if it is there, else built and kept")
	eachFlag   = flag.Bool("each", false, "log every trial")
)

const (
	trialTime   = 15 * time.Second // after which a trial is a hang
	childMemory = 1 << 30          // of a child, in bytes, beside the file that it maps
	childrenMax = 2                // at a time
	stretchLen  = 200              // trials of one child, which then makes room for the next
	badMax      = 40               // trials that a kind logs as bad; all are counted
)

// TestDamage damages files in every way and state, and holds what the store then
// says and does against the truth. Children do so, a stretch of trials each, so
// that one that dies or hangs is seen.
func TestDamage(t *testing.T) {
	if *trialsFlag == 0 && *firstFlag < 0 {
		*trialsFlag = 24
	}
	seed := seeded(t)
	dir := scratch(t)
	sample, path := sampleFor(t, dir, seed)
	run := &damageRun{t: t, seed: seed, dir: dir, sample: path, results: map[string]map[damage.Outcome]int{}}
	for _, state := range damage.States {
		for _, kind := range damage.Kinds {
			if chosen(*stateFlag, state) && chosen(*damageFlag, string(kind)) {
				run.plan(sample.File(state), kind)
			}
		}
	}
	begin := time.Now()
	run.all()
	t.Logf("%d trials in %v\n%s", run.done, time.Since(begin).Round(time.Second), run.table())
	if run.bad > 0 && *sampleFlag == "" {
		kept := filepath.Join(os.TempDir(), fmt.Sprintf("jobstore-sample-%d", seed))
		require.NoError(t, sample.Save(kept))
		t.Logf("repeat one trial with -sample=%s -seed=%d -state=STATE -damage=KIND -first=TRIAL -each", kept, seed)
	}
}

func chosen(flag, name string) bool {
	return flag == "" || strings.Contains(","+flag+",", ","+name+",")
}

// sampleFor returns the sample, and the file that children load it from.
func sampleFor(t *testing.T, dir string, seed uint64) (*damage.Sample, string) {
	path := *sampleFlag
	if path == "" {
		path = filepath.Join(dir, "sample")
	}
	if _, err := os.Stat(path); err != nil {
		sample, err := damage.Build(dir, seed, *jobsFlag)
		require.NoError(t, err)
		require.NoError(t, sample.Save(path))
	}
	sample, err := damage.Load(path)
	require.NoError(t, err)
	return sample, path
}

// A damageRun is all trials of a test.
type damageRun struct {
	t           *testing.T
	seed        uint64
	dir, sample string
	rows        []string
	stretches   []stretch

	mu        sync.Mutex
	results   map[string]map[damage.Outcome]int
	done, bad int
}

// A stretch is some trials of one kind and state, one after the other.
type stretch struct {
	State  string
	Kind   damage.Kind
	Trials []int // their numbers
}

func (s *stretch) row() string { return s.State + " " + string(s.Kind) }

// plan adds the trials of one kind and state.
func (d *damageRun) plan(file *damage.File, kind damage.Kind) {
	n := max(1, *trialsFlag)
	if every := file.Every(kind); every > 0 && *everyFlag {
		n = every
	}
	numbers := file.Trials(kind, n)
	if len(numbers) == 0 {
		return // such as the bits of a list of free pages that is not there
	}
	if *firstFlag >= 0 {
		numbers = []int{*firstFlag}
	}
	s := stretch{State: file.State, Kind: kind}
	d.rows = append(d.rows, s.row())
	d.results[s.row()] = map[damage.Outcome]int{}
	for ; len(numbers) > 0; numbers = numbers[len(s.Trials):] {
		s.Trials = numbers[:min(len(numbers), stretchLen)]
		d.stretches = append(d.stretches, s)
	}
}

// all runs the stretches, as many children at a time as there may be.
func (d *damageRun) all() {
	var wg sync.WaitGroup
	next := make(chan stretch)
	for range childrenMax {
		wg.Go(func() {
			for s := range next {
				d.stretch(s)
			}
		})
	}
	for _, s := range d.stretches {
		next <- s
	}
	close(next)
	wg.Wait()
}

// A damageTrial is what a child reports, as JSON: before a trial with no
// outcome, and after it with one.
type damageTrial struct {
	N       int
	Outcome damage.Outcome
	Where   string
	Detail  string
}

func (d *damageRun) report(s *stretch, trial damageTrial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done++
	of := d.results[s.row()]
	of[trial.Outcome]++
	// A page of an earlier time is valid by itself: what answers it gives is
	// counted, but nothing that they are held to.
	stale := s.Kind == damage.Stale && trial.Outcome != damage.Died && trial.Outcome != damage.Hang && trial.Outcome != damage.Oversized
	bad := trial.Outcome.Bad() && !stale
	if bad {
		d.bad++
		d.t.Fail()
	}
	if *eachFlag || bad && of[trial.Outcome] <= badMax {
		d.t.Logf("%s, trial %d: %s: %s: %s", s.row(), trial.N, trial.Outcome, trial.Where, trial.Detail)
	}
}

// stretch starts children until all trials of s have an outcome.
func (d *damageRun) stretch(s stretch) {
	for len(s.Trials) > 0 {
		done, err := d.child(s)
		if err != nil {
			d.t.Error(err)
			return
		}
		s.Trials = s.Trials[done:]
	}
}

// child runs a child, and returns how many trials it brought to an outcome.
func (d *damageRun) child(s stretch) (done int, err error) {
	cmd := child("damage", d.sample, fmt.Sprint(d.seed))
	cmd.Env = append(cmd.Env, "TMPDIR="+d.dir)
	input, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return 0, err
	}
	hung := false
	watch := time.AfterFunc(trialTime, func() {
		hung = true
		_ = cmd.Process.Kill()
	})
	last := damageTrial{N: s.Trials[0]}
	for lines := json.NewDecoder(bufio.NewReader(stdout)); ; {
		var trial damageTrial
		if err := lines.Decode(&trial); err != nil {
			break
		}
		watch.Reset(trialTime)
		if last = trial; trial.Outcome != "" {
			d.report(&s, trial)
			done++
		}
	}
	err = cmd.Wait()
	watch.Stop()
	if err != nil && done < len(s.Trials) {
		last.N, last.Outcome, last.Detail = s.Trials[done], damage.Died, head(stderr.String())
		if hung {
			last.Outcome = damage.Hang
		}
		d.report(&s, last)
		return done + 1, nil
	}
	return done, err
}

// head returns the first lines of what a process said before it died, which in
// Go name the reason.
func head(s string) string {
	lines := strings.SplitN(strings.TrimSpace(s), "\n", 24)
	return strings.Join(lines[:min(len(lines), 23)], " / ")
}

func (d *damageRun) table() string {
	var b strings.Builder
	b.WriteString("| file, damage | trials |")
	for _, o := range damage.Outcomes {
		fmt.Fprintf(&b, " %s |", o)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(damage.Outcomes)+1) + "\n")
	for _, row := range d.rows {
		total, cells := 0, ""
		for _, o := range damage.Outcomes {
			total += d.results[row][o]
			cells += fmt.Sprintf(" %d |", d.results[row][o])
		}
		fmt.Fprintf(&b, "| %s | %d |%s\n", row, total, cells)
	}
	return b.String()
}

// damageChild runs a stretch of trials, which it reads from its standard input.
func damageChild(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("damage child: %q", args)
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	var s stretch
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return err
	}
	sample, err := damage.Load(args[0])
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "damage-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// The memory that a process writes to: what it maps of a file is not in it, so
	// that a file may be as long as it likes.
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: childMemory, Max: childMemory}); err != nil {
		return err
	}
	debug.SetGCPercent(400)
	out := json.NewEncoder(os.Stdout)
	for _, n := range s.Trials {
		trial := damage.Trial{State: s.State, Kind: s.Kind, Seed: seed, N: n}
		where := sample.Where(trial)
		if err := out.Encode(damageTrial{N: n, Where: where}); err != nil {
			return err
		}
		// A new file each time: a store that was not opened may keep its lock.
		v, err := sample.Run(filepath.Join(dir, fmt.Sprintf("damaged-%d.db", n)), trial)
		if err != nil {
			return err
		}
		if err := out.Encode(damageTrial{N: n, Where: where, Outcome: v.Outcome, Detail: v.Detail}); err != nil {
			return err
		}
		if v.Outcome == damage.Oversized {
			return nil // the next trial shall not suffer from it
		}
	}
	return nil
}

// scratch returns a directory in memory where there is one: these files may be
// lost, and are written by the thousand.
func scratch(t *testing.T) string {
	var stat unix.Statfs_t
	if unix.Statfs("/dev/shm", &stat) != nil || stat.Bavail*uint64(stat.Bsize) < 1<<30 {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "jobstore-faults-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
