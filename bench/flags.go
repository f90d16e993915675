package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/embedded"
	"github.com/jobstore/jobstore/bench/peer/floor"
	"github.com/jobstore/jobstore/bench/peer/hold"
	"github.com/jobstore/jobstore/bench/peer/pebble"
	"github.com/jobstore/jobstore/bench/peer/river"
	"github.com/jobstore/jobstore/bench/peer/sqlite"
	"github.com/jobstore/jobstore/bench/workload"
)

// A config is what the flags say.
type config struct {
	peers     []peer.Peer
	workloads []string // names and groups
	size      int
	rounds    int
	pages     int
	seed      uint64
	data      string
	rebuild   bool
	profile   string
	targets   []string // groups of targets to measure instead
}

// allPeers are the peers in the order of the report.
var allPeers = []peer.Peer{
	floor.New(floor.Bytes),
	floor.New(floor.Decoded),
	embedded.New(),
	sqlite.New(sqlite.Mattn, sqlite.Composites),
	sqlite.New(sqlite.Mattn, sqlite.Single),
	sqlite.New(sqlite.Modernc, sqlite.Composites),
	sqlite.New(sqlite.Modernc, sqlite.Single),
	river.New(),
	pebble.New(),
	hold.NewBolthold(),
	hold.NewBadgerhold(),
}

func parseFlags(args []string) (config, error) {
	var c config
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	peers := flags.String("peers", "all", "peers to measure, or prefixes of their names, separated by commas: "+peerNames())
	workloads := flags.String("workloads", "all", "workloads to measure, separated by commas: all, list, or names of list workloads")
	flags.IntVar(&c.size, "size", 100_000, "jobs in the store, 10000 to 10000000")
	flags.IntVar(&c.rounds, "rounds", 9, "interleaved rounds; each lets every peer do the same operations in random order")
	flags.IntVar(&c.pages, "pages", 400, "pages a round, peer and list workload")
	flags.Uint64Var(&c.seed, "seed", 1, "seed of the dataset, the queries and the order of the peers")
	flags.StringVar(&c.data, "data", filepath.Join(os.TempDir(), "jobstore-bench"), "folder that keeps the stores that were built, for the next run")
	flags.BoolVar(&c.rebuild, "rebuild", false, "build the stores anew")
	flags.StringVar(&c.profile, "cpuprofile", "", "write a CPU profile to this file; samples are labelled with the peer (go tool pprof -tagfocus jobstore)")
	targets := flags.String("targets", "", "measure what the store has to reach instead: all, or some of pages, flat, adversarial, count, open, heap, create, import")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if c.rounds < 1 || c.pages < 1 || c.size < 1 {
		return c, errors.New("-size, -rounds and -pages must be positive")
	}
	if *targets != "" {
		c.targets = strings.Split(*targets, ",")
	}
	c.workloads = strings.Split(*workloads, ",")
	var err error
	c.peers, err = choosePeers(strings.Split(*peers, ","))
	return c, err
}

func peerNames() string {
	var names []string
	for _, p := range allPeers {
		names = append(names, p.Name())
	}
	return strings.Join(names, ", ")
}

// choosePeers returns the peers whose names begin with one of those given.
func choosePeers(given []string) ([]peer.Peer, error) {
	if slices.Contains(given, "all") {
		return allPeers, nil
	}
	for _, name := range given {
		if !slices.ContainsFunc(allPeers, func(p peer.Peer) bool { return strings.HasPrefix(p.Name(), name) }) {
			return nil, fmt.Errorf("no peer %q: there are %s", name, peerNames())
		}
	}
	var chosen []peer.Peer
	for _, p := range allPeers {
		if slices.ContainsFunc(given, func(name string) bool { return strings.HasPrefix(p.Name(), name) }) {
			chosen = append(chosen, p)
		}
	}
	return chosen, nil
}

// wants reports whether a workload, or one of the groups that it is in, was
// asked for.
func (c *config) wants(names ...string) bool {
	return slices.Contains(c.workloads, "all") ||
		slices.ContainsFunc(names, func(name string) bool { return slices.Contains(c.workloads, name) })
}

// lists returns the list workloads that were asked for.
func (c *config) lists() []workload.List {
	var lists []workload.List
	for _, l := range workload.Lists {
		if c.wants(l.Name, "list") {
			lists = append(lists, l)
		}
	}
	return lists
}
