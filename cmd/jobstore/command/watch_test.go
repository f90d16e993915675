package command

import (
	"strings"
	"testing"
	"time"

	textwidth "github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// TestFrame draws a watch for a small terminal.
func TestFrame(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	page := jobstore.Page{}
	for _, status := range statuses {
		page.Jobs = append(page.Jobs, jobstore.Job{
			ID: "job_abc123", Kind: jobstore.KindVideo, Status: status, Input: "https://example.com/" + strings.Repeat("long/", 20),
			CreatedAt: now.Add(-time.Minute), StartedAt: now.Add(-30 * time.Second),
		})
	}
	text, err := frame{columns: 70, rows: 30, colours: true}.draw(&lister{}, "title", page, now)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(text, "\x1b[H12:00:00  title\x1b[K\n\x1b[K\nID "), "%q", text)
	assert.True(t, strings.HasSuffix(text, "\x1b[K\n\x1b[J"), "%q", text)
	assert.Contains(t, text, "\x1b[32msucceeded\x1b[0m ")
	assert.Contains(t, text, "\x1b[31mfailed\x1b[0m ")
	assert.Contains(t, text, " queued ")
	plain := strings.NewReplacer("\x1b[36m", "", "\x1b[32m", "", "\x1b[31m", "", "\x1b[33m", "", "\x1b[0m", "",
		"\x1b[H", "", "\x1b[K", "", "\x1b[J", "").Replace(text)
	assert.NotContains(t, plain, "\x1b")
	for line := range strings.Lines(plain) {
		assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 70, line)
	}

	page.Jobs[0].ID += jobstore.ID(strings.Repeat("x", 54)) // the longest there is
	text, err = frame{columns: 70, rows: 30, colours: true}.draw(&lister{}, "title", page, now)
	require.NoError(t, err)
	for line := range strings.Lines(strings.TrimSuffix(text, "\x1b[J")) {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[H"), "\x1b[K\n")
		assert.LessOrEqual(t, textwidth.StringWidthWithoutEscSequences(line), 70, "%q", line)
		assert.Equal(t, strings.Count(line, "\x1b[3"), strings.Count(line, "\x1b[0m"), "%q", line)
	}
	page.Jobs[0].ID = "job_abc123"

	text, err = frame{columns: 70, rows: 5}.draw(&lister{}, "title", page, now)
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(text, "\n"), "one row is left for the cursor")
	assert.NotContains(t, text, "\x1b[3", "no colours were asked for")

	text, err = frame{columns: 70, rows: 30}.draw(&lister{quiet: true}, "title", page, now)
	require.NoError(t, err)
	assert.Equal(t, 5, strings.Count(text, "job_abc123\x1b[K\n"))
}

// TestViewOfAProgram gives a page again once it has changed, and not before.
func TestViewOfAProgram(t *testing.T) {
	var out strings.Builder
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	view := newView(cmd, &lister{quiet: true})
	page := func(ids ...jobstore.ID) (p jobstore.Page) {
		for _, id := range ids {
			p.Jobs = append(p.Jobs, jobstore.Job{ID: id})
		}
		return p
	}
	for _, p := range []jobstore.Page{page("job_a"), page("job_a"), page("job_b", "job_a"), page("job_b", "job_a"), page(), page("job_a")} {
		require.NoError(t, view(p))
	}
	assert.Equal(t, "job_a\njob_b\njob_a\njob_a\n", out.String())
}
