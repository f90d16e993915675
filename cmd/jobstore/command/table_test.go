package command

import (
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/assert"
)

func TestTableFitsTheTerminal(t *testing.T) {
	for _, width := range []int{60, 80, 100, 200} {
		for name, fit := range map[string]func(string, int) string{"snip": snip, "wrap": wrap} {
			g := grid{header: []string{"id", "input", "age"}, right: []int{2}, elastic: 1, fit: fit}
			g.add("job_01h455vb4pex5vsknk084sn02q", "https://例え.テスト/"+strings.Repeat("動画/", 40), "3d")
			g.add("job_abc123", "s3://a/b", "12m30s")
			lines := strings.Split(g.render(width), "\n")
			for _, line := range lines {
				assert.LessOrEqual(t, text.StringWidth(line), width, "%s %d: %s", name, width, line)
			}
			assert.True(t, strings.HasPrefix(lines[0], "ID   "), lines[0])
			assert.Contains(t, lines[len(lines)-1], "s3://a/b")
			assert.True(t, strings.HasSuffix(lines[len(lines)-1], "12m30s"))
			if name == "snip" {
				assert.Len(t, lines, 3)
				assert.Contains(t, lines[1], "…")
			}
		}
	}
}

func TestFormatSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour:                      "0ms",
		0:                               "0ms",
		850 * time.Millisecond:          "850ms",
		3249 * time.Millisecond:         "3.2s",
		9999 * time.Millisecond:         "9.9s",
		44 * time.Second:                "44s",
		time.Minute:                     "1m0s",
		12*time.Minute + 30*time.Second: "12m30s",
		time.Hour - 1:                   "59m59s",
		5*time.Hour + 12*time.Minute:    "5h12m",
		3*24*time.Hour + 4*time.Hour:    "3d4h",
		99*24*time.Hour + 23*time.Hour:  "99d23h",
		400 * 24 * time.Hour:            "400d",
	} {
		assert.Equal(t, want, formatSpan(d))
	}
}

func TestShellQuote(t *testing.T) {
	for s, want := range map[string]string{
		"":                  "''",
		"https://a.b/c?d=1": "'https://a.b/c?d=1'",
		"s3://a/b_c-d.mp4":  "s3://a/b_c-d.mp4",
		"it's":              `'it'\''s'`,
		"$(rm)":             "'$(rm)'",
	} {
		assert.Equal(t, want, shellQuote(s))
	}
}
