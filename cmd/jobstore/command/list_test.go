package command_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// idAt returns a TypeID of the time t, behind the first one there is.
func idAt(t time.Time, number int) string {
	first := string(jobstore.FirstID(t))
	return fmt.Sprintf("%s%02d", first[:len(first)-2], number)
}

// importIDs makes a store of jobs with these IDs.
func importIDs(t *testing.T, list []string) (database string) {
	t.Helper()
	database = newDatabase(t)
	var text strings.Builder
	for _, id := range list {
		fmt.Fprintf(&text, `{"id":%q,"kind":"video","status":"queued","input":"s3://a/b"}`+"\n", id)
	}
	must(t, database, text.String(), "import", "-")
	return database
}

// TestTimeRange holds --since and --until to a slice of IDs, in both orders, with
// a limit that cuts and with cursors.
func TestTimeRange(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var all []string // ascending
	for hour := range 40 {
		all = append(all, idAt(start.Add(time.Duration(hour)*time.Hour), 7))
	}
	database := importIDs(t, append([]string{"job_-", "job_abc123", "job_z"}, all...))
	hours := func(from, to int) []string { return slices.Clone(all[from:to]) }
	newest := func(list []string, n int) []string {
		slices.Reverse(list)
		return list[:min(n, len(list))]
	}
	oldest := func(list []string, n int) []string { return list[:min(n, len(list))] }

	for call, want := range map[string][]string{
		"--since 2026-03-02":                                                         newest(hours(24, 40), 20),
		"--since 2026-03-02 --limit 3":                                               newest(hours(24, 40), 3),
		"--since 2026-03-02 --limit 3 --order asc":                                   oldest(hours(24, 40), 3),
		"--until 2026-03-01T05:00:00Z":                                               newest(hours(0, 5), 20),
		"--until 2026-03-01T05:00:00Z --limit 2":                                     newest(hours(0, 5), 2),
		"--until 2026-03-01T05:00:00Z --limit 2 --order asc":                         oldest(hours(0, 5), 2),
		"--since 2026-03-01T10:00:00Z --until 2026-03-01T16:00:00Z":                  newest(hours(10, 16), 20),
		"--since 2026-03-01T11:00:00+01:00 --until 2026-03-01T12:30:00Z --order asc": oldest(hours(10, 13), 20),
		"--since 2026-03-01T10:00:00Z --after " + all[15]:                            newest(hours(10, 15), 20),
		"--until 2026-03-01T10:00:00Z --before " + all[5]:                            newest(hours(6, 10), 20),
		"--until 2026-03-01T10:00:00Z --after " + all[5] + " --order asc":            oldest(hours(6, 10), 20),
		"--since 2026-03-01T10:00:00Z --before " + all[15] + " --order asc":          oldest(hours(10, 15), 20),
		"--since 2026-03-02 --until 2026-03-01":                                      {},
		"--since 2027-01-01":                                                         {},
		"--until 2000-01-01":                                                         {},
		// A cursor alone keeps the meaning it has in the API.
		"--limit 2 --before " + all[38]: {"job_abc123", all[39]},
		"--limit 2":                     {"job_z", "job_abc123"},
		"--limit 2 --order asc":         {"job_-", all[0]},
	} {
		got := must(t, database, "", append([]string{"list", "--json"}, strings.Fields(call)...)...)
		assert.Equal(t, want, ids(t, got), call)
	}

	exported := must(t, database, "", "export", "--array", "--since", "2026-03-01T10:00:00Z", "--until", "2026-03-02")
	assert.Equal(t, newest(hours(10, 24), 100), ids(t, exported))
}

func TestAges(t *testing.T) {
	now := time.Now()
	ages := []time.Duration{30 * time.Second, 10 * time.Minute, 2 * time.Hour, 30 * time.Hour, 6 * 24 * time.Hour, 20 * 24 * time.Hour}
	var list []string
	for i, age := range ages {
		list = append(list, idAt(now.Add(-age), i))
	}
	database := importIDs(t, list)
	for since, want := range map[string]int{
		"1m": 1, "90m": 2, "1h30m": 2, "24h": 3, "1d": 3, "1d12h": 4, "7d": 5, "500h": 6, "30d": 6, "0s": 0,
	} {
		assert.Equal(t, list[:want], ids(t, must(t, database, "", "list", "--json", "--since", since)), since)
		slices.Reverse(list)
		assert.Equal(t, list[:len(list)-want], ids(t, must(t, database, "", "list", "--json", "--order", "asc", "--until", since)), since)
		slices.Reverse(list)
	}
}

// TestPagesByCursor walks the shipped jobs forth and back.
func TestPagesByCursor(t *testing.T) {
	database := newExamples(t)
	want := ids(t, must(t, database, "", "export", "--array", "--no-tasks"))
	require.Len(t, want, 306)
	for _, limit := range []string{"1", "7", "100"} {
		var forth []string
		for args := []string{"list", "--json", "--limit", limit}; ; {
			page := ids(t, must(t, database, "", args...))
			if len(page) == 0 {
				break
			}
			forth = append(forth, page...)
			args = []string{"list", "--json", "--limit", limit, "--after", page[len(page)-1]}
		}
		assert.Equal(t, want, forth)

		var back []string
		for before := "job_-"; ; {
			page := ids(t, must(t, database, "", "list", "--json", "--limit", limit, "--before", before))
			if len(page) == 0 {
				break
			}
			back = append(page, back...)
			before = page[0]
		}
		assert.Equal(t, want, append(back, "job_-"))
	}
}
