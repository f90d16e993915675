package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/embedded"
	"github.com/jobstore/jobstore/bench/peer/rawbolt"
	"github.com/jobstore/jobstore/bench/peer/sqlite"
	"github.com/jobstore/jobstore/bench/report"
	"github.com/jobstore/jobstore/bench/target"
	"github.com/jobstore/jobstore/bench/workload"
)

func run(ctx context.Context, args []string) (err error) {
	c, err := parseFlags(args)
	if err != nil {
		return err
	}
	if c.render != "" {
		return render(c.render, c.readme)
	}
	if err := os.MkdirAll(c.data, 0o755); err != nil {
		return err
	}
	stopProfile, err := startProfile(c.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	folder := &cache.Folder{Path: c.data, Rebuild: c.rebuild, Progress: progress}
	if len(c.targets) > 0 {
		return runTargets(ctx, c, folder)
	}
	env := &workload.Env{
		Folder: folder, Peers: c.peers, Size: c.size, Rounds: c.rounds, Pages: c.pages, Seed: c.seed,
		Warm: workload.WarmTime, Progress: progress,
	}
	r := newReport(c, args)
	if c.add {
		old, err := report.Read(c.out)
		if err != nil {
			return err
		}
		if err := r.Continue(old); err != nil {
			return err
		}
	}
	for _, g := range groups {
		if !c.wantsGroup(g) {
			continue
		}
		results, err := g.run(ctx, env, c)
		if err := errors.Join(err, report.Table(os.Stdout, results)); err != nil {
			return err
		}
		r.Add(results)
		// After each group, so that what was measured is not lost.
		if c.out != "" {
			if err := r.Write(c.out); err != nil {
				return err
			}
		}
	}
	if c.out != "" {
		fmt.Println("report in", c.out)
	}
	return nil
}

// A group is some workloads that are asked for together.
type group struct {
	name  string
	about string
	run   func(ctx context.Context, env *workload.Env, c config) ([]*workload.Result, error)
}

// groups are all workloads, in the order of the report.
var groups = []group{
	{"list", "pages by one reader", func(ctx context.Context, env *workload.Env, c config) ([]*workload.Result, error) {
		return env.Lists(ctx, c.lists())
	}},
	{"readers", "the same pages by 2 and 8 readers, alone and beside a writer", func(ctx context.Context, env *workload.Env, c config) ([]*workload.Result, error) {
		return env.Readers(ctx, workload.Lists)
	}},
	{"count", "count by kind and status", alone((*workload.Env).Count)},
	{"get", "one job by ID", alone((*workload.Env).Get)},
	{"json", "the JSON of a page", alone((*workload.Env).JSON)},
	{"walk", "every job", alone((*workload.Env).Walk)},
	{"depth", "pages by depth, with OFFSET", func(ctx context.Context, env *workload.Env, _ config) ([]*workload.Result, error) {
		return env.Depth(ctx)
	}},
	{"sizes", "pages by size of the store", runSizes},
	{"create", "durable creates from 1 to 64 goroutines", func(ctx context.Context, env *workload.Env, c config) ([]*workload.Result, error) {
		return env.Creates(ctx, writersOnly(c))
	}},
	{"update", "durable status updates", alone((*workload.Env).Update)},
	{"import", "bulk import, and the disk it takes", func(ctx context.Context, env *workload.Env, _ config) ([]*workload.Result, error) {
		return env.Import(ctx)
	}},
	{"open", "open, and the heap it takes", func(ctx context.Context, env *workload.Env, _ config) ([]*workload.Result, error) {
		return env.Open(ctx)
	}},
}

// alone makes a group of one workload.
func alone(measure func(*workload.Env, context.Context) (*workload.Result, error)) func(context.Context, *workload.Env, config) ([]*workload.Result, error) {
	return func(ctx context.Context, env *workload.Env, _ config) ([]*workload.Result, error) {
		result, err := measure(env, ctx)
		if err != nil {
			return nil, err
		}
		return []*workload.Result{result}, nil
	}
}

// writersOnly returns the peers that there are for writes alone: bbolt by hand,
// and a group commit before each SQLite of the run.
func writersOnly(c config) (extra []peer.Peer) {
	for _, p := range c.peers {
		switch p.Name() {
		case workload.Floor:
			extra = append(extra, rawbolt.New(rawbolt.Plain))
		case "mattn":
			extra = append(extra, sqlite.NewGrouped(sqlite.Mattn))
		case "modernc":
			extra = append(extra, sqlite.NewGrouped(sqlite.Modernc))
		}
	}
	return extra
}

// runSizes measures some pages at every size of the run. Stores that are larger
// than the others of the run are measured for the library alone: to build them
// for all takes hours.
func runSizes(ctx context.Context, env *workload.Env, c config) (results []*workload.Result, err error) {
	for _, name := range []string{"anywhere", "kind+status", workload.Trap} {
		l, _ := workload.ListNamed(name)
		for _, size := range c.sizes {
			of := *env
			if size > c.size {
				of.Peers = []peer.Peer{embedded.New()}
			}
			result, err := of.Page(ctx, l, size)
			if err != nil {
				return results, err
			}
			result.OfSizes = true
			results = append(results, result)
		}
	}
	return results, nil
}

// runTargets measures what the store has to reach.
func runTargets(ctx context.Context, c config, folder *cache.Folder) error {
	r := target.Run{Folder: folder, Size: c.size, Rounds: c.rounds, Pages: c.pages, Seed: c.seed, Progress: progress}
	only := c.targets
	if slices.Contains(only, "all") {
		only = nil
	}
	targets, err := r.All(ctx, only)
	return errors.Join(target.Table(os.Stdout, targets), err)
}

// render writes a report anew from its JSON, and its summary into readme, if that
// is given.
func render(dir, readme string) error {
	r, err := report.Read(dir)
	if err != nil {
		return err
	}
	if err := r.Write(dir); err != nil || readme == "" {
		return err
	}
	return r.Embed(readme, dir)
}

func newReport(c config, args []string) *report.Report {
	r := &report.Report{
		Date: time.Now().UTC().Format(time.DateOnly), Command: strings.Join(append([]string{"go run ."}, withoutPaths(args)...), " "),
		Machine: harness.ThisMachine(), Size: c.size, Rounds: c.rounds, Pages: c.pages, Seed: c.seed,
	}
	for _, p := range append(slices.Clone(c.peers), writersOnly(c)...) {
		r.Peers = append(r.Peers, report.Peer{Name: p.Name(), About: p.About()})
	}
	return r
}

// withoutPaths leaves out the flags that name folders of this machine.
func withoutPaths(args []string) (kept []string) {
	skip := false
	for _, arg := range args {
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case skip:
			skip = false
		case strings.HasPrefix(arg, "-") && slices.Contains([]string{"data", "out", "cpuprofile"}, name):
			skip = !hasValue
		case strings.Contains(arg, " "):
			kept = append(kept, fmt.Sprintf("%q", arg))
		default:
			kept = append(kept, arg)
		}
	}
	return kept
}

// startProfile writes a CPU profile to path, if there is one, until the function
// that it returns is called.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
