package storetest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
)

var (
	kinds = []jobstore.Kind{
		jobstore.KindVideo, jobstore.KindAudio, jobstore.KindImage,
		jobstore.KindAnimation, jobstore.KindAdaptiveVideo,
	}
	statuses = []jobstore.Status{
		jobstore.StatusQueued, jobstore.StatusProcessing, jobstore.StatusSucceeded,
		jobstore.StatusFailed, jobstore.StatusCancelled,
	}
	orders = []jobstore.Order{jobstore.Desc, jobstore.Asc}
)

// hotInputs are shared by many jobs. Each is similar to another one.
var hotInputs = []string{
	"https://example.com/video.mp4",
	"https://example.com/video.mp4?",
	"https://example.com/Video.mp4",
	"https://example.com/v%69deo.mp4",
	"s3://bucket/größe 日本.mov",
	" ",
}

// newJob returns a job that can be stored.
func newJob(id jobstore.ID) *jobstore.Job {
	return &jobstore.Job{
		ID:     id,
		Kind:   jobstore.KindVideo,
		Status: jobstore.StatusQueued,
		Input:  "https://example.com/" + string(id) + ".mp4",
	}
}

// numbered returns n jobs from job_0001 on.
func numbered(n int) []*jobstore.Job {
	jobs := make([]*jobstore.Job, n)
	for i := range jobs {
		jobs[i] = newJob(jobstore.ID(fmt.Sprintf("job_%04d", i+1)))
	}
	return jobs
}

// skewed returns n numbered jobs, the same ones for the same n. As in a real store,
// most are of one kind and one status, and some inputs are shared by many.
func skewed(n int) []*jobstore.Job {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	jobs := numbered(n)
	for _, j := range jobs {
		randomize(rng, j)
	}
	return jobs
}

// move sets what a job is indexed by.
func move(rng *rand.Rand, j *jobstore.Job) {
	// The smaller of two random numbers makes the first values frequent.
	skew := func(n int) int { return min(rng.IntN(n), rng.IntN(n)) }
	j.Kind = kinds[skew(len(kinds))]
	j.Status = statuses[skew(len(statuses))]
	j.Input = fmt.Sprintf("https://example.com/unique/%d.mp4", rng.Uint32())
	if rng.IntN(3) > 0 {
		j.Input = hotInputs[skew(len(hotInputs))]
	}
}

// randomize sets everything but the ID.
func randomize(rng *rand.Rand, j *jobstore.Job) {
	move(rng, j)
	j.Output, j.Options, j.Metadata, j.Error, j.Tasks = "", nil, nil, nil, nil
	if rng.IntN(2) == 0 {
		j.Output = "https://store.example.com/" + strings.Repeat("o", rng.IntN(200))
	}
	if rng.IntN(2) == 0 {
		j.Options = fmt.Appendf(nil, `{ "format": "mp4", "width": %d }`, rng.IntN(4000))
	}
	if rng.IntN(4) == 0 {
		j.Metadata = fmt.Appendf(nil, `{"note":"%s"}`, strings.Repeat("ñ", rng.IntN(300)))
	}
	if j.Status == jobstore.StatusFailed {
		j.Error = json.RawMessage(`{"kind":"decode","message":"no \"moov\" atom"}`)
	}
	if rng.IntN(3) == 0 {
		j.Tasks = fmt.Appendf(nil, `[{"id":"task_%d","object":"task"}]`, rng.Uint32())
	}
	at := func() time.Time { return time.UnixMilli(1711900000000 + rng.Int64N(1e9)).UTC() }
	j.CreatedAt, j.UpdatedAt = at(), at()
	j.StartedAt, j.FinishedAt = time.Time{}, time.Time{}
	if j.Status != jobstore.StatusQueued {
		j.StartedAt = at()
	}
	if final(j.Status) {
		j.FinishedAt = at()
	}
}

// filters returns a query for each of the eight combinations of filters, with values
// that are frequent in the data, and some queries with sets.
func filters() []jobstore.Query {
	var list []jobstore.Query
	for mask := range 8 {
		var q jobstore.Query
		if mask&1 != 0 {
			q.Kind = jobstore.KindVideo
		}
		if mask&2 != 0 {
			q.Status = jobstore.StatusQueued
		}
		if mask&4 != 0 {
			q.Input = hotInputs[0]
		}
		list = append(list, q)
	}
	anyKind := jobstore.KindAudio | jobstore.KindAnimation
	notQueued := jobstore.StatusProcessing | jobstore.StatusSucceeded | jobstore.StatusFailed | jobstore.StatusCancelled
	everyKind := jobstore.KindVideo | jobstore.KindAudio | jobstore.KindImage | jobstore.KindAnimation | jobstore.KindAdaptiveVideo
	return append(list,
		jobstore.Query{Kind: anyKind},
		jobstore.Query{Kind: everyKind},
		jobstore.Query{Status: notQueued},
		jobstore.Query{Kind: anyKind, Status: notQueued},
		jobstore.Query{Kind: everyKind, Status: jobstore.StatusCancelled},
		jobstore.Query{Kind: anyKind, Status: notQueued, Input: hotInputs[1]},
		jobstore.Query{Kind: jobstore.KindAdaptiveVideo, Status: jobstore.StatusCancelled},
		jobstore.Query{Input: "https://example.com/nobody.mp4"},
		hashed(jobstore.Query{Input: hotInputs[0]}),
		hashed(jobstore.Query{Kind: anyKind, Status: notQueued, Input: hotInputs[1]}),
		hashed(jobstore.Query{Input: "https://example.com/nobody.mp4"}),
	)
}

// hashed returns q with its input in the short form.
func hashed(q jobstore.Query) jobstore.Query {
	q.Input, q.InputSHA256 = "", sumOf(q.Input)
	return q
}

func sumOf(input string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(input))) }

// eachQuery calls yield with every filter in both orders.
func eachQuery(yield func(jobstore.Query) bool) {
	for _, q := range filters() {
		for _, q.Order = range orders {
			if !yield(q) {
				return
			}
		}
	}
}
