package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/embedded"
	"github.com/jobstore/jobstore/bench/peer/floor"
	"github.com/jobstore/jobstore/bench/peer/hold"
	"github.com/jobstore/jobstore/bench/peer/pebble"
	"github.com/jobstore/jobstore/bench/peer/river"
	"github.com/jobstore/jobstore/bench/peer/sqlite"
	"github.com/jobstore/jobstore/bench/target"
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
	sizes     []int    // of the stores of the group sizes
	out       string
	add       bool // to the report in out
	render    string
	readme    string // to write the summary of the rendered report into
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
	workloads := flags.String("workloads", "all", "workloads to measure, separated by commas: all, names of pages, or groups: "+groupNames())
	flags.IntVar(&c.size, "size", 100_000, "jobs in the store, 10000 to 10000000")
	flags.IntVar(&c.rounds, "rounds", 3, "interleaved rounds; each lets every peer do the same operations in random order")
	flags.IntVar(&c.pages, "pages", 1000, "pages a round and peer; slow peers do fewer")
	flags.Uint64Var(&c.seed, "seed", 1, "seed of the dataset, the queries and the order of the peers")
	flags.StringVar(&c.data, "data", filepath.Join(os.TempDir(), "jobstore-bench"), "folder that keeps the stores that were built, for the next run")
	flags.BoolVar(&c.rebuild, "rebuild", false, "build the stores anew")
	sizes := flags.String("sizes", "", "sizes of the stores of the group sizes, separated by commas (default from 10000 up to -size; those beyond it are measured for jobstore alone)")
	flags.StringVar(&c.out, "out", "", `folder for the report and its plots (default "results" when all workloads are measured)`)
	flags.BoolVar(&c.add, "add", false, "keep what the report in -out has of other workloads, measured with the same size and seed")
	flags.StringVar(&c.render, "render", "", "write the report in this folder anew from its JSON, and measure nothing")
	flags.StringVar(&c.readme, "readme", "", "with -render, also write its main plot and figures into this Markdown file, between the marks that it has for them")
	flags.StringVar(&c.profile, "cpuprofile", "", "write a CPU profile to this file; samples are labelled with the peer (go tool pprof -tagfocus jobstore)")
	targets := flags.String("targets", "", "measure what the store has to reach instead: all, or some of "+strings.Join(target.Groups(), ", "))
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
		for _, name := range c.targets {
			if name != "all" && !slices.Contains(target.Groups(), name) {
				return c, fmt.Errorf("no targets %q: there are %s", name, strings.Join(target.Groups(), ", "))
			}
		}
	}
	c.workloads = strings.Split(*workloads, ",")
	if err := c.checkWorkloads(); err != nil {
		return c, err
	}
	if c.out == "" && (c.add || slices.Contains(c.workloads, "all")) {
		c.out = "results"
	}
	var err error
	if c.sizes, err = parseSizes(*sizes, c.size); err != nil {
		return c, err
	}
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

func groupNames() string {
	var names []string
	for _, g := range groups {
		names = append(names, g.name+" ("+g.about+")")
	}
	return strings.Join(names, ", ")
}

// checkWorkloads refuses what is no workload.
func (c *config) checkWorkloads() error {
	for _, name := range c.workloads {
		_, isList := workload.ListNamed(name)
		isGroup := slices.ContainsFunc(groups, func(g group) bool { return g.name == name })
		if name != "all" && !isList && !isGroup {
			return fmt.Errorf("no workload %q", name)
		}
	}
	return nil
}

func (c *config) wants(name string) bool {
	return slices.Contains(c.workloads, "all") || slices.Contains(c.workloads, name)
}

// wantsGroup reports whether a workload of g was asked for.
func (c *config) wantsGroup(g group) bool {
	return c.wants(g.name) || g.name == "list" && len(c.lists()) > 0
}

// lists returns the pages that were asked for.
func (c *config) lists() []workload.List {
	var lists []workload.List
	for _, l := range workload.Lists {
		if c.wants(l.Name) || c.wants("list") {
			lists = append(lists, l)
		}
	}
	return lists
}

// parseSizes returns the sizes that are given, or those from 10,000 to size in
// steps of about three.
func parseSizes(given string, size int) (sizes []int, err error) {
	if given == "" {
		for n := 10_000; n < size; n *= 10 {
			for _, step := range []int{n, 3 * n} {
				if step < size {
					sizes = append(sizes, step)
				}
			}
		}
		return append(sizes, size), nil
	}
	for _, word := range strings.Split(given, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("size %q is no positive number", word)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}
