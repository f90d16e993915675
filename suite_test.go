package jobstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/storetest"
)

// TestMain fails when a goroutine has outlived the store that started it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) { storetest.Run(t, openForSuite) }

func TestStorePlans(t *testing.T) { storetest.RunPlans(t, openForSuite) }

func openForSuite(dir string, o storetest.Options) (storetest.Store, error) {
	s, err := jobstore.Open(filepath.Join(dir, "jobs.db"), &jobstore.Options{NoSync: true, Now: o.Now})
	if err != nil {
		return nil, err // not a nil *Store, which as a Store would not be nil
	}
	return s, nil
}

func storePath(t *testing.T) string { return filepath.Join(t.TempDir(), "jobs.db") }

// openStore opens a store, without syncing when o is nil. The end of t checks
// and closes it, unless t has.
func openStore(t *testing.T, path string, o *jobstore.Options) *jobstore.Store {
	t.Helper()
	if o == nil {
		o = &jobstore.Options{NoSync: true}
	}
	s, err := jobstore.Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

// closeStore checks and closes s. For one that is closed it does nothing.
func closeStore(t *testing.T, s *jobstore.Store) {
	t.Helper()
	if _, err := s.Stats(context.Background()); errors.Is(err, jobstore.ErrClosed) {
		return
	}
	for problem, err := range s.Check(context.Background()) {
		require.NoError(t, err, "check")
		t.Errorf("check: %s", problem)
	}
	require.NoError(t, s.Close())
}
