package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/report"
	"github.com/jobstore/jobstore/bench/workload"
)

// TestPeersAgree builds a small store of every peer and runs every workload
// once, which compares their answers.
func TestPeersAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a store of every peer")
	}
	const jobs = 1500
	env := &workload.Env{
		Folder: folder, Peers: allPeers, Size: jobs, Rounds: 1, Pages: 4, Seed: 1, Progress: folder.Progress,
	}
	r := newReport(config{peers: allPeers, size: jobs, rounds: 1, pages: 4, seed: 1}, nil)
	for _, g := range groups {
		if slices.Contains([]string{"create", "import", "readers"}, g.name) {
			continue // the slow ones, which compare nothing
		}
		results, err := g.run(t.Context(), env, config{peers: allPeers, workloads: []string{"all"}, sizes: []int{jobs, 1600}})
		require.NoError(t, err, g.name)
		require.NotEmpty(t, results, g.name)
		r.Add(results)
	}
	for _, result := range r.Results {
		us, ok := result.Of(workload.Us)
		assert.True(t, ok && (us.Median > 0 || result.Unit != ""), "%s was not measured", result.Workload)
	}
	dir := t.TempDir()
	require.NoError(t, r.Write(dir))
	read, err := report.Read(dir)
	require.NoError(t, err)
	assert.Equal(t, r, read)
}

func TestFlags(t *testing.T) {
	c, err := parseFlags([]string{"-peers", "floor,jobstore", "-workloads", "list", "-size", "300000"})
	require.NoError(t, err)
	assert.Equal(t, []string{"floor-bytes", "floor", "jobstore"}, peerList(c.peers))
	assert.Equal(t, []int{10_000, 30_000, 100_000, 300_000}, c.sizes)
	assert.Len(t, c.lists(), len(workload.Lists))

	for _, bad := range [][]string{
		{"-peers", "oracle"}, {"-workloads", "lists"}, {"-size", "0"}, {"-sizes", "ten"}, {"-targets", "page"}, {"more"},
	} {
		_, err := parseFlags(bad)
		assert.Error(t, err, bad)
	}
}

func peerList(peers []peer.Peer) (names []string) {
	for _, p := range peers {
		names = append(names, p.Name())
	}
	return names
}
