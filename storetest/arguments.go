package storetest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// calls returns a call of every method of f. Each succeeds on a store that holds
// job_a, unless its context has ended.
func calls(f *fixture) map[string]func(ctx context.Context) error {
	return map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error { return f.Create(ctx, newJob("")) },
		"Put":    func(ctx context.Context) error { return f.Put(ctx, newJob("job_b")) },
		"Get": func(ctx context.Context) error {
			_, err := f.Get(ctx, "job_a")
			return err
		},
		"Update": func(ctx context.Context) error {
			_, err := f.Update(ctx, "job_a", func(*jobstore.Job) error { return nil })
			return err
		},
		"Delete": func(ctx context.Context) error {
			_, err := f.Delete(ctx, "job_b")
			return err
		},
		"List": func(ctx context.Context) error {
			_, err := f.List(ctx, jobstore.Query{})
			return err
		},
		"All": func(ctx context.Context) error {
			for _, err := range f.All(ctx, jobstore.Query{}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"Count": func(ctx context.Context) error {
			_, err := f.Count(ctx, jobstore.Query{})
			return err
		},
		"Explain": func(ctx context.Context) error {
			_, err := f.Explain(ctx, jobstore.Query{})
			return err
		},
		"Stats": func(ctx context.Context) error {
			_, err := f.Stats(ctx)
			return err
		},
		"Check": func(ctx context.Context) error {
			for problem, err := range f.Check(ctx) {
				if err != nil {
					return err
				}
				return errors.New(problem.String())
			}
			return nil
		},
	}
}

func testContexts(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(newJob("job_a"))
	want := f.get("job_a")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithTimeout(t.Context(), -1)
	defer cancelLate()
	for name, call := range calls(f) {
		require.ErrorIs(t, call(cancelled), context.Canceled, name)
		require.ErrorIs(t, call(late), context.DeadlineExceeded, name)
		require.Equal(t, []jobstore.ID{"job_a"}, ids(f.all(jobstore.Query{})), "%s did something", name)
		require.Equal(t, want, f.get("job_a"), "%s did something", name)
	}
	for name, call := range calls(f) {
		require.NoError(t, call(t.Context()), name)
	}
}

func testBadQueries(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(newJob("job_a"))
	for _, c := range []struct {
		field string
		query jobstore.Query
	}{
		{"kind", jobstore.Query{Kind: 1 << 5}},
		{"kind", jobstore.Query{Kind: jobstore.KindVideo | 1<<15}},
		{"status", jobstore.Query{Status: 1 << 5}},
		{"status", jobstore.Query{Status: 0xffff}},
		{"input", jobstore.Query{Input: "\xff"}},
		{"input", jobstore.Query{Input: strings.Repeat("x", jobstore.MaxInput+1)}},
		{"input_sha256", jobstore.Query{InputSHA256: strings.Repeat("0", 63)}},
		{"input_sha256", jobstore.Query{InputSHA256: strings.Repeat("0", 65)}},
		{"input_sha256", jobstore.Query{InputSHA256: strings.Repeat("0", 63) + "g"}},
		{"input_sha256", jobstore.Query{Input: "a", InputSHA256: sumOf("a")}},
		{"limit", jobstore.Query{Limit: -1}},
		{"limit", jobstore.Query{Limit: 101}},
		{"limit", jobstore.Query{Limit: math.MinInt}},
		{"after", jobstore.Query{After: "job_"}},
		{"after", jobstore.Query{After: "a"}},
		{"before", jobstore.Query{Before: "job_a\x00"}},
		{"before", jobstore.Query{Before: "JOB_a"}},
		{"before", jobstore.Query{Before: jobstore.ID("job_" + strings.Repeat("a", 65))}},
		{"order", jobstore.Query{Order: 2}},
		{"order", jobstore.Query{Order: 255}},
	} {
		_, err := f.List(t.Context(), c.query)
		requireField(t, err, c.field)
		_, err = f.Explain(t.Context(), c.query)
		requireField(t, err, c.field)
		_, err = f.Count(t.Context(), c.query)
		requireField(t, err, c.field)
		for _, err := range f.All(t.Context(), c.query) {
			if c.field == "limit" {
				require.NoError(t, err, "All has no limit")
			} else {
				requireField(t, err, c.field)
			}
		}
	}
}

func testBadIDs(t *testing.T, open Factory) {
	f := newFixture(t, open)
	for _, id := range []jobstore.ID{
		"", "j", "job", "job_", "job-a", "Job_a", " job_a", "job_a ", "job_a\n", "job_\x00", "job_é", "job_a/b", "job_a.b",
		"job_\xff", "task_a", jobstore.ID("job_" + strings.Repeat("a", 65)), jobstore.ID(strings.Repeat("job_", 10000)),
	} {
		_, err := f.Get(t.Context(), id)
		requireField(t, err, "id")
		_, err = f.Update(t.Context(), id, func(*jobstore.Job) error { return nil })
		requireField(t, err, "id")
		_, err = f.Delete(t.Context(), id)
		requireField(t, err, "id")
		j := newJob("job_a")
		j.ID = id
		requireField(t, f.Put(t.Context(), j), "id")
		if id != "" {
			requireField(t, f.Create(t.Context(), j), "id")
		}
	}
	require.Zero(t, f.stats().Jobs)
}

// testNilArguments passes nil for every argument that can be nil.
func testNilArguments(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(newJob("job_a"))
	requireField(t, f.Create(t.Context(), nil), "job")
	requireField(t, f.Put(t.Context(), nil), "job")
	requireField(t, f.Put(t.Context(), newJob("job_b"), nil), "job")
	_, err := f.Update(t.Context(), "job_a", nil)
	requireField(t, err, "fn")
	require.EqualValues(t, 1, f.stats().Jobs)
	for name, call := range calls(f) {
		require.NotPanics(t, func() {
			_ = call(nil)
		}, name)
	}
}

func testClose(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(newJob("job_a"))
	f.check()
	f.open = false
	require.NoError(t, f.Close())
	for name, call := range calls(f) {
		require.ErrorIs(t, call(context.Background()), jobstore.ErrClosed, name)
	}
	require.NoError(t, f.Close(), "a second Close does nothing")
	f.start()
	require.Equal(t, []jobstore.ID{"job_a"}, ids(f.all(jobstore.Query{})), "what was refused has left nothing")
}

// requireField fails t unless err is a FieldError that names field.
func requireField(t tester, err error, field string) {
	t.Helper()
	require.ErrorIs(t, err, jobstore.ErrInvalid)
	var fieldErr *jobstore.FieldError
	require.ErrorAs(t, err, &fieldErr)
	require.Equal(t, field, fieldErr.Field, err.Error())
	require.NotEmpty(t, fieldErr.Reason)
}

func isOneOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
