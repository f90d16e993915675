package command_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// TestTimesMeanTheSame gives every form of a time to every flag that is one, for a
// file and for a server.
func TestTimesMeanTheSame(t *testing.T) {
	now := time.Now()
	at := func(age time.Duration) string { return string(jobstore.FirstID(now.Add(-age))) }
	database := newDatabase(t)
	var lines strings.Builder
	for _, age := range []time.Duration{time.Hour, 3 * time.Hour, 50 * time.Hour, 10 * 24 * time.Hour} {
		fmt.Fprintf(&lines, `{"id":%q,"kind":"video","status":"failed","input":"s3://a/b"}`+"\n", at(age))
	}
	must(t, database, lines.String(), "import", "-")
	s := served(t, newDatabase(t))
	require.Equal(t, 0, ask(t, s.url, lines.String(), "import", "-").code)

	moment := now.Add(-2 * time.Hour)
	for text, older := range map[string]int{
		"2h": 3, "2h ago": 3, " 2h ": 3, "120m": 3, "0d2h": 3, "2d": 2, "2d1h": 2, "1w": 1, "1w2d": 1, "2w": 0,
		moment.Format(time.RFC3339):                                                 3,
		strings.ToLower(moment.UTC().Format(time.RFC3339)):                          3,
		moment.In(time.FixedZone("", 7200)).Format("2006-01-02T15:04:05.999Z07:00"): 3,
		fmt.Sprint(moment.UnixMilli()):                                              3,
		"0":                                                                         0, // Unix milliseconds, as in the API
		"-5":                                                                        0,
		"1":                                                                         0,
		"1970-01-01":                                                                0,
		"0001-01-02":                                                                0,
		"9999-12-31":                                                                4,
		"0s":                                                                        4,
	} {
		for flag, command := range map[string][]string{
			"until":  {"list", "--all", "--quiet", "--until"},
			"count":  {"count", "--until"},
			"export": {"export", "--no-tasks", "--until"},
			"prune":  {"prune", "--dry-run", "--before"},
			"since":  {"list", "--all", "--quiet", "--since"},
		} {
			want := older
			if flag == "since" {
				want = 4 - older
			}
			for _, got := range []outcome{run(t, database, "", append(command, text)...), ask(t, s.url, "", append(command, text)...)} {
				require.Equal(t, 0, got.code, "%s %q: %s", flag, text, got.err)
				n := strings.Count(got.out, "\n")
				if flag == "count" {
					_, err := fmt.Sscan(got.out, &n)
					require.NoError(t, err)
				}
				if flag == "prune" {
					_, err := fmt.Sscanf(got.out, "would delete %d job", &n)
					require.NoError(t, err)
				}
				assert.Equal(t, want, n, "%s %q", flag, text)
			}
		}
	}
	for _, text := range []string{
		"2", "2 hours", "h", "-2h", "+2h", "2h2d", "1.5d", "yesterday", "2026-13-01", "2026-01-01 ago", "ago", "1e3", "99999999999999999999",
		"999999999999w", "2026-01-31T12:00:00", "253402300800000", "-62135596800000", "0001-01-01",
	} {
		for _, command := range [][]string{
			{"list", "--since"}, {"list", "--until"}, {"export", "--since"}, {"explain", "--until"}, {"prune", "--dry-run", "--before"},
		} {
			if text == "2" {
				continue // Unix milliseconds
			}
			assert.Equal(t, 2, run(t, database, "", append(command, text)...).code, "%v %q", command, text)
		}
	}
	// An age has a unit, and 0 has none.
	for _, text := range []string{"0", "30", "", "-1h", "2026-01-31", "1h2d", "1711900000000"} {
		assert.Equal(t, 2, run(t, database, "", "prune", "--dry-run", "--older-than", text).code, "%q", text)
		assert.Equal(t, 2, run(t, database, "", "list", "--watch", "--every", text).code, "%q", text)
	}
	for _, text := range []string{"2h", "2h ago", "120m", "0d2h", "7200s"} {
		assert.Equal(t, "would delete 3 jobs\n", must(t, database, "", "prune", "--dry-run", "--older-than", text))
	}
	// A value that is empty is a variable of a script that was never set.
	for _, command := range [][]string{{"prune", "--before="}, {"prune", "--older-than="}, {"prune", "--before= "}} {
		assert.Equal(t, 2, run(t, database, "", command...).code, command)
	}
	status, body := fetch(t, "POST", s.url+"/store/prune", `{"before":0}`, "Authorization: Bearer secret", "Content-Type: application/json")
	assert.Equal(t, 200, status)
	assert.Contains(t, body, `"deleted":0`)
	assert.Equal(t, "deleted 0 jobs\n", must(t, database, "", "prune", "--before", "0"))
	assert.Equal(t, "4\n", must(t, database, "", "count"))
}

// TestSetsLoseNothing separates the words of a set by whatever a shell may put
// between them.
func TestSetsLoseNothing(t *testing.T) {
	database := newExamples(t)
	want := must(t, database, "", "count", "--status", "failed,cancelled", "--kind", "video,audio")
	require.NotEqual(t, want, must(t, database, "", "count", "--status", "failed", "--kind", "video,audio"))
	for _, separator := range []string{",", " ", "\n", "\r\n", ", ", ",\n", "\t", " , , "} {
		for _, list := range [][]string{{"failed", "cancelled"}, {"", "cancelled", "failed", ""}} {
			got := must(t, database, "", "count", "--status", strings.Join(list, separator), "--kind", "audio"+separator+"video")
			assert.Equal(t, want, got, "%q", separator)
			assert.Equal(t, want, must(t, database, "", "count", "--status="+list[0], "--status", strings.Join(list[1:], separator)+",failed,cancelled", "--kind", "audio", "--kind", "video"))
		}
	}
	for _, bad := range []string{"failed;cancelled", "failed\ncancelle", `"failed"`, "failed|cancelled", "Failed", "failed\x00", "failed\u200b"} {
		for _, command := range []string{"list", "count", "export", "explain", "prune --older-than 1d --dry-run"} {
			got := run(t, database, "", append(strings.Fields(command), "--status", bad)...)
			assert.Equal(t, 2, got.code, "%s %q", command, bad)
			assert.Contains(t, got.err, "must be queued,", command)
			assert.Equal(t, 2, run(t, database, "", append(strings.Fields(command), "--kind", bad)...).code, "%s %q", command, bad)
		}
	}
	for _, empty := range []string{"", ",", " ", "\n"} {
		assert.Equal(t, "306\n", must(t, database, "", "count", "--status", empty), "as in the API, an empty value is none")
		got := run(t, database, "", "prune", "--older-than", "1d", "--dry-run", "--status", empty)
		assert.Equal(t, outcome{2, "", "jobstore: status is missing\n"}, got, "to delete, it may be a variable that was never set")
	}
}

// TestURLStandsWhereItMeansSomething asks every command for its help, and gives
// --url to each.
func TestURLStandsWhereItMeansSomething(t *testing.T) {
	help := runPlain(context.Background(), "--help")
	assert.NotContains(t, help.out, "--url address")
	without := []string{"backup", "compact", "reindex", "salvage", "demo", "serve", "version", "completion"}
	for _, match := range regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`).FindAllStringSubmatch(help.out, -1) {
		name := match[1]
		if name == "help" {
			continue
		}
		means := true
		for _, other := range without {
			means = means && name != other
		}
		got := runPlain(context.Background(), name, "--help")
		assert.Equal(t, means, strings.Contains(got.out, "--url address"), name)
		if means {
			continue
		}
		for _, args := range [][]string{{"--url", "http://127.0.0.1:1", name}, {name, "--url=http://127.0.0.1:1"}} {
			got := runPlain(context.Background(), args...)
			assert.Equal(t, 2, got.code, args)
			assert.Contains(t, got.err, "url", args)
		}
	}
	for _, args := range [][]string{
		{"list", "--url="}, {"list", "--url", "jobs.db"}, {"list", "--url", "http://127.0.0.1:1", "--db", "a.db"}, {"--db", "a.db", "list", "--url="},
	} {
		assert.Equal(t, 2, runPlain(context.Background(), args...).code, args)
	}
}

func TestVersion(t *testing.T) {
	got := runPlain(context.Background(), "version")
	assert.Equal(t, 0, got.code)
	assert.Regexp(t, `^jobstore version \S+ go\S+ \S+/\S+\n$`, got.out)
	assert.Equal(t, 2, runPlain(context.Background(), "version", "extra").code)
}

// TestMessagesShowWhatWasGiven has no escapes of JSON in them, and no plural of one.
func TestMessagesShowWhatWasGiven(t *testing.T) {
	database := newDatabase(t)
	s := served(t, newDatabase(t))
	for _, args := range [][]string{
		{"create", "--body", `{"kind":"<&>","input":"s3://a/b"}`}, {"create", "--body", `{"kind":"video","input":"s3://a/b","<&>":1}`},
		{"create", "--body", `{"kind":"video","input":"s3://a/b","metadata":["<&>"]}`}, {"list", "--input", "a", "--kind", "<&>"},
	} {
		local, remote := run(t, database, "", args...), ask(t, s.url, "", args...)
		assert.Equal(t, local, remote, args)
		assert.Contains(t, local.err, "<&>", args)
		assert.NotContains(t, local.err, `\u00`, args)
	}
	one := ndjson(1)[0]
	assert.Equal(t, "imported 1 job\n", must(t, database, one, "import", "-"))
	assert.Equal(t, "imported 0 jobs\n", must(t, database, "", "import", "-"))
	assert.Equal(t, "reindexed 1 job\n", must(t, database, "", "reindex"))
	assert.Contains(t, run(t, database, "", "salvage", database).err, "salvaged 1 job\n")
	assert.Equal(t, "would delete 1 job\n", must(t, database, "", "prune", "--before", "9999-12-31", "--status", "queued,processing,succeeded,failed,cancelled", "--dry-run"))
	id := strings.TrimSpace(must(t, database, "", "list", "--quiet"))
	assert.Equal(t, "deleted 1 of 1 job\n", must(t, database, "", "delete", id))
	assert.Equal(t, "deleted 0 of 2 jobs\n", must(t, database, "", "delete", id, id))
}
