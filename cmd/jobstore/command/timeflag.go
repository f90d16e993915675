package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
)

// parseMoment reads the value of --since or --until: a date, which is its first
// moment in UTC, a time as RFC 3339 has it, or an age counted back from now.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if age, err := parseAge(text); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	return time.Time{}, &jobstore.FieldError{
		Field: flag, Value: text,
		Reason: "must be a date (2026-01-31), a time (2026-01-31T12:00:00Z) or an age (90m, 24h, 7d)",
	}
}

const day = 24 * time.Hour

// parseAge reads what time.ParseDuration does, with days in front if need be.
func parseAge(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	age := time.Duration(n) * day
	if rest == "" {
		return age, nil
	}
	more, err := time.ParseDuration(rest)
	return age + more, err
}

// formatSpan returns d in the two units that matter most, such as 3.2s, 12m30s
// or 4d7h.
func formatSpan(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d < 100*day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}
