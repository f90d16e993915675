package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/damage"
)

var (
	trialsFlag  = flag.Int("trials", 60, "damaged files of each kind and state")
	jobsFlag    = flag.Int("jobs", 3000, "jobs in the files that are damaged")
	damageFlag  = flag.String("damage", "", "one kind of damage alone, such as flipped-bit")
	verboseFlag = flag.Bool("each", false, "log every trial")
)

const (
	trialTime   = 20 * time.Second // after which a trial is a hang
	childMemory = 4 << 30          // address space of a child, in bytes
	childrenMax = 2                // at a time
)

// TestDamage damages files in every way and state, and asks for everything that
// was in them. Children do the asking, a stretch of trials each, so that one
// that dies or hangs is seen.
func TestDamage(t *testing.T) { testDamage(t, "read") }

// TestDamageWrites writes to damaged files, and then asks as TestDamage does.
func TestDamageWrites(t *testing.T) { testDamage(t, "write") }

func testDamage(t *testing.T, how string) {
	seed := seeded(t)
	dir := scratch(t)
	_, err := damage.Build(dir, seed, *jobsFlag) // fails here rather than in a child
	require.NoError(t, err)

	results := map[string]map[damage.Outcome]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, childrenMax)
	var rows []string
	for _, state := range []string{"clean", "crash"} {
		for _, kind := range damage.Kinds {
			if *damageFlag != "" && *damageFlag != string(kind) {
				continue
			}
			row := state + " " + string(kind)
			rows = append(rows, row)
			results[row] = map[damage.Outcome]int{}
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				d := damageRun{seed: seed, how: how, state: state, kind: kind, dir: dir}
				d.run(t, func(trial damageTrial) {
					mu.Lock()
					defer mu.Unlock()
					results[row][trial.Outcome]++
					bad := trial.Outcome.Bad()
					switch {
					case bad && kind != damage.OldPage, trial.Outcome == damage.Crash, trial.Outcome == damage.Hang:
						t.Errorf("%s, trial %d: %s: %s: %s", row, trial.N, trial.Where, trial.Outcome, trial.Detail)
					case *verboseFlag || bad:
						t.Logf("%s, trial %d: %s: %s: %s", row, trial.N, trial.Where, trial.Outcome, trial.Detail)
					}
				})
			})
		}
	}
	wg.Wait()
	t.Log("\n" + damageTable(rows, results))
}

func damageTable(rows []string, results map[string]map[damage.Outcome]int) string {
	var b strings.Builder
	b.WriteString("| file, damage | trials |")
	for _, o := range damage.Outcomes {
		fmt.Fprintf(&b, " %s |", o)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(damage.Outcomes)+1) + "\n")
	for _, row := range rows {
		total, cells := 0, ""
		for _, o := range damage.Outcomes {
			total += results[row][o]
			cells += fmt.Sprintf(" %d |", results[row][o])
		}
		fmt.Fprintf(&b, "| %s | %d |%s\n", row, total, cells)
	}
	return b.String()
}

// A damageRun is all trials of one kind of damage on one state of the file.
type damageRun struct {
	seed  uint64
	how   string // "read" or "write"
	state string
	kind  damage.Kind
	dir   string
}

// A damageTrial is what a child reports, as JSON: before a trial with no
// outcome, and after it with one.
type damageTrial struct {
	N             int
	Where, Detail string
	Outcome       damage.Outcome
}

// run starts children until all trials have an outcome.
func (d *damageRun) run(t *testing.T, report func(damageTrial)) {
	for from := 0; from < *trialsFlag; {
		cmd := child("damage", fmt.Sprint(d.seed), strconv.Itoa(*jobsFlag), d.how, d.state, string(d.kind),
			strconv.Itoa(from), strconv.Itoa(*trialsFlag))
		cmd.Env = append(cmd.Env, "TMPDIR="+d.dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Error(err)
			return
		}
		hung := false
		watch := time.AfterFunc(trialTime, func() {
			hung = true
			_ = cmd.Process.Kill()
		})
		last := damageTrial{N: from}
		for lines := json.NewDecoder(bufio.NewReader(stdout)); ; {
			var trial damageTrial
			if err := lines.Decode(&trial); err != nil {
				break
			}
			watch.Reset(trialTime)
			if last = trial; trial.Outcome != "" {
				report(trial)
				from = trial.N + 1
			}
		}
		err = cmd.Wait()
		watch.Stop()
		if err == nil && from < *trialsFlag {
			t.Errorf("%s %s: child ended at trial %d", d.state, d.kind, from)
			return
		}
		if err != nil {
			last.N, last.Outcome, last.Detail = from, damage.Crash, tail(stderr.String())
			if hung {
				last.Outcome = damage.Hang
			}
			report(last)
			from++
		}
	}
}

// tail returns the first lines of what a process said before it died, which in
// Go name the reason.
func tail(s string) string {
	lines := strings.SplitN(strings.TrimSpace(s), "\n", 12)
	return strings.Join(lines[:min(len(lines), 11)], " / ")
}

func damageChild(args []string) error {
	if len(args) != 7 {
		return fmt.Errorf("damage child: %q", args)
	}
	seed, _ := strconv.ParseUint(args[0], 10, 64)
	jobs, _ := strconv.Atoi(args[1])
	how, state, kind := args[2], args[3], damage.Kind(args[4])
	from, _ := strconv.Atoi(args[5])
	to, _ := strconv.Atoi(args[6])

	dir, err := os.MkdirTemp("", "damage-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sample, err := damage.Build(dir, seed, jobs)
	if err != nil {
		return err
	}
	file := sample.Clean
	if state == "crash" {
		file = sample.Crash
	}
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: childMemory, Max: childMemory}); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	examiner := damage.NewExaminer(sample.Jobs, newRand(seed, 2))
	for n := from; n < to; n++ {
		rng := newRand(seed, uint64(n)<<8|uint64(kindNumber(kind)))
		damaged, where := sample.Damage(rng, kind, file)
		if err := out.Encode(damageTrial{N: n, Where: where}); err != nil {
			return err
		}
		// A new file each time: a store that was not opened may keep its lock.
		path := filepath.Join(dir, fmt.Sprintf("damaged-%d.db", n))
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			return err
		}
		var v damage.Verdict
		if how == "write" {
			v = examiner.ExamineWrites(path, jobstore.Options{NoSync: true}, rng)
		} else {
			v = examiner.Examine(path, jobstore.Options{NoSync: true, ReadOnly: rng.IntN(4) == 0}, rng)
		}
		_ = os.Remove(path)
		if err := out.Encode(damageTrial{N: n, Where: where, Outcome: v.Outcome, Detail: v.Detail}); err != nil {
			return err
		}
	}
	return nil
}

func kindNumber(kind damage.Kind) int {
	for i, k := range damage.Kinds {
		if k == kind {
			return i
		}
	}
	return len(damage.Kinds)
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
