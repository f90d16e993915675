package jobstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// TestManyWriters has hundreds of goroutines create, update, replace, delete
// and list at once. Each owns a few jobs and knows what they should be.
func TestManyWriters(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	goroutines, steps := 300, 20
	if testing.Short() {
		goroutines = 50
	}
	left := make([]map[jobstore.ID]jobstore.Job, goroutines)
	var wg sync.WaitGroup
	for i := range left {
		wg.Go(func() { left[i] = liveAlone(t, s, i, steps) })
	}
	wg.Wait()

	requireLeft := func(s *jobstore.Store) {
		t.Helper()
		jobs := map[jobstore.ID]jobstore.Job{}
		for job, err := range s.All(t.Context(), jobstore.Query{}) {
			require.NoError(t, err)
			jobs[job.ID] = job
		}
		n := 0
		for _, own := range left {
			for id, want := range own {
				require.Equal(t, want, jobs[id])
				n++
			}
		}
		require.Len(t, jobs, n)
	}
	requireLeft(s)
	closeStore(t, s)
	requireLeft(openStore(t, path, nil))
}

// liveAlone does random things to jobs of its own, beside others that do the
// same, and returns the jobs that it leaves.
func liveAlone(t *testing.T, s *jobstore.Store, i, steps int) map[jobstore.ID]jobstore.Job {
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(uint64(i), 7))
	own := map[jobstore.ID]jobstore.Job{}
	input := fmt.Sprintf("s3://bucket/%d", i)
	some := func() jobstore.ID {
		for id := range own {
			return id
		}
		return ""
	}
	for step := range steps {
		id := some()
		switch n := rng.IntN(6); {
		case n <= 1 || id == "":
			j := &jobstore.Job{Kind: jobstore.KindAudio, Input: input}
			if err := s.Create(ctx, j); err != nil {
				t.Errorf("create: %v", err)
				continue
			}
			own[j.ID] = readBack(t, s, j.ID)
		case n == 2:
			j := own[id]
			j.ID = jobstore.ID(fmt.Sprintf("job_%d-%d", i, step))
			j.Status = jobstore.StatusFailed
			if err := s.Put(ctx, &j); err != nil {
				t.Errorf("put: %v", err)
			}
			own[j.ID] = j
		case n == 3:
			got, err := s.Update(ctx, id, func(j *jobstore.Job) error {
				j.Status = jobstore.Status(1 << rng.IntN(5))
				return nil
			})
			if err != nil {
				t.Errorf("update: %v", err)
			}
			own[id] = got
		case n == 4:
			deleted, err := s.Delete(ctx, id)
			if err != nil || deleted != 1 {
				t.Errorf("delete: %d, %v", deleted, err)
			}
			delete(own, id)
		default: // operations that fail, beside those of others that do not
			j := own[id]
			if err := s.Create(ctx, &j); !errors.Is(err, jobstore.ErrExists) {
				t.Errorf("create what exists: %v", err)
			}
			missing := jobstore.ID(fmt.Sprintf("job_missing-%d", i))
			if _, err := s.Update(ctx, missing, nothing); !errors.Is(err, jobstore.ErrNotFound) {
				t.Errorf("update what is missing: %v", err)
			}
		}
		page, err := s.List(ctx, jobstore.Query{Input: input, Limit: 100})
		if err != nil || len(page.Jobs) != len(own) {
			t.Errorf("list: %d jobs of %d, %v", len(page.Jobs), len(own), err)
		}
		for _, j := range page.Jobs {
			if want, ok := own[j.ID]; !ok || j.Status != want.Status {
				t.Errorf("list: %s is %s, should be %s", j.ID, j.Status, want.Status)
			}
		}
	}
	return own
}

func nothing(*jobstore.Job) error { return nil }

func readBack(t *testing.T, s *jobstore.Store, id jobstore.ID) jobstore.Job {
	j, err := s.Get(t.Context(), id)
	if err != nil {
		t.Errorf("get: %v", err)
	}
	return j
}

// TestManyCounters has hundreds of goroutines add to one counter. None gets lost.
func TestManyCounters(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	require.NoError(t, s.Put(t.Context(), newJob("job_a")))
	const goroutines, each = 100, 5
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				_, err := s.Update(t.Context(), "job_a", func(j *jobstore.Job) error {
					j.Output += "+"
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, strings.Repeat("+", goroutines*each), readBack(t, s, "job_a").Output)
}

// TestFailuresInAGroup commits operations that fail together with others, which
// must not suffer from it, in every place of the group.
func TestFailuresInAGroup(t *testing.T) {
	withGate(t, func(t *testing.T, s *jobstore.Store, g *gate) {
		ctx := t.Context()
		require.NoError(t, s.Put(ctx, newJob("job_taken"), newJob("job_gone")))
		mine := errors.New("my own error")

		open := g.close()
		first := begin(func() error { return s.Put(ctx, newJob("job_first")) })
		synctest.Wait() // the writer has taken it

		type call struct {
			name string
			want error
			*pending
		}
		var calls []call
		add := func(name string, want error, fn func() error) {
			calls = append(calls, call{name, want, begin(fn)})
			synctest.Wait() // they are queued one by one
		}
		for i := range 5 {
			good := func(name string) jobstore.ID { return jobstore.ID(fmt.Sprintf("job_%s-%d", name, i)) }
			add("create", nil, func() error { return s.Create(ctx, newJob(good("created")), newJob("")) })
			add("create what exists", jobstore.ErrExists, func() error {
				return s.Create(ctx, newJob(""), newJob(good("absent")), newJob("job_taken"))
			})
			add("put", nil, func() error { return s.Put(ctx, newJob(good("put"))) })
			add("create what a neighbour creates", jobstore.ErrExists, func() error {
				return s.Create(ctx, newJob(good("absent")), newJob(good("created")))
			})
			add("update what a neighbour updates", nil, func() error {
				_, err := s.Update(ctx, "job_taken", func(j *jobstore.Job) error {
					j.Output += "+"
					return nil
				})
				return err
			})
			add("update by a fn that fails", mine, func() error {
				_, err := s.Update(ctx, "job_taken", func(*jobstore.Job) error { return mine })
				return err
			})
			add("delete", nil, func() error {
				_, err := s.Delete(ctx, good("put"), good("created"))
				return err
			})
		}
		add("delete what is updated", nil, func() error {
			_, err := s.Delete(ctx, "job_gone")
			return err
		})
		add("update what is deleted", jobstore.ErrNotFound, func() error {
			_, err := s.Update(ctx, "job_gone", nothing)
			return err
		})
		open()

		require.NoError(t, first.wait())
		for _, c := range calls {
			require.ErrorIs(t, c.wait(), c.want, c.name)
		}
		require.Equal(t, "+++++", readBack(t, s, "job_taken").Output)
		n, err := s.Count(ctx, jobstore.Query{})
		require.NoError(t, err)
		require.EqualValues(t, 7, n, "the first, the taken and five with minted IDs")
		for i := range 5 {
			_, err := s.Get(ctx, jobstore.ID(fmt.Sprintf("job_absent-%d", i)))
			require.ErrorIs(t, err, jobstore.ErrNotFound)
		}
	})
}

// TestCancelQueued ends contexts of operations that wait for their turn. They
// give up at once and leave nothing, while their neighbours are carried out.
func TestCancelQueued(t *testing.T) {
	withGate(t, func(t *testing.T, s *jobstore.Store, g *gate) {
		require.NoError(t, s.Put(t.Context(), newJob("job_a"), newJob("job_b")))
		want := readBack(t, s, "job_a")
		open := g.close()
		first := begin(func() error { return s.Put(t.Context(), newJob("job_first")) })
		synctest.Wait()

		ctx, cancel := context.WithCancel(t.Context())
		created := newJob("")
		calls := map[string]*pending{
			"create": begin(func() error { return s.Create(ctx, created) }),
			"put":    begin(func() error { return s.Put(ctx, newJob("job_absent")) }),
			"update": begin(func() error {
				_, err := s.Update(ctx, "job_a", func(j *jobstore.Job) error {
					j.Output = "s3://out"
					return nil
				})
				return err
			}),
			"delete": begin(func() error {
				n, err := s.Delete(ctx, "job_b")
				if n != 0 {
					t.Errorf("says that it has deleted %d", n)
				}
				return err
			}),
		}
		timed, cancelTimed := context.WithTimeout(t.Context(), time.Minute)
		defer cancelTimed()
		late := begin(func() error { return s.Put(timed, newJob("job_late")) })
		neighbour := begin(func() error { return s.Put(t.Context(), newJob("job_neighbour")) })
		synctest.Wait()
		cancel()
		for name, c := range calls {
			require.ErrorIs(t, c.wait(), context.Canceled, name) // though the gate is shut
		}
		require.ErrorIs(t, late.wait(), context.DeadlineExceeded)
		require.False(t, neighbour.ended())
		open()
		require.NoError(t, first.wait())
		require.NoError(t, neighbour.wait())

		require.Equal(t, newJob(""), created, "untouched")
		require.Equal(t, want, readBack(t, s, "job_a"))
		var left []jobstore.ID
		for job, err := range s.All(t.Context(), jobstore.Query{Order: jobstore.Asc}) {
			require.NoError(t, err)
			left = append(left, job.ID)
		}
		require.Equal(t, []jobstore.ID{"job_a", "job_b", "job_first", "job_neighbour"}, left)
	})
}

// TestCancelTaken ends the context of an operation that is being carried out:
// it waits for the outcome and returns it.
func TestCancelTaken(t *testing.T) {
	withGate(t, func(t *testing.T, s *jobstore.Store, g *gate) {
		require.NoError(t, s.Put(t.Context(), newJob("job_a"), newJob("job_b"), newJob("job_taken")))
		for name, c := range map[string]struct {
			call func(context.Context) error
			want error
			done func() bool
		}{
			"create": {
				func(ctx context.Context) error { return s.Create(ctx, newJob("job_created")) }, nil,
				func() bool { return readBack(t, s, "job_created").ID != "" },
			},
			"refused": {
				func(ctx context.Context) error { return s.Create(ctx, newJob("job_taken")) }, jobstore.ErrExists,
				func() bool { return true },
			},
			"update": {
				func(ctx context.Context) error {
					_, err := s.Update(ctx, "job_a", func(j *jobstore.Job) error {
						j.Output = "s3://out"
						return nil
					})
					return err
				}, nil,
				func() bool { return readBack(t, s, "job_a").Output != "" },
			},
			"delete": {
				func(ctx context.Context) error {
					_, err := s.Delete(ctx, "job_b")
					return err
				}, nil,
				func() bool {
					_, err := s.Get(t.Context(), "job_b")
					return errors.Is(err, jobstore.ErrNotFound)
				},
			},
		} {
			g.clock = name == "refused" // there is no commit to stand still at
			open := g.close()
			ctx, cancel := context.WithCancel(t.Context())
			call := begin(func() error { return c.call(ctx) })
			synctest.Wait() // the writer has taken it and stands at the gate
			cancel()
			synctest.Wait()
			require.False(t, call.ended(), "%s: the outcome is not known yet", name)
			open()
			require.ErrorIs(t, call.wait(), c.want, name)
			require.True(t, c.done(), name)
		}
	})
}

// TestCloseDrains closes a store with operations in the queue: they are carried
// out, and Close waits for them. What comes later is refused.
func TestCloseDrains(t *testing.T) {
	path := storePath(t)
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		s := openStore(t, path, g.options())
		open := g.close()
		var puts []*pending
		for i := range 10 {
			puts = append(puts, begin(func() error {
				return s.Put(t.Context(), newJob(jobstore.ID(fmt.Sprintf("job_%d", i))))
			}))
			synctest.Wait()
		}
		closing := begin(s.Close)
		synctest.Wait()
		require.ErrorIs(t, s.Put(t.Context(), newJob("job_late")), jobstore.ErrClosed, "at once, though the gate is shut")
		for _, p := range append(puts, closing) {
			require.False(t, p.ended())
		}
		again := begin(s.Close) // waits for the first
		open()
		for _, p := range append(puts, closing, again) {
			require.NoError(t, p.wait())
		}
	})
	s := openStore(t, path, nil)
	n, err := s.Count(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	require.EqualValues(t, 10, n)
}

// TestCloseDuringEverything closes a store in the middle of all that goes on.
// Each call succeeds, and then what it did is in the file, or says ErrClosed.
func TestCloseDuringEverything(t *testing.T) {
	for round := range 5 {
		path := storePath(t)
		s := openStore(t, path, nil)
		require.NoError(t, s.Put(t.Context(), newJob("job_counter"), newJob("job_read")))

		const goroutines = 60
		var wg sync.WaitGroup
		var stored [goroutines][]jobstore.ID // those that must be there
		var added, calls atomic.Int64
		for i := range goroutines {
			wg.Go(func() {
				for n := 0; ; n++ {
					id := jobstore.ID(fmt.Sprintf("job_%d-%d", i, n))
					var err error
					switch (i + n) % 6 {
					case 0:
						j := newJob("")
						if err = s.Create(t.Context(), j); err == nil {
							id = j.ID
							stored[i] = append(stored[i], id)
						}
					case 1:
						if err = s.Put(t.Context(), newJob(id)); err == nil {
							stored[i] = append(stored[i], id)
						}
					case 2:
						_, err = s.Update(t.Context(), "job_counter", func(j *jobstore.Job) error {
							j.Output += "+"
							return nil
						})
						if err == nil {
							added.Add(1)
						}
					case 3:
						if len(stored[i]) > 0 {
							last := len(stored[i]) - 1
							if _, err = s.Delete(t.Context(), stored[i][last]); err == nil {
								stored[i] = stored[i][:last]
							}
						}
					case 4:
						_, err = s.List(t.Context(), jobstore.Query{Kind: jobstore.KindVideo, Input: "s3://bucket/a.mov"})
					case 5:
						for _, err = range s.All(t.Context(), jobstore.Query{Status: jobstore.StatusQueued}) {
							if err != nil {
								break
							}
						}
					}
					calls.Add(1)
					if errors.Is(err, jobstore.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("%s: %v", id, err)
						return
					}
				}
			})
		}
		for calls.Load() < int64(200*(round+1)) {
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Put(t.Context(), newJob("job_late")), jobstore.ErrClosed)
		_, err := s.Get(t.Context(), "job_read")
		require.ErrorIs(t, err, jobstore.ErrClosed)
		wg.Wait()

		s = openStore(t, path, nil)
		want := map[jobstore.ID]bool{"job_counter": true, "job_read": true}
		for _, ids := range stored {
			for _, id := range ids {
				want[id] = true
			}
		}
		for job, err := range s.All(t.Context(), jobstore.Query{}) {
			require.NoError(t, err)
			require.True(t, want[job.ID], "%s is in the store, though nobody was told so", job.ID)
			delete(want, job.ID)
		}
		require.Empty(t, want, "in the store, their callers were told")
		require.Len(t, readBack(t, s, "job_counter").Output, int(added.Load()))
	}
}
