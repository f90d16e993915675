package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// TestForwarded makes links of what trusted proxies say, and of nothing that anybody
// else could have said.
func TestForwarded(t *testing.T) {
	store := openStore(t)
	fill(t, store, 2)
	h := httpapi.New(store, &httpapi.Options{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}})
	const own = "http://own.example/jobs"
	for _, c := range []struct {
		remote, headers, want string
	}{
		{"10.1.2.3:4", "", own},
		{"10.1.2.3:4", "X-Forwarded-Proto: https", "https://own.example/jobs"},
		{"[fd00::1]:4", "X-Forwarded-Proto: HTTPS", "https://own.example/jobs"},
		{"[::ffff:10.1.2.3]:4", "X-Forwarded-Proto: https", "https://own.example/jobs"},
		{"10.1.2.3:4", "X-Forwarded-Host: a.example:8443", "http://a.example:8443/jobs"},
		{"10.1.2.3:4", "X-Forwarded-Host: a.example\nX-Forwarded-Proto: https\nX-Forwarded-Prefix: /media", "https://a.example/media/jobs"},
		{"10.1.2.3:4", "X-Forwarded-Prefix: /media/", "http://own.example/media/jobs"},
		{"10.1.2.3:4", "X-Forwarded-Prefix: /a b", "http://own.example/a%20b/jobs"},
		{"10.1.2.3:4", "Forwarded: for=1.2.3.4;host=a.example;proto=https", "https://a.example/jobs"},
		{"10.1.2.3:4", `Forwarded: For="[2001:db8::1]:4711";Proto=https ; Host="a.example:1"`, "https://a.example:1/jobs"},

		// Not from a trusted peer.
		{"192.0.2.1:4", "X-Forwarded-Proto: https", own},
		{"192.0.2.1:4", "Forwarded: proto=https;host=a.example", own},
		{"@", "X-Forwarded-Proto: https", own},
		{"", "X-Forwarded-Proto: https", own},

		// The client has sent a header too: what the proxy adds stands behind it.
		{"10.1.2.3:4", "X-Forwarded-Host: evil.example, a.example", "http://a.example/jobs"},
		{"10.1.2.3:4", "X-Forwarded-Host: evil.example\nX-Forwarded-Host: a.example", "http://a.example/jobs"},
		{"10.1.2.3:4", "Forwarded: host=evil.example, for=1.2.3.4;host=a.example", "http://a.example/jobs"},
		{"10.1.2.3:4", "Forwarded: for=10.9.9.9;host=evil.example, for=1.2.3.4;host=a.example", "http://a.example/jobs"},
		{"10.1.2.3:4", `Forwarded: for="a, b;host=evil.example", for=1.2.3.4;host=a.example`, "http://a.example/jobs"},

		// Two proxies, both trusted: the first has seen the client's own request.
		{"10.1.2.3:4", "Forwarded: for=1.2.3.4;host=a.example;proto=https, for=10.5.5.5;host=inner;proto=http", "https://a.example/jobs"},
		{"10.1.2.3:4", "X-Forwarded-For: 1.2.3.4, 10.5.5.5\nX-Forwarded-Proto: https, http\nX-Forwarded-Host: a.example, inner", "https://a.example/jobs"},
		{"10.1.2.3:4", "X-Forwarded-For: 1.2.3.4, 10.5.5.5\nX-Forwarded-Proto: https", "https://own.example/jobs"},

		// The one contradicts the other, so that neither is believed.
		{"10.1.2.3:4", "Forwarded: host=evil.example\nX-Forwarded-Host: a.example", own},
		{"10.1.2.3:4", "Forwarded: proto=http\nX-Forwarded-Proto: https\nX-Forwarded-Host: a.example", "http://a.example/jobs"},

		// What is no host, scheme or prefix.
		{"10.1.2.3:4", "X-Forwarded-Host: a.example/path", own},
		{"10.1.2.3:4", "X-Forwarded-Host: user@a.example", own},
		{"10.1.2.3:4", "X-Forwarded-Host: a.example>; rel=x", own},
		{"10.1.2.3:4", "X-Forwarded-Host: " + strings.Repeat("a", 300), own},
		{"10.1.2.3:4", "X-Forwarded-Proto: javascript", own},
		{"10.1.2.3:4", "X-Forwarded-Prefix: //evil.example", own},
		{"10.1.2.3:4", "X-Forwarded-Prefix: /../x", own},
		{"10.1.2.3:4", "X-Forwarded-Prefix: media", own},
		{"10.1.2.3:4", "Forwarded: host=\"a.example", own},
		{"10.1.2.3:4", "Forwarded: ;;,=,host", own},
	} {
		r := httptest.NewRequest("GET", "/jobs?limit=1", nil)
		r.Host, r.RemoteAddr = "own.example", c.remote
		for line := range strings.SplitSeq(c.headers, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, 200, w.Code, w.Body.String())
		at, _, _ := strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), "?")
		assert.Equal(t, c.want, at, "%s: %s", c.remote, c.headers)
	}
}

// TestLinksAreTaken follows the links of pages with filters of all lengths: the handler
// takes what it gives, and both links of a page fit into the 4 KiB of header that
// proxies have for an answer.
func TestLinksAreTaken(t *testing.T) {
	store := openStore(t)
	var inputs []string
	for n, length := range []int{20, 900, 1000, 1100, 2900, 8000, 16000} {
		input := strings.ToValidUTF8(("https://example.com/" + strings.Repeat("/,:é", length))[:length], "")
		inputs = append(inputs, input)
		for i := range 4 {
			job := newJob(1)
			job.ID, job.Input = jobstore.ID("job_"+strings.Repeat("z", 62)+string(rune('a'+n))+string(rune('a'+i))), input
			require.NoError(t, store.Put(t.Context(), job))
		}
	}
	server := newServer(t, store, nil)
	for _, input := range inputs {
		query := "?limit=1&kind=audio&kind=video&kind=image&kind=animation&kind=adaptive_video&order=asc" +
			"&status=queued&status=processing&status=succeeded&status=failed&status=cancelled"
		if len(url.QueryEscape(input)) < 7500 {
			query += "&input=" + url.QueryEscape(input)
		} else {
			sum := sha256.Sum256([]byte(input))
			query += "&input_sha256=" + hex.EncodeToString(sum[:])
		}
		at, seen := server.URL+"/jobs"+query, 0
		for at != "" {
			got := do(t, "GET", at, "")
			require.Equal(t, 200, got.StatusCode, got.body)
			for _, job := range got.jobs(t) {
				assert.Equal(t, input, job.Input)
				seen++
			}
			assert.Less(t, len(got.Header.Get("Link")), 3500)
			if prev := got.link("prev"); prev != "" {
				assert.Equal(t, 200, do(t, "GET", prev, "").StatusCode)
			}
			at = got.link("next")
		}
		assert.Equal(t, 4, seen, "%.40s (%d)", input, len(input))
	}
}
