// Command http measures what a page costs over HTTP on loopback: the library's
// handler over its own store, the same handler over SQLite, and as the floor an
// empty handler of net/http that sends as many bytes.
//
//	go run ./http -help
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/workload"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "http:", err)
		os.Exit(1)
	}
}

// allPages are the workloads that are measured.
const allPages = "first,anywhere,kind,status,kind+status,hot input,unique input,before"

// What the handler has to reach, in one run.
const (
	mostOfFloor   = 3 // times the time of the floor, for the first page
	leastOfSQLite = 3 // times the requests a second of the best SQLite
)

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("http", flag.ContinueOnError)
	pages := flags.String("pages", allPages, "pages to measure, separated by commas")
	size := flags.Int("size", 100_000, "jobs in the store")
	rounds := flags.Int("rounds", 7, "interleaved rounds")
	requests := flags.Int("requests", 2000, "requests a round and server")
	clients := flags.Int("clients", 8, "clients at the same time, where requests a second are measured")
	seed := flags.Uint64("seed", 1, "seed of the dataset, the queries and the order of the servers")
	data := flags.String("data", filepath.Join(os.TempDir(), "jobstore-bench"), "folder that keeps the stores that were built")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(*data, 0o755); err != nil {
		return err
	}
	folder := &cache.Folder{Path: *data, Progress: progress}
	set := dataset.Set{Name: dataset.Realistic, Size: *size, Seed: *seed}
	servers, err := start(ctx, folder, set, *clients)
	defer func() {
		for _, s := range servers {
			s.close()
		}
	}()
	if err != nil {
		return err
	}
	m := harness.ThisMachine()
	fmt.Printf("%d jobs; %s, %d cores, %s, %s\n", *size, m.CPU, m.Cores, m.OS, m.Go)
	fmt.Println("Client and server share the machine and the process. Times of one client; requests a second of", *clients, "clients.")

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "page\tserver\tmedian µs\tp99 µs\tof floor\trequests/s\tjobstore is")
	for name := range strings.SplitSeq(*pages, ",") {
		list, ok := workload.ListNamed(name)
		if !ok {
			return fmt.Errorf("no page %q", name)
		}
		queries := list.Queries(folder.Facts(set), 500, *seed)
		if err := compareAnswers(servers, queries); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s := harness.Schedule{Rounds: *rounds, Ops: *requests, Seed: *seed}
		alone, err := measure(ctx, s, servers, queries, 1)
		if err != nil {
			return err
		}
		together, err := measure(ctx, s, servers, queries, *clients)
		if err != nil {
			return err
		}
		for i, server := range servers {
			one := alone[i].Summary()
			_, _ = fmt.Fprintf(table, "%s\t%s\t%.1f\t%.1f\t%.2f\t%.0f\t%.2f×\n", name, server.name,
				micros(one.Median), micros(one.P99), alone[i].Ratio(alone[0]),
				together[i].Summary().PerSecond, together[i].WallRatio(together[1]))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Println("The first page is to take at most", mostOfFloor, "times the floor, and jobstore to answer at least", leastOfSQLite,
		"times the requests of SQLite.")
	return nil
}

// measure lets some clients at a time ask each server for pages.
func measure(ctx context.Context, s harness.Schedule, servers []*server, queries []jobstore.Query, clients int) ([]harness.Series, error) {
	list, closeAll, err := subjects(ctx, servers, queries, clients)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	return harness.Interleave(s, list, func() {})
}
