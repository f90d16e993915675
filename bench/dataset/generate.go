package dataset

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jobstore/jobstore"
)

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

func generate(name string, n int, seed uint64, yield func(*jobstore.Job) bool) {
	rng := rand.New(rand.NewPCG(seed, 1))
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		j := &jobstore.Job{}
		j.CreatedAt = at.Add(time.Duration(i) * 100 * time.Millisecond)
		id := []byte(jobstore.FirstID(j.CreatedAt))
		for k := len(id) - 12; k < len(id); k++ {
			id[k] = alphabet[rng.IntN(32)]
		}
		j.ID = jobstore.ID(id)
		if name == Adversarial {
			r := rng.IntN(100)
			switch {
			case i < n/1000:
				j.Kind, j.Status = jobstore.KindAudio, jobstore.StatusFailed
			case r < 20:
				j.Kind, j.Status = jobstore.KindAudio, jobstore.StatusSucceeded
			case r < 40:
				j.Kind, j.Status = jobstore.KindVideo, jobstore.StatusFailed
			default:
				j.Kind, j.Status = jobstore.KindVideo, jobstore.StatusSucceeded
			}
		} else {
			switch r := rng.IntN(100); {
			case r < 60:
				j.Kind = jobstore.KindVideo
			case r < 85:
				j.Kind = jobstore.KindImage
			case r < 95:
				j.Kind = jobstore.KindAudio
			case r < 99:
				j.Kind = jobstore.KindAnimation
			default:
				j.Kind = jobstore.KindAdaptiveVideo
			}
			switch r := rng.IntN(1000); {
			case r < 900:
				j.Status = jobstore.StatusSucceeded
			case r < 960:
				j.Status = jobstore.StatusFailed
			case r < 980:
				j.Status = jobstore.StatusProcessing
			case r < 995:
				j.Status = jobstore.StatusQueued
			default:
				j.Status = jobstore.StatusCancelled
			}
		}
		if rng.IntN(5) == 0 {
			j.Input = fmt.Sprintf("https://media.example.com/hot/%03d.mp4", rng.IntN(100))
		} else {
			j.Input = fmt.Sprintf("https://media.example.com/uploads/%016x/source.mp4", rng.Uint64())
		}
		j.Output = fmt.Sprintf("https://store.example.net/org_123/%016x.mp4", rng.Uint64())
		j.Options = json.RawMessage(fmt.Sprintf(`{"format":"mp4","quality":"high","width":%d,"note":"%0*d"}`, rng.IntN(4000), 60+rng.IntN(75), 0))
		j.Metadata = json.RawMessage(fmt.Sprintf(`{"user":"u_%08x","tag":"%0*d"}`, rng.Uint32(), 20+rng.IntN(75), 0))
		j.UpdatedAt = j.CreatedAt
		if j.Status != jobstore.StatusQueued {
			j.StartedAt = j.CreatedAt.Add(time.Second)
			j.UpdatedAt = j.StartedAt
		}
		if j.Status.Final() {
			j.FinishedAt = j.StartedAt.Add(40 * time.Second)
			j.UpdatedAt = j.FinishedAt
		}
		if j.Status == jobstore.StatusFailed {
			j.Error = json.RawMessage(`{"message":"codec"}`)
		}
		if !yield(j) {
			return
		}
	}
}
