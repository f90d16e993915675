package jobstore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
)

// salvage returns what Salvage gets out of the file at path, which it must not
// change.
func salvage(t *testing.T, path string) ([]jobstore.Job, jobstore.SalvageReport) {
	t.Helper()
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	var out bytes.Buffer
	report, err := jobstore.Salvage(t.Context(), path, &out, nil)
	require.NoError(t, err)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after), "the file was changed")
	require.EqualValues(t, len(before), report.FileBytes)
	jobs := []jobstore.Job{}
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var j jobstore.Job
		require.NoError(t, json.Unmarshal(lines.Bytes(), &j))
		jobs = append(jobs, j)
	}
	require.NoError(t, lines.Err())
	require.EqualValues(t, len(jobs), report.Jobs)
	require.True(t, slices.IsSortedFunc(jobs, func(a, b jobstore.Job) int { return strings.Compare(string(a.ID), string(b.ID)) }))
	return jobs, report
}

// compact returns jobs as they come back from NDJSON.
func compact(t *testing.T, jobs []jobstore.Job) []jobstore.Job {
	t.Helper()
	jobs = slices.Clone(jobs)
	for i := range jobs {
		var b bytes.Buffer
		text := jobs[i].AppendJSON(nil)
		if bytes.ContainsAny(text, "\r\n") {
			require.NoError(t, json.Compact(&b, text))
			text = b.Bytes()
		}
		jobs[i] = jobstore.Job{}
		require.NoError(t, json.Unmarshal(text, &jobs[i]))
	}
	return jobs
}

// usedStore is a store whose free pages hold what was: every tenth job was changed
// and every tenth deleted, in the last two commits. It returns what it holds, and
// the IDs of the jobs that were deleted.
func usedStore(t *testing.T, path string) (jobs []jobstore.Job, deleted []jobstore.ID) {
	t.Helper()
	clock := newHandClock()
	s := openStore(t, path, &jobstore.Options{NoSync: true, Now: clock.Now})
	made := fill(t, s, 700)
	require.NoError(t, s.Put(t.Context(), &jobstore.Job{
		ID: "job_long", Kind: jobstore.KindVideo, Status: jobstore.StatusFailed, Input: "x",
		Tasks: append(append([]byte(`["`), bytes.Repeat([]byte("pad] "), 60_000)...), "\"] \n"...),
	}, mirrored(2030)))
	var changed []*jobstore.Job
	for i := 0; i < len(made); i += 10 {
		j := *made[i]
		j.Output, j.UpdatedAt = changedOutput, j.UpdatedAt.Add(time.Second)
		changed = append(changed, &j)
		deleted = append(deleted, made[i+5].ID)
	}
	// A mirror may well go back in time.
	require.NoError(t, s.Put(t.Context(), append(changed, mirrored(2020))...))
	_, err := s.Delete(t.Context(), deleted...)
	require.NoError(t, err)
	jobs = compact(t, everything(t, s))
	closeStore(t, s)
	return jobs, deleted
}

const changedOutput = "s3://bucket/changed"

// mirrored is a job that was put twice, the second time with an earlier time of
// its last update.
func mirrored(year int) *jobstore.Job {
	return &jobstore.Job{
		ID: "job_mirrored", Kind: jobstore.KindVideo, Status: jobstore.StatusFailed, Input: "x",
		UpdatedAt: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// A sound store gives exactly what it holds, whatever stands in its free pages.
func TestSalvageOfSoundStore(t *testing.T) {
	path := storePath(t)
	want, _ := usedStore(t, path)
	jobs, report := salvage(t, path)
	require.Equal(t, want, jobs)
	require.Equal(t, jobstore.SalvageReport{Jobs: int64(len(want)), FileBytes: report.FileBytes}, report)

	empty := storePath(t)
	closeStore(t, openStore(t, empty, nil))
	jobs, report = salvage(t, empty)
	require.Empty(t, jobs)
	require.Equal(t, jobstore.SalvageReport{FileBytes: report.FileBytes}, report)
}

// A store that was not closed gives what was committed.
func TestSalvageAfterCrash(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	fill(t, s, 500)
	require.NoError(t, s.Create(t.Context(), queuedVideo("last")))
	image := filepath.Join(t.TempDir(), "image.db")
	f, err := os.Create(image)
	require.NoError(t, err)
	_, err = s.Backup(t.Context(), f)
	require.NoError(t, errors.Join(err, f.Close()))
	jobs, _ := salvage(t, image)
	require.Equal(t, compact(t, everything(t, s)), jobs)
}

// What cannot be read is missing, and everything else is there, in its last
// version.
func TestSalvageOfDamagedStore(t *testing.T) {
	const pageSize = 4096
	bucketRoot := func(t *testing.T, path, name string) (page int64) {
		withBolt(t, path, func(tx *bbolt.Tx) error {
			require.Equal(t, pageSize, tx.DB().Info().PageSize)
			page = int64(tx.Bucket([]byte("jobstore")).Bucket([]byte(name)).Root())
			return nil
		})
		return page
	}
	zeros := make([]byte, pageSize)
	for name, test := range map[string]struct {
		damage func(t *testing.T, path string)
		// whether what was deleted can come back, and how many jobs are lost at most
		uncertain bool
		lost      int
	}{
		"both meta pages": {func(t *testing.T, path string) {
			overwrite(t, path, 0, make([]byte, 2*pageSize))
		}, true, 0},
		"one meta page": {func(t *testing.T, path string) { overwrite(t, path, pageSize, zeros) }, true, 0},
		"a branch without its last child": {func(t *testing.T, path string) {
			root := bucketRoot(t, path, "jobs")
			file, err := os.ReadFile(path)
			require.NoError(t, err)
			count := binary.NativeEndian.Uint16(file[root*pageSize+10:])
			overwrite(t, path, root*pageSize+10, binary.NativeEndian.AppendUint16(nil, count-1))
		}, true, 0},
		"root of jobs": {func(t *testing.T, path string) {
			overwrite(t, path, bucketRoot(t, path, "jobs")*pageSize, zeros)
		}, true, 0},
		"root of an index": {func(t *testing.T, path string) {
			overwrite(t, path, bucketRoot(t, path, "kind")*pageSize, zeros)
		}, false, 0},
		"head of a page of jobs": {func(t *testing.T, path string) {
			page, _ := leafPage(t, path, "jobs")
			overwrite(t, path, int64(page)*pageSize, make([]byte, 16))
		}, true, 0},
		"page of jobs": {func(t *testing.T, path string) {
			page, _ := leafPage(t, path, "jobs")
			overwrite(t, path, int64(page)*pageSize, zeros)
		}, true, 40},
		"all page heads": {func(t *testing.T, path string) {
			for at := int64(0); at < fileSize(t, path); at += pageSize {
				overwrite(t, path, at, make([]byte, 16))
			}
		}, true, 700}, // or their tasks, where they go on over pages
		"cut off": {func(t *testing.T, path string) {
			require.NoError(t, os.Truncate(path, fileSize(t, path)/8))
		}, true, 700},
	} {
		t.Run(name, func(t *testing.T) {
			path := storePath(t)
			want, deleted := usedStore(t, path)
			test.damage(t, path)
			jobs, report := salvage(t, path)
			byID := map[jobstore.ID]jobstore.Job{}
			for _, j := range jobs {
				byID[j.ID] = j
			}
			lost := 0
			for _, w := range want {
				got, ok := byID[w.ID]
				switch {
				case !ok:
					lost++
				case w.ID == "job_mirrored":
					// Without the pages that lead to it, only the time tells.
					require.Contains(t, []int{2020, 2030}, got.UpdatedAt.Year())
				case test.lost == 0:
					require.Equal(t, w, got)
				}
				delete(byID, w.ID)
			}
			require.LessOrEqual(t, lost, test.lost)
			if test.lost > 0 {
				require.NotZero(t, lost+int(report.TasksLost), "the damage has hit no record")
			}
			for id := range byID {
				require.Contains(t, deleted, id, "a job that never was")
				require.True(t, test.uncertain)
			}
			require.LessOrEqual(t, int64(len(byID)), report.Uncertain)
			if test.uncertain && test.lost == 0 {
				require.NotEmpty(t, byID, "the test has made no remains of deleted jobs")
				require.Zero(t, report.TasksLost)
			}
			if test.uncertain && test.lost == 0 { // otherwise they may be lost as well
				require.NotZero(t, report.Older)
			}

			// What it wrote can be stored.
			s := openStore(t, storePath(t), nil)
			for i := range jobs {
				require.NoError(t, s.Put(t.Context(), &jobs[i]))
			}
		})
	}
}

// Of a damaged record an earlier copy is taken if there is one; what has been
// deleted does not come back for that.
func TestSalvageOfDamagedRecords(t *testing.T) {
	var want, jobs []jobstore.Job
	var deleted []jobstore.ID
	var report jobstore.SalvageReport
	// bbolt may have written over all earlier copies, in some stores.
	for tries := 0; report.Uncertain == 0; tries++ {
		require.Less(t, tries, 20, "no store has an earlier copy")
		path := storePath(t)
		want, deleted = usedStore(t, path)
		changed := slices.IndexFunc(want, func(j jobstore.Job) bool { return j.Output == changedOutput })
		offset := recordOffset(t, path, want[changed].ID)
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		overwrite(t, path, offset+20, []byte{file[offset+20] ^ 1})
		jobs, report = salvage(t, path)
		require.EqualValues(t, 1, report.Damaged)
		require.NotZero(t, report.UnreadBytes)
	}
	require.EqualValues(t, 1, report.Uncertain)
	// The newest of the earlier copies is the one from before the deletion, which
	// wrote the page again.
	require.Equal(t, want, jobs)
	for _, j := range jobs {
		require.NotContains(t, deleted, j.ID)
	}
}

// recordOffset returns where in the file the record of a job is.
func recordOffset(t *testing.T, path string, id jobstore.ID) (offset int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket([]byte("jobstore")).Bucket([]byte("jobs")).Get([]byte(id[len("job_"):]))
		offset = int64(uintptr(unsafe.Pointer(&value[0])) - db.Info().Data)
		return nil
	}))
	require.NoError(t, db.Close())
	return offset
}

// While both meta pages are sound, what they lead to is what was committed last,
// even if it says that it is older.
func TestSalvageTrustsThePagesInUse(t *testing.T) {
	path := storePath(t)
	usedStore(t, path)
	page, pageSize := leafPage(t, path, "jobs")
	overwrite(t, path, int64(page)*pageSize, make([]byte, 16))
	jobs, _ := salvage(t, path)
	for _, j := range jobs {
		if j.ID == "job_mirrored" {
			require.Equal(t, 2020, j.UpdatedAt.Year())
		}
	}
	// The other meta page may have been the newer one.
	overwrite(t, path, pageSize, make([]byte, pageSize))
	jobs, _ = salvage(t, path)
	for _, j := range jobs {
		if j.ID == "job_mirrored" {
			require.Equal(t, 2030, j.UpdatedAt.Year())
		}
	}
}

// A record whose tasks alone are damaged is written without them.
func TestSalvageOfDamagedTasks(t *testing.T) {
	path := storePath(t)
	want, _ := usedStore(t, path)
	editFile(t, path, func(root *bbolt.Bucket) {
		jobs := root.Bucket([]byte("jobs"))
		value := bytes.Clone(jobs.Get([]byte("long")))
		value[len(value)-10] ^= 1
		require.NoError(t, jobs.Put([]byte("long"), value))
	})
	jobs, report := salvage(t, path)
	require.EqualValues(t, 1, report.TasksLost)
	for i := range want {
		if want[i].ID == "job_long" {
			want[i].Tasks = nil
		}
	}
	require.Equal(t, want, jobs)
}

// Of two copies of a record that are alike, the one whose tasks are whole is taken.
func TestSalvageLooksForWholeTasks(t *testing.T) {
	path := storePath(t)
	want, _ := usedStore(t, path)
	long := slices.IndexFunc(want, func(j jobstore.Job) bool { return j.ID == "job_long" })
	first := recordOffset(t, path, "job_long")
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	clear(file[:2*4096]) // both meta pages
	second := int64(len(file)) + int64(len("long"))
	file = append(file, file[first-int64(len("long")):first+400_000]...)
	for _, offset := range []int64{first, second} {
		damaged := bytes.Clone(file)
		damaged[offset+5000] ^= 1
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		jobs, report := salvage(t, path)
		require.Zero(t, report.TasksLost)
		i := slices.IndexFunc(jobs, func(j jobstore.Job) bool { return j.ID == "job_long" })
		require.Equal(t, want[long], jobs[i])
	}
}

// Whatever is done to a file, all that comes out of it has been in it.
func TestSalvageOfRandomDamage(t *testing.T) {
	path := storePath(t)
	want, deleted := usedStore(t, path)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	known := map[jobstore.ID]jobstore.Job{}
	for _, j := range want {
		known[j.ID] = j
	}
	for range 40 {
		damaged := bytes.Clone(file)
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(damaged))
			switch rng.IntN(4) {
			case 0:
				damaged[at] ^= 1 << rng.IntN(8)
			case 1:
				clear(damaged[at:min(len(damaged), at+rng.IntN(9000))])
			case 2:
				other := rng.IntN(len(damaged) / 4096)
				copy(damaged[at/4096*4096:], damaged[other*4096:(other+1)*4096])
			case 3:
				for i := at; i < min(len(damaged), at+rng.IntN(5000)); i++ {
					damaged[i] = byte(rng.Uint32())
				}
			}
		}
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		jobs, _ := salvage(t, path)
		for _, j := range jobs {
			if w, ok := known[j.ID]; ok {
				require.Equal(t, w.Input, j.Input)
				require.Equal(t, w.CreatedAt, j.CreatedAt)
			} else {
				require.Contains(t, deleted, j.ID)
			}
		}
		require.Greater(t, len(jobs), len(want)*8/10)
	}
}

func TestSalvageRefuses(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 100)
	_, err := jobstore.Salvage(t.Context(), path, &bytes.Buffer{}, nil)
	require.ErrorIs(t, err, jobstore.ErrLocked)
	closeStore(t, s)

	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("no store ", 3000)), 0o600))
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for name, want := range map[string]error{
		dir: jobstore.ErrFormat, text: jobstore.ErrFormat, empty: jobstore.ErrFormat,
		filepath.Join(dir, "none"): fs.ErrNotExist,
	} {
		_, err := jobstore.Salvage(t.Context(), name, &bytes.Buffer{}, nil)
		require.ErrorIs(t, err, want, name)
	}

	broken := errors.New("broken")
	_, err = jobstore.Salvage(t.Context(), path, writerFunc(func([]byte) (int, error) { return 0, broken }), nil)
	require.Equal(t, broken, err)

	ctx, cancel := context.WithCancel(t.Context())
	var stages []string
	_, err = jobstore.Salvage(ctx, path, &bytes.Buffer{}, func(stage string, _, _ int64) {
		stages = append(stages, stage)
		cancel()
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []string{"write"}, stages)
}
