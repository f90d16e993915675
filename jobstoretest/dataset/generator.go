package dataset

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jobstore/jobstore"
)

// A generator makes one job after the other. It counts in whole numbers only:
// floating point may round differently on another processor.
type generator struct {
	rng   *rand.Rand
	made  int
	milli int64 // when the last job was created
	mean  int64 // milliseconds between two jobs
}

func newGenerator(seed uint64, n int) *generator {
	return &generator{
		rng:   rand.New(rand.NewPCG(seed, 0x6a6f6273)),
		milli: Start.UnixMilli(),
		mean:  max(2, Span.Milliseconds()/int64(max(1, n))),
	}
}

func (g *generator) next(kind jobstore.Kind, status jobstore.Status) *jobstore.Job {
	created := time.UnixMilli(g.milli).UTC()
	j := &jobstore.Job{ID: g.id(created), Kind: kind, Status: status, CreatedAt: created}
	tenant := g.rng.IntN(400)
	j.Input = g.input(kind, tenant, created)
	j.Options = g.options(kind)
	j.Metadata = g.metadata(tenant)
	g.run(j, tenant)
	g.made++
	g.milli += g.gap()
	return j
}

// gap returns the time to the next job. Three of four jobs come in a burst, and
// the fourth makes up for it. No two share a millisecond, so that the order in
// which jobs are made is that of their IDs.
func (g *generator) gap() int64 {
	longest := g.mean / 2
	if g.rng.IntN(4) == 0 {
		longest = g.mean * 13 / 2
	}
	return 1 + g.rng.Int64N(max(1, longest))
}

// id returns a TypeID for created. Its last 12 characters stand for 60 bits
// that are random in any TypeID.
func (g *generator) id(created time.Time) jobstore.ID {
	const (
		alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
		random   = 12
	)
	id := []byte(jobstore.FirstID(created))
	bits := g.rng.Uint64()
	for i := len(id) - random; i < len(id); i++ {
		id[i] = alphabet[bits&31]
		bits >>= 5
	}
	return jobstore.ID(id)
}

func (g *generator) input(kind jobstore.Kind, tenant int, created time.Time) string {
	if g.rng.IntN(5) == 0 {
		return HotInput(g.rng.IntN(HotInputs))
	}
	return fmt.Sprintf("https://uploads.example.com/org_%04d/%s/%08x-%d.%s",
		tenant, created.Format("2006/01/02"), g.rng.Uint32(), g.made, one(g.rng, sourceFormats[kind]))
}

var sourceFormats = map[jobstore.Kind][]string{
	jobstore.KindVideo:         {"mp4", "mov", "mkv", "webm"},
	jobstore.KindImage:         {"jpg", "png", "heic"},
	jobstore.KindAudio:         {"wav", "flac", "m4a", "mp4"},
	jobstore.KindAnimation:     {"mp4", "mov", "webm"},
	jobstore.KindAdaptiveVideo: {"mp4", "mov", "mkv"},
}

// run sets what becomes of a job on the way to its status.
func (g *generator) run(j *jobstore.Job, tenant int) {
	j.UpdatedAt = j.CreatedAt
	if j.Status == jobstore.StatusQueued {
		return
	}
	waited := time.Duration(50+g.rng.IntN(5000)) * time.Millisecond
	worked := time.Duration(800+g.rng.IntN(slowest[j.Kind])) * time.Millisecond
	if j.Status == jobstore.StatusCancelled && g.rng.IntN(2) == 0 {
		// Cancelled before it was started.
		j.FinishedAt = j.CreatedAt.Add(waited)
		j.UpdatedAt = j.FinishedAt
		return
	}
	j.StartedAt = j.CreatedAt.Add(waited)
	j.UpdatedAt = j.StartedAt
	if j.Status == jobstore.StatusProcessing {
		return
	}
	j.FinishedAt = j.StartedAt.Add(worked)
	j.UpdatedAt = j.FinishedAt
	switch j.Status {
	case jobstore.StatusSucceeded:
		j.Output = fmt.Sprintf("https://store.example.net/org_%04d/%s.%s", tenant, j.ID, outputFormats[j.Kind])
	case jobstore.StatusFailed:
		j.Error = g.failure()
	}
}

// slowest is the longest that a job of a kind works, in milliseconds.
var slowest = map[jobstore.Kind]int{
	jobstore.KindVideo:         20 * 60_000,
	jobstore.KindImage:         5_000,
	jobstore.KindAudio:         2 * 60_000,
	jobstore.KindAnimation:     60_000,
	jobstore.KindAdaptiveVideo: 45 * 60_000,
}

var outputFormats = map[jobstore.Kind]string{
	jobstore.KindVideo:         "mp4",
	jobstore.KindImage:         "webp",
	jobstore.KindAudio:         "mp3",
	jobstore.KindAnimation:     "gif",
	jobstore.KindAdaptiveVideo: "m3u8",
}

func (g *generator) failure() json.RawMessage {
	f := one(g.rng, failures)
	return fmt.Appendf(nil, `{"code":%q,"message":%q,"attempt":%d}`, f.code, f.message, 1+g.rng.IntN(3))
}

var failures = []struct{ code, message string }{
	{"input_unreachable", "the input answered 404 after 3 tries"},
	{"input_unsupported", "no decoder for codec prores_raw"},
	{"input_damaged", "moov atom not found"},
	{"timeout", "no progress for 300 seconds"},
	{"output_denied", "the bucket refused the upload: AccessDenied"},
}
