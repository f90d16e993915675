package command

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
)

// Flags of times and of durations are read here, so that a value means the same
// in each.

const (
	timeForms     = "a date (2026-01-31), a time (2026-01-31T12:00:00Z), Unix milliseconds or an age (90m, 24h, 7d, 2h ago)"
	durationForms = "an age or a time span (90m, 24h, 7d)"
)

// parseTime reads a flag that is a time:
//
//   - a date, which is its first moment in UTC;
//   - a date and time as RFC 3339 has it;
//   - a whole number, which is Unix milliseconds as in the API, so that 0 is 1970;
//   - an age, counted back from now, with or without "ago" behind it.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, &jobstore.FieldError{Field: flag, Reason: "is missing: give " + timeForms}
	}
	at, ok := readTime(text, now)
	if !ok || at.Year() < 1 || at.Year() > 9999 || at.IsZero() {
		return time.Time{}, &jobstore.FieldError{Field: flag, Value: text, Reason: "must be " + timeForms + ", in the years 1 to 9999"}
	}
	return at, nil
}

func readTime(text string, now time.Time) (t time.Time, ok bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			return t, true
		}
	}
	if milli, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(milli).UTC(), true
	}
	text = strings.TrimSpace(strings.TrimSuffix(text, "ago"))
	if age, err := readDuration(text); err == nil {
		return now.Add(-age), true
	}
	return time.Time{}, false
}

// parseAge reads a flag that is an age: a duration, with or without "ago" behind it.
func parseAge(flag, text string) (time.Duration, error) {
	return parseDuration(flag, strings.TrimSuffix(strings.TrimSpace(text), "ago"))
}

// parseDuration reads a flag that is a duration.
func parseDuration(flag, text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, &jobstore.FieldError{Field: flag, Reason: "is missing: give " + durationForms}
	}
	d, err := readDuration(text)
	if err != nil {
		return 0, &jobstore.FieldError{Field: flag, Value: text, Reason: "must be " + durationForms}
	}
	return d, nil
}

const day = 24 * time.Hour

var errNoDuration = errors.New("no duration")

// readDuration reads what time.ParseDuration does, with weeks and days in front if
// need be, and neither a sign nor a number without a unit.
func readDuration(text string) (time.Duration, error) {
	var sum time.Duration
	for _, unit := range []struct {
		name string
		span time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		number, rest, found := strings.Cut(text, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > uint64((math.MaxInt64-sum)/unit.span) {
			return 0, errNoDuration
		}
		if sum += time.Duration(n) * unit.span; rest == "" {
			return sum, nil
		}
		text = rest
	}
	if text == "" || text == "0" || text[0] == '-' || text[0] == '+' {
		return 0, errNoDuration
	}
	more, err := time.ParseDuration(text)
	if err != nil || more > math.MaxInt64-sum {
		return 0, errNoDuration
	}
	return sum + more, nil
}

// A durationFlag is the value of a flag that is a duration.
type durationFlag struct {
	name string
	span time.Duration
}

func (f *durationFlag) String() string { return f.span.String() }

func (f *durationFlag) Type() string { return "duration" }

func (f *durationFlag) Set(text string) (err error) {
	f.span, err = parseDuration(f.name, text)
	return err
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
