package jobstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
)

// What a later version has put into a record is still there, byte for byte, after
// this version has changed the job. A new job that is made from it does not get it.
func TestUpdateKeepsWhatALaterVersionStored(t *testing.T) {
	later := []byte{2, 1, 0xa2, 'w', '7'} // attempt 2, released 1, worker "w7"
	path := storePath(t)
	s := openStore(t, path, nil)
	job := &jobstore.Job{ID: "job_later", Kind: jobstore.KindVideo, Status: jobstore.StatusQueued, Input: "x"}
	jobstore.SetRest(job, 3, later)
	require.NoError(t, s.Put(t.Context(), job))
	_, err := s.Update(t.Context(), job.ID, func(j *jobstore.Job) error {
		j.Status = jobstore.StatusFailed
		return nil
	})
	require.NoError(t, err)
	_, err = s.Update(t.Context(), job.ID, func(j *jobstore.Job) error {
		*j = jobstore.Job{ID: j.ID, Kind: j.Kind, Status: j.Status, Input: "another", CreatedAt: j.CreatedAt}
		return nil
	})
	require.NoError(t, err)
	got, err := s.Get(t.Context(), job.ID)
	require.NoError(t, err)
	got.ID = "job_copy"
	require.NoError(t, s.Create(t.Context(), &got))
	got.ID = "job_copy2"
	_, err = s.CreateOnce(t.Context(), "key", &got)
	require.NoError(t, err)
	closeStore(t, s)
	withBolt(t, path, func(tx *bbolt.Tx) error {
		jobs := tx.Bucket([]byte("jobstore")).Bucket([]byte("jobs"))
		for id, want := range map[string]int{"later": 15, "copy": 12, "copy2": 12} {
			record := jobs.Get([]byte(id))
			require.NotNil(t, record, id)
			require.EqualValues(t, 0x90|want, record[9], "%s has %d elements", id, want)
			if want == 15 {
				require.Equal(t, later, record[len(record)-len(later):])
			}
		}
		return nil
	})
}
