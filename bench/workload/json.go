package workload

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/peer"
)

// JSON measures the JSON of a page: the library's own, against the floor's jobs
// through encoding/json.
func (e *Env) JSON(ctx context.Context) (*Result, error) {
	q := func(facts *dataset.Facts, op int) jobstore.Query {
		return jobstore.Query{After: facts.Positions[op*7919%len(facts.Positions)]}
	}
	result, err := e.one(ctx, "json", "the JSON array of 20 jobs at any depth, list included", e.schedule(), func(facts *dataset.Facts, r peer.Reader) (func(int) error, error) {
		switch nameOf(r) {
		case Us:
			var body []byte
			return func(op int) error {
				jobs, err := r.List(ctx, q(facts, op))
				body = append(body[:0], '[')
				for i := range jobs {
					if i > 0 {
						body = append(body, ',')
					}
					body = jobs[i].AppendJSON(body)
				}
				body = append(body, ']')
				return err
			}, nil
		case Floor:
			return func(op int) error {
				jobs, err := r.List(ctx, q(facts, op))
				if err != nil {
					return err
				}
				_, err = json.Marshal(plainJobs(jobs))
				return err
			}, nil
		}
		return nil, peer.ErrUnsupported
	})
	if err != nil {
		return nil, err
	}
	// The others have nothing of their own here.
	kept := result.Peers[:0]
	for _, p := range result.Peers {
		if !p.Unsupported {
			kept = append(kept, p)
		}
	}
	result.Peers = kept
	return result, nil
}

// nameOf returns the name of the peer that reads by r, if it says so.
func nameOf(r peer.Reader) string {
	if n, ok := r.(interface{ Name() string }); ok {
		return n.Name()
	}
	return ""
}

// A plainJob is the documented object as one would declare it for
// encoding/json.
type plainJob struct {
	ID         string          `json:"id"`
	Object     string          `json:"object"`
	Kind       string          `json:"kind"`
	Input      string          `json:"input"`
	Output     *string         `json:"output"`
	Options    json.RawMessage `json:"options"`
	Metadata   json.RawMessage `json:"metadata"`
	Status     string          `json:"status"`
	Error      json.RawMessage `json:"error"`
	CreatedAt  *int64          `json:"created_at"`
	StartedAt  *int64          `json:"started_at"`
	FinishedAt *int64          `json:"finished_at"`
	UpdatedAt  *int64          `json:"updated_at"`
}

func plainJobs(jobs []jobstore.Job) []plainJob {
	plain := make([]plainJob, len(jobs))
	for i := range jobs {
		j := &jobs[i]
		plain[i] = plainJob{
			ID: string(j.ID), Object: "job", Kind: j.Kind.String(), Input: j.Input, Options: j.Options,
			Metadata: j.Metadata, Status: j.Status.String(), Error: j.Error,
			CreatedAt: milli(j.CreatedAt), StartedAt: milli(j.StartedAt),
			FinishedAt: milli(j.FinishedAt), UpdatedAt: milli(j.UpdatedAt),
		}
		if j.Output != "" {
			plain[i].Output = &j.Output
		}
	}
	return plain
}

func milli(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	m := t.UnixMilli()
	return &m
}
