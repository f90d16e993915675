package jobstore_test

import (
	"path/filepath"
	"testing"

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
