package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/embedded"
	"github.com/jobstore/jobstore/bench/workload"
)

// The library's own workloads as Go benchmarks, to compare one commit with
// another (scripts/compare_benchmarks.sh). The stores are built anew in each run,
// as another commit may lay them out in another way.

var size = flag.Int("size", 100_000, "jobs in the stores of the benchmarks")

var folder = &cache.Folder{Progress: func(string, int) (func(int), func()) { return func(int) {}, func() {} }}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "jobstore-bench-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	folder.Path = dir
	return m.Run()
}

func set(name string) dataset.Set { return dataset.Set{Name: name, Size: *size, Seed: 1} }

// openStore opens a store of the set for reading.
func openStore(b *testing.B, name string) *jobstore.Store {
	b.Helper()
	dir, err := folder.Dir(b.Context(), set(name), embedded.New())
	if err != nil {
		b.Fatal(err)
	}
	return open(b, dir)
}

// openCopy opens a copy of a store, to be written to.
func openCopy(b *testing.B) *jobstore.Store {
	b.Helper()
	dir, remove, err := folder.Copy(b.Context(), set(dataset.Realistic), embedded.New())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(remove)
	return open(b, dir)
}

func open(b *testing.B, dir string) *jobstore.Store {
	b.Helper()
	store, err := jobstore.Open(dir+"/"+embedded.FileName, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	return store
}

func BenchmarkPage(b *testing.B) {
	for _, l := range workload.Lists {
		b.Run(l.Name, func(b *testing.B) {
			store := openStore(b, l.Set)
			queries := l.Queries(folder.Facts(set(l.Set)), 4096, 1)
			examined := 0
			for _, q := range queries[:64] {
				plan, err := store.Explain(b.Context(), q)
				if err != nil {
					b.Fatal(err)
				}
				examined += plan.Examined
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := store.List(b.Context(), queries[i%len(queries)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(examined)/64, "examined/op")
		})
	}
}

func BenchmarkCount(b *testing.B) {
	facts := folder.Facts(set(dataset.Realistic))
	for _, count := range []struct {
		name  string
		query jobstore.Query
	}{
		{"kind+status", jobstore.Query{Kind: jobstore.KindVideo, Status: jobstore.StatusSucceeded}},
		{"hot input", jobstore.Query{Input: facts.Hot[0]}},
	} {
		b.Run(count.name, func(b *testing.B) {
			store := openStore(b, dataset.Realistic)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.Count(b.Context(), count.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	store := openStore(b, dataset.Realistic)
	ids := folder.Facts(set(dataset.Realistic)).Positions
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := store.Get(b.Context(), ids[i*7919%len(ids)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkAll(b *testing.B) {
	store := openStore(b, dataset.Realistic)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range store.All(b.Context(), jobstore.Query{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*size), "ns/job")
}

func BenchmarkJSON(b *testing.B) {
	store := openStore(b, dataset.Realistic)
	page, err := store.List(b.Context(), jobstore.Query{})
	if err != nil {
		b.Fatal(err)
	}
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = body[:0]
		for i := range page.Jobs {
			body = page.Jobs[i].AppendJSON(body)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir, err := folder.Dir(b.Context(), set(dataset.Realistic), embedded.New())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		store, err := embedded.New().Open(dir, peer.Durable)
		if err := errors.Join(err, store.Close()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	jobs := slices.Collect(dataset.Set{Name: dataset.Realistic, Size: 1000, Seed: 2}.Jobs())
	create := func(b *testing.B, store *jobstore.Store, i int) {
		job := *jobs[i%len(jobs)]
		job.ID = ""
		if err := store.Create(context.Background(), &job); err != nil {
			b.Error(err)
		}
	}
	b.Run("goroutines=1", func(b *testing.B) {
		store := openCopy(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			create(b, store, i)
		}
	})
	for _, goroutines := range []int{8, 64} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			store := openCopy(b)
			b.ReportAllocs()
			b.SetParallelism(max(1, goroutines/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					create(b, store, i)
				}
			})
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	store := openCopy(b)
	ids := folder.Facts(set(dataset.Realistic)).Positions
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_, err := store.Update(b.Context(), ids[i*7919%len(ids)], func(j *jobstore.Job) error {
			j.Status = jobstore.StatusQueued << (i % 2)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkPut1000(b *testing.B) {
	store, err := jobstore.Open(b.TempDir()+"/jobs.db", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		jobs := slices.Collect(dataset.Set{Name: dataset.Realistic, Size: 1000, Seed: uint64(i)}.Jobs())
		b.StartTimer()
		if err := store.Put(b.Context(), jobs...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/job")
}
