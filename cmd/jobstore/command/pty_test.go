//go:build unix

package command_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/creack/pty"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// atTerminal runs the real program in a pseudo-terminal and returns what that was
// sent. Its lines end with "\r\n".
func atTerminal(t *testing.T, columns int, args ...string) string {
	t.Helper()
	cmd := inBinary(t, t.TempDir(), args...)
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(columns), Rows: 50})
	require.NoError(t, err)
	defer func() { _ = terminal.Close() }()
	shown, _ := io.ReadAll(terminal) // its end is an error on Linux
	if err := cmd.Wait(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return string(shown)
}

// ours are the sequences that the program itself steers a terminal with: colours,
// and what progress bars and --watch redraw with.
var ours = regexp.MustCompile("\x1b\\[([0-9;]*m|[HKJ]|2K)")

// TestListFitsTheTerminal lists jobs with IDs of all lengths, in windows of the
// usual sizes.
func TestListFitsTheTerminal(t *testing.T) {
	database := newDatabase(t)
	var lines strings.Builder
	long := "job_" + strings.Repeat("x", 64)
	created := time.Now().Add(-400 * 24 * time.Hour).UnixMilli()
	minted := string(jobstore.FirstID(time.UnixMilli(created)))
	for i, id := range []string{minted, "job_1", long} {
		fmt.Fprintf(&lines, `{"id":%q,"kind":"adaptive_video","status":"processing","input":"https://example.com/%s%d 映画","created_at":%d,"started_at":%d}`+"\n",
			id, strings.Repeat("long/", 40), i, created, created)
	}
	must(t, database, lines.String(), "import", "-")
	for _, columns := range []int{80, 100, 120, 200} {
		for _, withLong := range []bool{false, true} {
			args := []string{"--db", database, "list"}
			if !withLong {
				args = append(args, "--after", "job_2")
			}
			shown := atTerminal(t, columns, args...)
			rows := strings.Split(strings.TrimSuffix(ours.ReplaceAllString(shown, ""), "\r\n"), "\r\n")
			for _, row := range rows {
				assert.LessOrEqual(t, text.StringWidth(row), columns, "%d: %s", columns, row)
			}
			assert.Contains(t, shown, minted+" ")
			assert.Contains(t, shown, "processing")
			header := strings.Fields(rows[0])
			if withLong {
				assert.Contains(t, shown, long)
				continue
			}
			// What matters least goes first.
			want := map[int]string{
				80: "ID KIND STATUS INPUT", 100: "ID KIND STATUS INPUT AGE DURATION",
				120: "ID KIND STATUS INPUT AGE DURATION", 200: "ID KIND STATUS INPUT AGE DURATION",
			}[columns]
			assert.Equal(t, want, strings.Join(header, " "), "%d columns", columns)
		}
	}
}

// TestNothingSteersTheTerminal shows hostile jobs in every way there is.
func TestNothingSteersTheTerminal(t *testing.T) {
	database := newDatabase(t)
	const hostile = `\u001b[2J\u009b31m\u009d0;title\u0007\u202e\u2066\u200f\u0085\u2028`
	must(t, database, `{"id":"job_1","kind":"video","status":"failed","input":"https://x/`+hostile+
		`","output":"s3://a/`+hostile+`","options":{"`+hostile+`":"`+hostile+`"},"error":"`+hostile+`","tasks":["`+hostile+`"]}`, "import", "-")
	raw := strings.NewReplacer(`\u001b`, "\x1b", `\u009b`, "\u009b", `\u009d`, "\u009d", `\u0007`, "\a", `\u202e`, "\u202e",
		`\u2066`, "\u2066", `\u200f`, "\u200f", `\u0085`, "\u0085", `\u2028`, "\u2028").Replace(hostile)
	inJSON := strings.NewReplacer("\x1b", `\u001b`, "\a", `\u0007`).Replace(raw) // as JSON may have it
	must(t, database, `{"id":"job_2","kind":"video","status":"failed","input":"https://x/`+inJSON+`","metadata":{"a":"`+inJSON+`"}}`, "import", "-")

	bad := filepath.Join(t.TempDir(), "bad.ndjson")
	require.NoError(t, os.WriteFile(bad, []byte(`{"`+inJSON+`":1}`), 0o600))
	server := serveAnswers(t, raw)
	for _, args := range [][]string{
		{"list"}, {"list", "--json"}, {"list", "--ndjson"}, {"list", "--all"}, {"list", "--input", raw, "--explain"},
		{"list", "--input", "https://x/" + raw, "--limit", "1"},
		{"get", "job_1"}, {"get", "job_2"}, {"export"}, {"export", "--array"}, {"export", "--no-tasks"}, {"salvage", database},
		{"explain", "--input", raw}, {"update", "job_1", "--status", "queued"}, {"update", "job_1", "--error", raw},
		{"create", "--body", `{"kind":"image","input":"s3://a/` + inJSON + `","` + inJSON + `":1}`}, {"create", "--body", raw},
		{"create", "--body", `{"kind":"image","input":"s3://a/` + "\u009b\u202e" + `"}`}, {"delete", raw}, {"list", "--kind", raw}, {raw}, {"--" + raw},
		{"list", "--status", raw}, {"list", "--since", raw}, {"import", bad}, {"import", "--ignore-unknown", bad}, {"check"}, {"stats"},
		{"prune", "--before", raw},
		{"--url", server, "list"}, {"--url", server, "get", "job_1"}, {"--url", server, "stats"}, {"--url", server, "check"},
		{"--url", server, "explain"}, {"--url", server, "delete", "job_1"}, {"--url", server, "export"}, {"--url", server, "import", bad},
		{"--url", server, "prune", "--older-than", "1d"}, {"--url", server, "count"}, {"--url", server + "/" + raw, "list"},
	} {
		if args[0] != "--url" {
			args = append([]string{"--db", database}, args...)
		}
		shown := ours.ReplaceAllString(atTerminal(t, 120, args...), "")
		assert.NotEmpty(t, shown, args)
		for _, r := range shown {
			if r != '\r' && r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				assert.Fail(t, "the terminal was sent a character that does not show", "%q of %q in %q", r, args, shown)
				break
			}
		}
	}
	// A program gets the text itself.
	assert.Contains(t, must(t, database, "", "get", "job_2"), `"metadata":{"a":"`+inJSON+`"}`)
}

// TestWatchFitsTheTerminal lets no line reach the last column, as what is cleared
// behind it would take its end away.
func TestWatchFitsTheTerminal(t *testing.T) {
	database := newDatabase(t)
	created := time.Now().Add(-9 * 24 * time.Hour).UnixMilli()
	id := string(jobstore.FirstID(time.UnixMilli(created)))
	must(t, database, fmt.Sprintf(`{"id":%q,"kind":"adaptive_video","status":"processing","input":"https://example.com/%s","created_at":%d,"started_at":%[3]d}`,
		id, strings.Repeat("long/", 40), created), "import", "-")
	cmd := inBinary(t, t.TempDir(), "--db", database, "list", "--watch", "--every", "100ms")
	cmd.Env = append(os.Environ(), "TERM=dumb")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 100, Rows: 20})
	require.NoError(t, err)
	defer func() { _ = terminal.Close() }()
	go func() {
		time.Sleep(time.Second)
		_ = cmd.Process.Signal(os.Interrupt)
	}()
	shown, _ := io.ReadAll(terminal)
	require.NoError(t, cmd.Wait(), "Ctrl-C is how a watch ends")
	frame, _, _ := strings.Cut(string(shown), "\x1b[J")
	for line := range strings.SplitSeq(ours.ReplaceAllString(frame, ""), "\r\n") {
		assert.Less(t, text.StringWidth(line), 100, line)
	}
	assert.Contains(t, frame, id+" ")
	assert.Regexp(t, `9d0h +9d0h`, frame, "age and duration are whole")
}
