package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/jobstore/jobstore/bench/harness"
)

const (
	pageSize  = 4 << 10
	diskPages = 1 << 18 // 1 GiB
)

// disk writes pages in different numbers and at different distances to a file that
// is there already, and syncs it as a commit does.
func disk(ctx context.Context, dir string, s harness.Schedule) (series []harness.Series, err error) {
	f, err := os.Create(filepath.Join(dir, "disk"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := fill(ctx, f); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(s.Seed, 0x6469736b))
	var subjects []harness.Subject
	for _, pages := range []int{6, 12, 18, 24} {
		for _, apart := range []int{1, 8, 64, diskPages} {
			name := fmt.Sprintf("%d pages, one in %d", pages, apart)
			switch apart {
			case 1:
				name = fmt.Sprintf("%d pages side by side", pages)
			case diskPages:
				name = fmt.Sprintf("%d pages anywhere", pages)
			}
			subjects = append(subjects, harness.Subject{Name: name, Workers: []func(int) error{func(int) error {
				return commit(f, places(rng, pages, apart))
			}}})
		}
	}
	return harness.Interleave(s, subjects, func() {})
}

func fill(ctx context.Context, f *os.File) error {
	block := make([]byte, 256*pageSize)
	for at := 0; at < diskPages*pageSize; at += len(block) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := f.WriteAt(block, int64(at)); err != nil {
			return err
		}
	}
	return f.Sync()
}

// places draws the numbers of pages, each about so many behind the one before it.
func places(rng *rand.Rand, pages, apart int) []int64 {
	at := make([]int64, pages)
	if apart == diskPages {
		for i := range at {
			at[i] = 2 + rng.Int64N(diskPages-2)
		}
		slices.Sort(at)
		return at
	}
	next := 2 + rng.Int64N(int64(diskPages-2-2*pages*apart))
	for i := range at {
		at[i] = next
		next += 1 + rng.Int64N(int64(2*apart-1))
	}
	return at
}

// commit writes the pages and then the first one.
func commit(f *os.File, at []int64) error {
	var page [pageSize]byte
	for _, id := range at {
		if _, err := f.WriteAt(page[:], id*pageSize); err != nil {
			return err
		}
	}
	if err := datasync(f); err != nil {
		return err
	}
	if _, err := f.WriteAt(page[:], 0); err != nil {
		return err
	}
	return datasync(f)
}
