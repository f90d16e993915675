package workload

import "github.com/jobstore/jobstore/bench/harness"

// A Result is what one workload gave.
type Result struct {
	Workload string `json:"workload"`
	About    string `json:"about"`
	Set      string `json:"set"`
	Size     int    `json:"size"`
	// Of workloads that are measured at several of them.
	Readers    int    `json:"readers,omitempty"`
	Writer     bool   `json:"writer,omitempty"` // beside a writer that commits without pause
	Goroutines int    `json:"goroutines,omitempty"`
	Percent    int    `json:"percent,omitempty"`  // of the depth
	OfSizes    bool   `json:"of_sizes,omitempty"` // one of several sizes
	Unit       string `json:"unit,omitempty"`     // of the peers' Figures, which stand in for times
	Peers      []Peer `json:"peers"`
}

// A Peer is what one workload gave for one peer.
type Peer struct {
	harness.Summary
	Unsupported bool    `json:"unsupported,omitempty"` // the peer has no way to do it
	VsFloor     float64 `json:"vs_floor,omitempty"`    // median over the rounds of the ratio of medians
	VsUs        float64 `json:"vs_us,omitempty"`
	Examined    float64 `json:"examined,omitempty"` // keys a page, mean; where the peer can tell
	Size        int     `json:"size,omitempty"`     // jobs in the store, when fewer than the Result's
	Figure      float64 `json:"figure,omitempty"`
}

// addFigure adds a peer that is measured by one number.
func (r *Result) addFigure(name string, figure float64) {
	r.Peers = append(r.Peers, Peer{Summary: harness.Summary{Name: name}, Figure: figure})
}

// SameWorkload reports whether other is of the same workload, at the same size
// and with as many readers or goroutines.
func (r *Result) SameWorkload(other *Result) bool {
	return r.Workload == other.Workload && r.Set == other.Set && r.Size == other.Size && r.Readers == other.Readers &&
		r.Writer == other.Writer && r.Goroutines == other.Goroutines && r.Percent == other.Percent && r.OfSizes == other.OfSizes
}

// Of returns the figures of the peer with this name.
func (r *Result) Of(name string) (*Peer, bool) {
	for i := range r.Peers {
		if r.Peers[i].Name == name {
			return &r.Peers[i], !r.Peers[i].Unsupported
		}
	}
	return nil, false
}

// Names of the peers that the others are compared with.
const (
	Floor = "floor"
	Us    = "jobstore"
)

// summarize makes the peers of a result from series, some of which may be nil
// for peers that cannot do the workload.
func summarize(names []string, series map[string]harness.Series) []Peer {
	peers := make([]Peer, 0, len(names))
	floor, hasFloor := series[Floor]
	us, hasUs := series[Us]
	for _, name := range names {
		s, ok := series[name]
		if !ok {
			peers = append(peers, Peer{Summary: harness.Summary{Name: name}, Unsupported: true})
			continue
		}
		p := Peer{Summary: s.Summary()}
		if hasFloor {
			p.VsFloor = s.Ratio(floor)
		}
		if hasUs {
			p.VsUs = s.Ratio(us)
		}
		peers = append(peers, p)
	}
	return peers
}
