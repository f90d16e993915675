package jobstore_test

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore"
)

func TestParseQuery(t *testing.T) {
	for _, c := range []struct {
		url  string
		want jobstore.Query
	}{
		{"", jobstore.Query{}},
		{"kind=video", jobstore.Query{Kind: jobstore.KindVideo}},
		{"kind=adaptive_video&limit=10", jobstore.Query{Kind: jobstore.KindAdaptiveVideo, Limit: 10}},
		{"status=failed&limit=20", jobstore.Query{Status: jobstore.StatusFailed, Limit: 20}},
		{"status=queued&status=processing", jobstore.Query{Status: jobstore.StatusQueued | jobstore.StatusProcessing}},
		{"kind=audio&kind=image&kind=audio", jobstore.Query{Kind: jobstore.KindAudio | jobstore.KindImage}},
		{"limit=1", jobstore.Query{Limit: 1}},
		{"limit=100", jobstore.Query{Limit: 100}},
		{"order=asc", jobstore.Query{Order: jobstore.Asc}},
		{"order=desc", jobstore.Query{}},
		{"after=job_abc123&before=job_A-_", jobstore.Query{After: "job_abc123", Before: "job_A-_"}},
		{"input=https%3A%2F%2Fexample.com%2Fa+b%2Bc%2525.mp4", jobstore.Query{Input: "https://example.com/a b+c%25.mp4"}},
		{"input=%20", jobstore.Query{Input: " "}},

		{"input_sha256=" + sumOf("a"), jobstore.Query{InputSHA256: sumOf("a")}},

		// An empty value is not given, wherever it stands.
		{"input=a&input_sha256=", jobstore.Query{Input: "a"}},
		{"kind=&status=&input=&limit=&after=&before=&order=", jobstore.Query{}},
		{"kind&status&limit", jobstore.Query{}},
		{"kind=&kind=video", jobstore.Query{Kind: jobstore.KindVideo}},

		// Other parameters are none of ours.
		{"page=2&Limit=9&KIND=video&object=job&object=job", jobstore.Query{}},
	} {
		values, err := url.ParseQuery(c.url)
		require.NoError(t, err, c.url)
		got, err := jobstore.ParseQuery(values)
		require.NoError(t, err, c.url)
		require.Equal(t, c.want, got, c.url)
	}
	got, err := jobstore.ParseQuery(nil)
	require.NoError(t, err)
	require.Equal(t, jobstore.Query{}, got)
}

// TestParseQueryRefuses holds each bad value to a FieldError that names the
// parameter and says what is allowed.
func TestParseQueryRefuses(t *testing.T) {
	const (
		aKind   = "video, audio, image, animation or adaptive_video"
		aStatus = "queued, processing, succeeded, failed or cancelled"
		aLimit  = "1 to 100"
		anID    = "job_ and 1 to 64 characters"
		anOrder = "asc or desc"
		once    = "once"
	)
	for _, c := range []struct{ url, field, value, allowed string }{
		{"limit=0", "limit", "0", aLimit},
		{"limit=101", "limit", "101", aLimit},
		{"limit=-1", "limit", "-1", aLimit},
		{"limit=ten", "limit", "ten", aLimit},
		{"limit=1e1", "limit", "1e1", aLimit},
		{"limit=%2B5", "limit", "+5", aLimit},
		{"limit=+5", "limit", " 5", aLimit},
		{"limit=5.0", "limit", "5.0", aLimit},
		{"limit=05", "limit", "05", aLimit},
		{"limit=0x5", "limit", "0x5", aLimit},
		{"limit=1_0", "limit", "1_0", aLimit},
		{"limit=%D9%A5", "limit", "٥", aLimit},
		{"limit=65537", "limit", "65537", aLimit},
		{"limit=18446744073709551617", "limit", "18446744073709551617", aLimit},

		{"kind=movie", "kind", "movie", aKind},
		{"kind=Video", "kind", "Video", aKind},
		{"kind=video,audio", "kind", "video,audio", aKind},
		{"kind=video|audio", "kind", "video|audio", aKind},
		{"kind=video&kind=movie", "kind", "movie", aKind},
		{"kind=unknown", "kind", "unknown", aKind},
		{"kind=1", "kind", "1", aKind},
		{"status=done", "status", "done", aStatus},
		{"status=canceled", "status", "canceled", aStatus},
		{"status=queued+", "status", "queued ", aStatus},
		{"order=ASC", "order", "ASC", anOrder},
		{"order=up", "order", "up", anOrder},
		{"order=unknown", "order", "unknown", anOrder},

		{"after=abc", "after", "abc", anID},
		{"after=job_", "after", "job_", anID},
		{"after=job_a%00", "after", "job_a\x00", anID},
		{"before=JOB_a", "before", "JOB_a", anID},
		{"before=task_a", "before", "task_a", anID},
		{"before=job_%C3%A9", "before", "job_é", anID},

		{"limit=5&limit=5", "limit", "5", once},
		{"limit=&limit=", "limit", "", once},
		{"after=job_a&after=job_a", "after", "job_a", once},
		{"before=job_a&before=job_b", "before", "job_b", once},
		{"order=asc&order=desc", "order", "desc", once},
		{"input=a&input=b", "input", "b", once},

		{"input_sha256=a", "input_sha256", "a", "64 hexadecimal digits"},
		{"input_sha256=" + sumOf("a") + "0", "input_sha256", sumOf("a") + "0", "64 hexadecimal digits"},
		{"input_sha256=" + sumOf("a") + "&input=a", "input_sha256", sumOf("a"), "together with input"},
		{"input_sha256=" + sumOf("a") + "&input_sha256=" + sumOf("a"), "input_sha256", sumOf("a"), once},

		{"input=%FF", "input", "", "UTF-8"},
		{"input=" + strings.Repeat("x", jobstore.MaxInput+1), "input", strings.Repeat("x", 80) + "…", "16384 are allowed"},
	} {
		name := c.url[:min(len(c.url), 60)]
		values, err := url.ParseQuery(c.url)
		require.NoError(t, err, name)
		got, err := jobstore.ParseQuery(values)
		requireFieldError(t, err, c.field, name)
		var fieldErr *jobstore.FieldError
		require.ErrorAs(t, err, &fieldErr, name)
		require.Equal(t, c.value, fieldErr.Value, name)
		require.Contains(t, fieldErr.Reason, c.allowed, name)
		require.Contains(t, err.Error(), c.field, name)
		require.Zero(t, got, name)
	}
}

// requireFieldError fails t unless err is a FieldError that names field.
func requireFieldError(t require.TestingT, err error, field string, what ...any) {
	require.ErrorIs(t, err, jobstore.ErrInvalid, what...)
	var fieldErr *jobstore.FieldError
	require.ErrorAs(t, err, &fieldErr, what...)
	require.Equal(t, field, fieldErr.Field, what...)
}

func TestQueryValues(t *testing.T) {
	require.Empty(t, jobstore.Query{}.Values().Encode(), "defaults are left out")
	q := jobstore.Query{
		Kind:   jobstore.KindVideo | jobstore.KindAdaptiveVideo,
		Status: jobstore.StatusCancelled,
		Input:  "https://example.com/a b+c&d=é.mp4",
		Limit:  7, After: "job_b", Before: "job_a", Order: jobstore.Asc,
	}
	require.Equal(t, "after=job_b&before=job_a&input=https%3A%2F%2Fexample.com%2Fa+b%2Bc%26d%3D%C3%A9.mp4"+
		"&kind=video&kind=adaptive_video&limit=7&order=asc&status=cancelled", q.Values().Encode())
}

// drawQuery draws a query that is valid.
func drawQuery(t *rapid.T) jobstore.Query {
	id := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`job_[0-9A-Za-z_-]{1,64}`))
	q := jobstore.Query{
		Kind:   jobstore.Kind(rapid.Uint16Range(0, 31).Draw(t, "kind")),
		Status: jobstore.Status(rapid.Uint16Range(0, 31).Draw(t, "status")),
		Limit:  rapid.IntRange(0, 100).Draw(t, "limit"),
		After:  jobstore.ID(id.Draw(t, "after")),
		Before: jobstore.ID(id.Draw(t, "before")),
		Order:  rapid.SampledFrom([]jobstore.Order{jobstore.Desc, jobstore.Asc}).Draw(t, "order"),
	}
	switch input := rapid.StringN(0, 30, -1).Draw(t, "input"); rapid.IntRange(0, 2).Draw(t, "form of input") {
	case 0:
		q.Input = input
	case 1:
		q.Input = strings.Repeat(input, rapid.IntRange(1, jobstore.MaxInput/max(1, len(input))).Draw(t, "times"))
	case 2:
		q.InputSHA256 = sumOf(input)
	}
	return q
}

func sumOf(input string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(input))) }

// TestQueryRoundTrip sends queries through a URL and back.
func TestQueryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := rapid.Custom(drawQuery).Draw(t, "query")
		require.NoError(t, q.Validate())
		values, err := url.ParseQuery(q.Values().Encode())
		require.NoError(t, err)
		got, err := jobstore.ParseQuery(values)
		require.NoError(t, err)
		require.Equal(t, q, got)
	})
}

// TestParseQueryNeverPanics reads parameters that are anything.
func TestParseQueryNeverPanics(t *testing.T) {
	names := []string{"kind", "status", "input", "input_sha256", "limit", "after", "before", "order", ""}
	rapid.Check(t, func(t *rapid.T) {
		values := url.Values(rapid.MapOf(rapid.SampledFrom(names), rapid.SliceOf(rapid.String())).Draw(t, "values"))
		q, err := jobstore.ParseQuery(values)
		if err != nil {
			require.ErrorIs(t, err, jobstore.ErrInvalid)
			return
		}
		require.NoError(t, q.Validate())
		again, err := jobstore.ParseQuery(q.Values())
		require.NoError(t, err)
		require.Equal(t, q, again)
	})
}

func TestQueryValidate(t *testing.T) {
	all := jobstore.Query{
		Kind: 31, Status: 31, Input: strings.Repeat("x", jobstore.MaxInput), Limit: 100,
		After: "job_a", Before: jobstore.ID("job_" + strings.Repeat("Z", 64)), Order: jobstore.Asc,
	}
	require.NoError(t, all.Validate())
	require.NoError(t, jobstore.Query{}.Validate())
	for _, c := range []struct {
		field string
		query jobstore.Query
	}{
		{"kind", jobstore.Query{Kind: 32}},
		{"kind", jobstore.Query{Kind: 33}},
		{"status", jobstore.Query{Status: 1 << 15}},
		{"input", jobstore.Query{Input: "a\xff"}},
		{"input", jobstore.Query{Input: strings.Repeat("x", jobstore.MaxInput+1)}},
		{"input_sha256", jobstore.Query{InputSHA256: "0"}},
		{"input_sha256", jobstore.Query{InputSHA256: strings.Repeat("0", 62) + "0x"}},
		{"input_sha256", jobstore.Query{InputSHA256: sumOf("a"), Input: "a"}},
		{"limit", jobstore.Query{Limit: -1}},
		{"limit", jobstore.Query{Limit: 101}},
		{"after", jobstore.Query{After: "nonsense"}},
		{"before", jobstore.Query{Before: "job_"}},
		{"order", jobstore.Query{Order: 2}},
	} {
		requireFieldError(t, c.query.Validate(), c.field)
	}
}

func TestWords(t *testing.T) {
	for i, word := range []string{"video", "audio", "image", "animation", "adaptive_video"} {
		kind, err := jobstore.ParseKind(word)
		require.NoError(t, err)
		require.Equal(t, jobstore.Kind(1<<i), kind)
		require.Equal(t, word, kind.String())
		text, err := kind.MarshalText()
		require.NoError(t, err)
		require.Equal(t, word, string(text))
		var back jobstore.Kind
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, kind, back)
	}
	for i, word := range []string{"queued", "processing", "succeeded", "failed", "cancelled"} {
		status, err := jobstore.ParseStatus(word)
		require.NoError(t, err)
		require.Equal(t, jobstore.Status(1<<i), status)
		require.Equal(t, word, status.String())
		text, err := status.MarshalText()
		require.NoError(t, err)
		require.Equal(t, word, string(text))
		var back jobstore.Status
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, status, back)
		require.Equal(t, i >= 2, status.Final(), word)
	}

	set := jobstore.KindVideo | jobstore.KindImage
	require.Equal(t, "video|image", set.String())
	require.Equal(t, []jobstore.Kind{jobstore.KindVideo, jobstore.KindImage}, set.Kinds())
	_, err := set.MarshalText()
	requireFieldError(t, err, "kind")
	require.Equal(t, []jobstore.Status{jobstore.StatusQueued, jobstore.StatusCancelled},
		(jobstore.StatusQueued | jobstore.StatusCancelled | 1<<9).Statuses(), "what is not documented is no member")
	require.Empty(t, jobstore.Kind(0).Kinds())

	// Whatever the number, there is a text for it and no panic.
	for n := range 1 << 16 {
		_ = jobstore.Kind(n).String()
		_ = jobstore.Status(n).String()
		_, kindErr := jobstore.Kind(n).MarshalText()
		_, statusErr := jobstore.Status(n).MarshalText()
		one := n > 0 && n < 32 && n&(n-1) == 0
		require.Equal(t, one, kindErr == nil, "%b", n)
		require.Equal(t, one, statusErr == nil, "%b", n)
	}
	for n := range 256 {
		_ = jobstore.Order(n).String()
	}
	require.Equal(t, "desc", jobstore.Desc.String())
	require.Equal(t, "asc", jobstore.Asc.String())
	for _, word := range []string{"", "Asc", "unknown"} {
		_, err := jobstore.ParseOrder(word)
		requireFieldError(t, err, "order")
		_, err = jobstore.ParseKind(word)
		requireFieldError(t, err, "kind")
		_, err = jobstore.ParseStatus(word)
		requireFieldError(t, err, "status")
	}
}
