package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/httpapi"
)

const (
	token   = "t0ken"
	maxBody = 4096
	maxURL  = 1024

	good     = `{"kind":"video","input":"https://example.com/a.mp4"}`
	jsonType = "Content-Type: application/json"
)

// badRequests are refused with this status and kind. They are written to the
// connection as they stand, with Host, Connection, Authorization and
// Content-Length added. A kind of "" is a refusal of net/http itself, which
// speaks plain text.
var badRequests = []struct {
	line    string // without the version
	headers []string
	body    string
	status  int
	kind    string
}{
	// Parameters of the list.
	{"GET /jobs?kind=film", nil, "", 400, "request_invalid"},
	{"GET /jobs?kind=Video", nil, "", 400, "request_invalid"},
	{"GET /jobs?kind=video,audio", nil, "", 400, "request_invalid"},
	{"GET /jobs?kind=video&kind=film", nil, "", 400, "request_invalid"},
	{"GET /jobs?kind=video%00", nil, "", 400, "request_invalid"},
	{"GET /jobs?status=done", nil, "", 400, "request_invalid"},
	{"GET /jobs?status=%20queued", nil, "", 400, "request_invalid"},
	{"GET /jobs?status=queued&status=1", nil, "", 400, "request_invalid"},
	{"GET /jobs?input=a&input=b", nil, "", 400, "request_invalid"},
	{"GET /jobs?input=%ff", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=0", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=101", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=-1", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=%2B5", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=1e1", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=0x10", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=5.0", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=99999999999999999999", nil, "", 400, "request_invalid"},
	{"GET /jobs?limit=5&limit=5", nil, "", 400, "request_invalid"},
	{"GET /jobs?after=abc", nil, "", 400, "request_invalid"},
	{"GET /jobs?after=job_", nil, "", 400, "request_invalid"},
	{"GET /jobs?after=job_a%20b", nil, "", 400, "request_invalid"},
	{"GET /jobs?after=job_a&after=job_b", nil, "", 400, "request_invalid"},
	{"GET /jobs?before=task_abc", nil, "", 400, "request_invalid"},
	{"GET /jobs?before=job_" + strings.Repeat("a", 65), nil, "", 400, "request_invalid"},
	{"GET /jobs?before=job_a%00b", nil, "", 400, "request_invalid"},
	{"GET /jobs?order=up", nil, "", 400, "request_invalid"},
	{"GET /jobs?order=DESC", nil, "", 400, "request_invalid"},
	{"GET /jobs?order=asc&order=asc", nil, "", 400, "request_invalid"},
	{"HEAD /jobs?order=up", nil, "", 400, ""},
	{"GET /jobs?stat=failed", nil, "", 400, "request_invalid"},
	{"GET /jobs?Status=failed", nil, "", 400, "request_invalid"},
	{"GET /jobs?kind=video&_=1", nil, "", 400, "request_invalid"},
	{"GET /jobs?=video", nil, "", 400, "request_invalid"},
	{"GET /jobs/job_here?limit=1", nil, "", 400, "request_invalid"},
	{"POST /jobs?kind=video", []string{jsonType}, good, 400, "request_invalid"},
	{"PATCH /jobs/job_here?status=failed", []string{jsonType}, `{"status":"failed"}`, 400, "request_invalid"},
	{"DELETE /jobs/job_here?force", nil, "", 400, "request_invalid"},
	{"GET /openapi.json?x=1", nil, "", 400, "request_invalid"},

	// Encodings of the URL.
	{"GET /jobs?kind=%zz", nil, "", 400, "request_invalid"},
	{"GET /jobs?kind=video;status=failed", nil, "", 400, "request_invalid"},
	{"GET /jobs?%", nil, "", 400, "request_invalid"},
	{"GET /jobs?input=" + strings.Repeat("a", maxURL), nil, "", 414, "url_too_long"},
	{"GET /" + strings.Repeat("a/", maxURL), nil, "", 414, "url_too_long"},
	{"GET /jobs/%zz", nil, "", 400, ""},

	// Paths.
	{"POST /", []string{jsonType}, good, 405, "method_not_allowed"},
	{"GET /?x", nil, "", 400, "request_invalid"},
	{"GET /job", nil, "", 404, "not_found"},
	{"GET /jobs/", nil, "", 404, "not_found"},
	{"GET /Jobs", nil, "", 404, "not_found"},
	{"GET //jobs", nil, "", 404, "not_found"},
	{"GET /jobs//job_abc", nil, "", 404, "not_found"},
	{"GET /jobs/../jobs", nil, "", 404, "not_found"},
	{"GET /./jobs", nil, "", 404, "not_found"},
	{"GET /jobs/%2e%2e/jobs", nil, "", 404, "not_found"},
	{"GET /jobs/job_abc/tasks", nil, "", 404, "not_found"},
	{"GET /jobs/job_abc/", nil, "", 404, "not_found"},
	{"GET /v1/jobs", nil, "", 404, "not_found"},
	{"GET *", nil, "", 404, "not_found"},
	{"GET jobs", nil, "", 400, ""},
	{"GET http://other.example/nothing", nil, "", 404, "not_found"},
	{"POST /openapi", []string{jsonType}, good, 404, "not_found"},

	// IDs.
	{"GET /jobs/job_missing", nil, "", 404, "job_not_found"},
	{"PATCH /jobs/job_missing", []string{jsonType}, `{"status":"queued"}`, 404, "job_not_found"},
	{"DELETE /jobs/job_missing", nil, "", 404, "job_not_found"},
	{"GET /jobs/abc", nil, "", 400, "request_invalid"},
	{"GET /jobs/job_", nil, "", 400, "request_invalid"},
	{"GET /jobs/job_a%2Fb", nil, "", 400, "request_invalid"},
	{"GET /jobs/job_%00", nil, "", 400, "request_invalid"},
	{"GET /jobs/job_%ff", nil, "", 400, "request_invalid"},
	{"GET /jobs/JOB_ABC", nil, "", 400, "request_invalid"},
	{"GET /jobs/job_" + strings.Repeat("a", 65), nil, "", 400, "request_invalid"},
	{"DELETE /jobs/all", nil, "", 400, "request_invalid"},
	{"PATCH /jobs/all", []string{jsonType}, `{"status":"queued"}`, 400, "request_invalid"},

	// Methods.
	{"PUT /jobs", []string{jsonType}, good, 405, "method_not_allowed"},
	{"DELETE /jobs", nil, "", 405, "method_not_allowed"},
	{"PATCH /jobs", []string{jsonType}, "{}", 405, "method_not_allowed"},
	{"POST /jobs/job_abc", []string{jsonType}, good, 405, "method_not_allowed"},
	{"PUT /jobs/job_abc", []string{jsonType}, good, 405, "method_not_allowed"},
	{"TRACE /jobs", nil, "", 405, "method_not_allowed"},
	{"get /jobs", nil, "", 405, "method_not_allowed"},
	{"BREW /jobs/job_abc", nil, "", 405, "method_not_allowed"},
	{"POST /openapi.json", []string{jsonType}, good, 405, "method_not_allowed"},
	{"CONNECT /jobs", nil, "", 405, "method_not_allowed"},
	{"G\x01T /jobs", nil, "", 400, ""},

	// Bodies of a new job.
	{"POST /jobs", []string{jsonType}, "", 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, " ", 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, "null", 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, "[" + good + "]", 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `"` + "text" + `"`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, "{", 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video"`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video",}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{'kind':'video'}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{kind:"video"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{1:"video"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, good + good, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, good + "]", 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, "\xef\xbb\xbf" + good, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, "kind=video&input=https%3A%2F%2Fa", 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://` + "\xff" + `"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a` + "\x00" + `"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, strings.Repeat(`{"options":`, 300), 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","metadata":{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a\ud800"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","options":{"a":["\udc00"]}}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"output":"https://a\ud800x"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"error":"\ud800"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"Status":"failed"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"input":"https://a"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":null,"input":"https://a"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"","input":"https://a"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"film","input":"https://a"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":["video"],"input":"https://a"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":1,"input":"https://a"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"KIND":"video","input":"https://a"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","kind":"video","input":"https://a"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":null}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":""}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":7}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":{"url":"https://a"}}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"ftp://a/b"}`, 400, "invalid_input"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"file:///etc/passwd"}`, 400, "invalid_input"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"/etc/passwd"}`, 400, "invalid_input"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"example.com/a.mp4"}`, 400, "invalid_input"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://"}`, 400, "invalid_input"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":" https://a"}`, 400, "invalid_input"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a\nb"}`, 400, "invalid_input"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","options":[]}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","options":"{}"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","metadata":1}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","metadata":true}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","output":"https://b/c"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","output":"s3://bucket"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","output":"s3://bucket/"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","output":"s3:///key"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","output":{}}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","id":"job_mine"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","status":"succeeded"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a","webhook":"https://b"}`, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType}, `{"kind":"video","input":"https://a` + strings.Repeat("a", maxBody) + `"}`, 413, "body_too_large"},
	{"POST /jobs", []string{jsonType, "Transfer-Encoding: chunked"}, "2000\r\n" + strings.Repeat(" ", 8192) + "\r\n0\r\n\r\n", 413, "body_too_large"},
	{"POST /jobs", []string{jsonType, "Transfer-Encoding: chunked"}, "nonsense\r\n", 400, "request_invalid"},
	{"POST /jobs", []string{jsonType, "Transfer-Encoding: gzip"}, good, 501, ""},

	// Reports.
	{"PATCH /jobs/job_here", []string{jsonType}, `{}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, ``, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `[{"op":"replace"}]`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"status":null}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"status":""}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"status":"done"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"status":1}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"status":"failed","status":"failed"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"output":1}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"output":"/local/path"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"tasks":{}}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"tasks":"[]"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"metadata":[]}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"options":{}}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"kind":"audio"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"input":"https://a"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"id":"job_there"}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"created_at":1}`, 400, "request_invalid"},
	{"PATCH /jobs/job_here", []string{jsonType}, `{"error":` + strings.Repeat("[", maxBody) + `}`, 413, "body_too_large"},

	// Headers.
	{"POST /jobs", nil, good, 415, "media_type_unsupported"},
	{"POST /jobs", []string{"Content-Type: text/plain"}, good, 415, "media_type_unsupported"},
	{"POST /jobs", []string{"Content-Type: application/x-www-form-urlencoded"}, good, 415, "media_type_unsupported"},
	{"POST /jobs", []string{"Content-Type: application/json; charset=latin1"}, good, 415, "media_type_unsupported"},
	{"POST /jobs", []string{"Content-Type: application/merge-patch+json"}, good, 415, "media_type_unsupported"},
	{"POST /jobs", []string{"Content-Type: ;"}, good, 415, "media_type_unsupported"},
	{"PATCH /jobs/job_here", []string{"Content-Type: multipart/form-data"}, "{}", 415, "media_type_unsupported"},
	{"POST /jobs", []string{jsonType, "Content-Encoding: gzip"}, good, 415, "media_type_unsupported"},
	{"POST /jobs", []string{jsonType, "Idempotency-Key: "}, good, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType, "Idempotency-Key: a", "Idempotency-Key: b"}, good, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType, "Idempotency-Key: " + strings.Repeat("k", 256)}, good, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType, "Idempotency-Key: schlüssel"}, good, 400, "request_invalid"},
	{"POST /jobs", []string{jsonType, "Content-Length: 10"}, good, 400, ""},
	{"POST /jobs", []string{jsonType, "Content-Length: x"}, "", 400, ""},
	{"GET /jobs", []string{"Host: b.example"}, "", 400, ""},
	{"GET /jobs", []string{"No colon"}, "", 400, ""},
	{"GET /jobs", []string{"Na me: value"}, "", 400, ""},
	{"GET /jobs", []string{"Name: a\x00b"}, "", 400, ""},
	{"GET /jobs", []string{"Expect: tea"}, "", 417, ""},
	{"GET /jobs", []string{"X-Long: " + strings.Repeat("a", 100<<10)}, "", 431, ""},

	// Changes of what the client has not seen.
	{"PATCH /jobs/job_here", []string{jsonType, `If-Match: W/"1"`}, `{"status":"failed"}`, 412, "precondition_failed"},
	{"PATCH /jobs/job_here", []string{jsonType, `If-Match: "1", *`}, `{"status":"failed"}`, 412, "precondition_failed"},
	{"DELETE /jobs/job_here", []string{`If-Match: "1"`}, "", 412, "precondition_failed"},
	{"DELETE /jobs/job_missing", []string{`If-Match: *`}, "", 404, "job_not_found"},

	// Pages of other origins.
	{"POST /jobs", []string{jsonType, "Origin: https://evil.example"}, good, 403, "origin_not_allowed"},
	{"POST /jobs", []string{jsonType, "Origin: null"}, good, 403, "origin_not_allowed"},
	{"POST /jobs", []string{jsonType, "Sec-Fetch-Site: cross-site"}, good, 403, "origin_not_allowed"},
	{"POST /jobs", []string{jsonType, "Sec-Fetch-Site: same-site"}, good, 403, "origin_not_allowed"},
	{"PATCH /jobs/job_here", []string{jsonType, "Origin: https://evil.example"}, `{"status":"failed"}`, 403, "origin_not_allowed"},
	{"DELETE /jobs/job_here", []string{"Origin: http://evil.example"}, "", 403, "origin_not_allowed"},

	// Tokens.
	{"GET /jobs", []string{"Authorization: -"}, "", 401, "token_missing"},
	{"GET /jobs", []string{"Authorization: Bearer wrong"}, "", 401, "token_invalid"},
	{"GET /jobs", []string{"Authorization: Bearer " + token + "x"}, "", 401, "token_invalid"},
	{"GET /jobs", []string{"Authorization: Bearer"}, "", 401, "token_invalid"},
	{"GET /jobs", []string{"Authorization: " + token}, "", 401, "token_invalid"},
	{"GET /jobs", []string{"Authorization: Basic dDp0b2tlbg=="}, "", 401, "token_invalid"},
	{"GET /jobs", []string{"Authorization: Bearer " + token, "Authorization: Bearer " + token}, "", 401, "token_invalid"},
	{"GET /jobs?token=" + token, []string{"Authorization: -"}, "", 401, "token_missing"},
	{"GET /jobs?limit=0", []string{"Authorization: -"}, "", 401, "token_missing"},
	{"GET /jobs/job_here", []string{"Authorization: -"}, "", 401, "token_missing"},
	{"POST /jobs", []string{"Authorization: -"}, good, 401, "token_missing"},
	{"PATCH /jobs/job_here", []string{"Authorization: -"}, "{}", 401, "token_missing"},
	{"DELETE /jobs/job_here", []string{"Authorization: -"}, "", 401, "token_missing"},
	{"GET /nothing", []string{"Authorization: -"}, "", 401, "token_missing"},
	{"PUT /jobs", []string{"Authorization: -"}, "", 401, "token_missing"},
}

func TestRefusals(t *testing.T) {
	store := openStore(t)
	job := newJob(0)
	job.ID = "job_here"
	require.NoError(t, store.Create(t.Context(), job))
	before, err := store.Get(t.Context(), job.ID)
	require.NoError(t, err)
	addr := serve(t, httpapi.New(store, &httpapi.Options{Token: token, MaxBody: maxBody, MaxURL: maxURL}))

	for _, bad := range badRequests {
		name := fmt.Sprintf("%.60q %.60q %.60q", bad.line, bad.headers, bad.body)
		status, header, body := sendRaw(t, addr, bad.line, bad.headers, bad.body)
		assert.Equal(t, bad.status, status, "%s: %s", name, body)
		if bad.kind == "" {
			assert.NotContains(t, body, "{", name)
			continue
		}
		var told map[string]string
		if assert.NoError(t, json.Unmarshal([]byte(body), &told), "%s: %s", name, body) {
			assert.Equal(t, bad.kind, told["kind"], "%s: %s", name, body)
			assert.NotEmpty(t, told["message"], name)
			assert.Len(t, told, 2, name)
			assert.NotContains(t, told["message"], "jobstore", name)
			assert.Less(t, len(told["message"]), 300, name)
		}
		assert.Equal(t, "application/json", header.Get("Content-Type"), name)
		assert.Equal(t, "no-store", header.Get("Cache-Control"), name)
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), name)
		assert.NotEmpty(t, header.Get("X-Request-Id"), name)
		assert.Equal(t, bad.status == http.StatusUnauthorized, header.Get("WWW-Authenticate") != "", name)
		assert.Equal(t, bad.status == http.StatusMethodNotAllowed, header.Get("Allow") != "", name)
	}

	page, err := store.List(t.Context(), allJobs)
	require.NoError(t, err)
	assert.Len(t, page.Jobs, 1, "something was created")
	after, err := store.Get(t.Context(), job.ID)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

// sendRaw writes a request as it is given and reads the response.
func sendRaw(t *testing.T, addr, line string, headers []string, body string) (status int, header http.Header, read string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))

	all := append([]string{"Host: jobs.example", "Connection: close"}, headers...)
	given := strings.Join(headers, "\n")
	if !strings.Contains(given, "Authorization:") {
		all = append(all, "Authorization: Bearer "+token)
	}
	if body != "" && !strings.Contains(given, "Transfer-Encoding:") {
		all = append(all, fmt.Sprint("Content-Length: ", len(body)))
	}
	var request strings.Builder
	request.WriteString(line + " HTTP/1.1\r\n")
	for _, h := range all {
		if h != "Authorization: -" {
			request.WriteString(h + "\r\n")
		}
	}
	request.WriteString("\r\n" + body)
	// A server that refuses early may close before it has read all.
	_, _ = io.WriteString(conn, request.String())

	method, _, _ := strings.Cut(line, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err, "%.60q", line)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.Header, string(text)
}
