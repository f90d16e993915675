package jobstore_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore"
)

var linkForm = regexp.MustCompile(`^<([^<>]*)>; rel="(next|prev)"$`)

// links reads a Link header back: the query of each URL by its relation.
func links(t require.TestingT, base, header string) map[string]jobstore.Query {
	queries := map[string]jobstore.Query{}
	for _, link := range strings.Split(header, ", ") {
		if header == "" {
			break
		}
		parts := linkForm.FindStringSubmatch(link)
		require.NotNil(t, parts, link)
		require.LessOrEqual(t, len(parts[1]), len(base)+1500, link)
		u, err := url.Parse(parts[1])
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(parts[1], base+"?"), link)
		q, err := jobstore.ParseQuery(u.Query())
		require.NoError(t, err, link)
		require.NotContains(t, queries, parts[2])
		queries[parts[2]] = q
	}
	return queries
}

// TestLink holds links to what Next and Prev say, whatever the filter.
func TestLink(t *testing.T) {
	const base = "https://example.com/media/v1/jobs"
	rapid.Check(t, func(t *rapid.T) {
		q := rapid.Custom(drawQuery).Draw(t, "query")
		page := jobstore.Page{HasMore: rapid.Bool().Draw(t, "more")}
		for range rapid.IntRange(0, 3).Draw(t, "jobs") {
			page.Jobs = append(page.Jobs, jobstore.Job{ID: jobstore.ID("job_" + rapid.StringMatching(`[0-9A-Za-z_-]{1,64}`).Draw(t, "id"))})
		}
		got := links(t, base, page.Link(base, q))
		want := map[string]jobstore.Query{}
		if next, ok := page.Next(q); ok {
			want["next"] = next
		}
		if prev, ok := page.Prev(q); ok {
			want["prev"] = prev
		}
		require.Len(t, got, len(want))
		for rel, want := range want {
			got := got[rel]
			if got.Input != want.Input { // a long one, in its short form
				require.Greater(t, len(url.QueryEscape(want.Input)), 1000)
				require.Equal(t, sumOf(want.Input), got.InputSHA256)
				want.Input, want.InputSHA256 = "", got.InputSHA256
			}
			require.Equal(t, want, got)
		}
	})
}

// A link that carries the hash of a long input leads to the same jobs.
func TestLinkOfLongInput(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	long := "https://example.com/?" + strings.Repeat("/,:", 1000)
	for _, input := range []string{long, "https://example.com/", long, long + "x", long} {
		require.NoError(t, s.Create(t.Context(), &jobstore.Job{Kind: jobstore.KindVideo, Input: input}))
	}
	q := jobstore.Query{Input: long, Limit: 2}
	page, err := s.List(t.Context(), q)
	require.NoError(t, err)
	next := links(t, "http://localhost/jobs", page.Link("http://localhost/jobs", q))["next"]
	require.Equal(t, sumOf(long), next.InputSHA256)
	page, err = s.List(t.Context(), next)
	require.NoError(t, err)
	require.Len(t, page.Jobs, 1)
	require.Equal(t, long, page.Jobs[0].Input)
	prev := links(t, "http://localhost/jobs", page.Link("http://localhost/jobs", next))["prev"]
	page, err = s.List(t.Context(), prev)
	require.NoError(t, err)
	require.Len(t, page.Jobs, 2)
}
