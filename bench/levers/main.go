// Command levers measures what the price of a durable write is made of: where its
// pages lie on the disk and how many they are, and how bbolt is set up.
//
//	go run ./levers -help
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"

	"github.com/jobstore/jobstore/bench/harness"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "levers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("levers", flag.ContinueOnError)
	data := flags.String("data", os.TempDir(), "folder for the files that are written; it decides which disk is measured")
	size := flags.Int("size", 100_000, "jobs in the stores")
	rounds := flags.Int("rounds", 9, "interleaved rounds")
	ops := flags.Int("ops", 50, "writes a round and form")
	seed := flags.Uint64("seed", 1, "seed of the dataset, the places and the order of the forms")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(*data, "levers-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s := harness.Schedule{Rounds: *rounds, Ops: *ops, Seed: *seed}
	m := harness.ThisMachine()
	fmt.Printf("%s, %d cores, %s, %s\n\n", m.CPU, m.Cores, m.OS, m.Go)

	fmt.Println("Pages of 4 KiB written, synced, and one more written and synced, as a commit of bbolt does:")
	series, err := disk(ctx, dir, s)
	if err := errors.Join(err, print(series, series)); err != nil {
		return err
	}
	fmt.Printf("\nA job created in a store of %d jobs, by one goroutine:\n", *size)
	series, err = forms(ctx, dir, *size, s)
	return errors.Join(err, print(series, series))
}

// print writes the medians of series, and how they compare with the first.
func print(series, base []harness.Series) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "form\tmedian µs\tp99 µs\tof the first")
	for _, s := range series {
		sum := s.Summary()
		_, _ = fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.2f\n", s.Name, micros(sum.Median), micros(sum.P99), s.Ratio(base[0]))
	}
	return table.Flush()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
