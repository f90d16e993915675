package command_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bodies are what a job can be created with, and what is wrong with them, which is
// said in the same words by every way in. "" takes the body.
var bodies = map[string]string{
	`{"kind":"video","input":"s3://a/b"}`:                                           "",
	" \t\r\n{ \"kind\" : \"video\" , \"input\" : \"s3://a/b\" } \n":                 "",
	`{"kind":"video","input":"HTTPS://EXAMPLE.COM/a"}`:                              "",
	`{"kind":"video","input":"s3://a/b","output":"s3://bucket/key"}`:                "",
	`{"kind":"video","input":"s3://a/b","output":null,"options":null}`:              "",
	`{"k\u0069nd":"video","input":"s3://a/b"}`:                                      "",
	"{\"kind\":\"video\",\"input\":\"s3://a/b\",\"options\":{ \"<&>\": [1,  2]\t}}": "",
	`{"kind":"video","input":"s3://a/b","metadata":{"a":1,"a":2,"KIND":"x"}}`:       "",
	`{"kind":"video","input":"s3://a/\ufffd"}`:                                      "",
	`{"kind":"video","input":"s3://a/` + strings.Repeat("<", 16000) + `"}`:          "",
	`{"kind":"video","input":"s3://a/b","options":` + nested(1000) + `}`:            "",

	`{"kind":"video","input":"s3://a/b","options":` + nested(1001) + `}`:       "values may be nested 1000 deep",
	`{"kind":"video","input":"s3://a/b","metadata":{"a":"\ud800"}}`:            "a string must not hold half a surrogate pair (byte 52, at .metadata.a)",
	`{"kind":"video","input":"s3://a/\ud800 \ufffd"}`:                          "a string must not hold half a surrogate pair (byte 32, at .input)",
	"{\"kind\":\"video\",\"input\":\"s3://a/\xff\"}":                           "this is not valid UTF-8 (byte 32, at .input)",
	"{\"kind\":\"video\",\"input\":\"s3://a/b\",\"options\":{\"a\":\"\xc3\"}}": "this is not valid UTF-8",
	"{\"kind\":\"video\",\"input\":\"s3://a/\tb\"}":                            "a control character in a string must be escaped",
	`{"kind":"video","input":"s3://a/b"`:                                       "unexpected end of JSON input",
	`{"kind":"video","input":"s3://a/b"} {}`:                                   "unexpected text after top-level value",
	`{"kind":"video","input":"s3://a/b",}`:                                     "a name in double quotes must stand here",
	`{"kind":"video","kind":"video","input":"s3://a/b"}`:                       "kind must not be given more than once",
	`{"kind":"vide","input":"s3://a/b"}`:                                       `kind "vide" must be video,`,
	`{"input":"s3://a/b"}`:                                                     "kind is missing: must be video,",
	`{"kind":null,"input":"s3://a/b"}`:                                         "kind is missing: must be video,",
	`{"kind":7,"input":"s3://a/b"}`:                                            "kind must be a string",
	`{"kind":"video"}`:                                                         "input is missing",
	`{"kind":"video","input":null}`:                                            "input is missing",
	`{"kind":"video","input":{}}`:                                              "input must be a string",
	`{"kind":"video","input":"s3://a/b","output":7}`:                           "output must be a string",
	`{"kind":"video","input":"s3://a/b","options":[]}`:                         `options "[]" must be a JSON object`,
	`{"kind":"video","input":"s3://a/b","metadata":7}`:                         `metadata "7" must be a JSON object`,
	`{"kind":"video","input":"s3://a/` + strings.Repeat("x", 16<<10) + `"}`:    "is too long: 16391 bytes, 16384 are allowed",
	`[]`:   "must be a JSON object",
	`null`: "must be a JSON object",
	`"a"`:  "must be a JSON object",
	`{}`:   "kind is missing",
}

// creatingOnly are bodies that a store takes as they are and that nobody can create
// a job with: import takes back what is in a store.
var creatingOnly = map[string]string{
	`{"kind":"video","input":"ftp://a/b"}`:                         "input must use http://, https://, or s3:// scheme",
	`{"kind":"video","input":"s3://"}`:                             "input must use http://, https://, or s3:// scheme",
	`{"kind":"video","input":"s3://a/\n"}`:                         "input must use http://, https://, or s3:// scheme",
	`{"kind":"video","input":"s3://a/b","output":"https://a/b"}`:   `output "https://a/b" must be s3://bucket/key`,
	`{"kind":"video","input":"s3://a/b","output":"s3://bucket"}`:   `output "s3://bucket" must be s3://bucket/key`,
	`{"kind":"video","input":"s3://a/b","output":"s3://b/\u0007"}`: `must be s3://bucket/key`,
	`{"KIND":"video","input":"s3://a/b"}`:                          `"KIND" is not a field that can be given, only input, kind, options, output, metadata`,
	`{"kind":"video","input":"s3://a/b","status":"queued"}`:        `"status" is not a field that can be given, only`,
}

func nested(depth int) string {
	return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"
}

// TestEveryWayInTakesTheSame creates a job with each body through a file, a server
// and the API, and imports it with the ID and the status that it lacks.
func TestEveryWayInTakesTheSame(t *testing.T) {
	database := newDatabase(t)
	s := served(t, newDatabase(t))
	try := func(body, want string) (ways map[string]outcome) {
		ways = map[string]outcome{
			"create --db":  run(t, database, body, "create", "--body", "-"),
			"create --url": ask(t, s.url, body, "create", "--body", "-"),
			"POST":         post(t, s.url+"/jobs", body),
		}
		for way, got := range ways {
			if want == "" {
				assert.Equal(t, 0, got.code, "%s of %.200s: %s", way, body, got.err)
			} else {
				assert.Equal(t, 2, got.code, "%s of %.200s: %s", way, body, got.out)
				assert.Contains(t, got.err, want, "%s of %.200s", way, body)
			}
		}
		assert.Equal(t, strings.TrimPrefix(ways["create --db"].err, "jobstore: "), ways["POST"].err, body)
		assert.Equal(t, ways["create --db"].err, ways["create --url"].err, body)
		return ways
	}
	for body, want := range creatingOnly {
		try(body, want)
	}
	for body, want := range bodies {
		ways := try(body, want)
		if body == "[]" {
			continue // no jobs to import
		}
		whole := body
		if i := strings.IndexByte(body, '{'); i >= 0 {
			members := strings.TrimLeft(body[i+1:], " ")
			separator := ","
			if strings.HasPrefix(members, "}") {
				separator = ""
			}
			whole = body[:i+1] + `"id":"job_1","status":"queued"` + separator + members
		}
		line := strings.NewReplacer("\n", " ", "\r", " ").Replace(whole)
		for way, got := range map[string]outcome{
			"import":       run(t, newDatabase(t), line, "import", "-"),
			"import array": run(t, newDatabase(t), "["+line+"]", "import", "-"),
			"PUT":          put(t, s.url+"/store/jobs", line),
		} {
			if want == "" {
				assert.Equal(t, 0, got.code, "%s of %.200s: %s", way, body, got.err)
				continue
			}
			if way == "import array" && got.code != 0 {
				continue // the array itself is broken then
			}
			reason, _, _ := strings.Cut(want, " (byte")
			assert.NotEqual(t, 0, got.code, "%s of %.200s", way, body)
			assert.Contains(t, got.err, reason, "%s of %.200s", way, body)
		}
		if want != "" {
			continue
		}
		// Raw JSON is stored as it came, by every way.
		var given struct{ Options, Metadata json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(body), &given))
		for way, got := range ways {
			for name, raw := range map[string]json.RawMessage{"options": given.Options, "metadata": given.Metadata} {
				if len(raw) > 0 && string(raw) != "null" {
					assert.Contains(t, got.out, `"`+name+`":`+string(raw)+",", way)
				}
			}
		}
	}
}

// post creates a job by the API itself. The outcome has the codes of a command.
func post(t *testing.T, url, body string) outcome {
	t.Helper()
	return send(t, http.MethodPost, url, "application/json", body)
}

func put(t *testing.T, url, body string) outcome {
	t.Helper()
	return send(t, http.MethodPut, url, "application/x-ndjson", body)
}

func send(t *testing.T, method, url, mediaType, body string) outcome {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set("Authorization", "Bearer secret")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode < 300 {
		return outcome{0, string(text), ""}
	}
	var told struct{ Message string }
	require.NoError(t, json.Unmarshal(text, &told), string(text))
	return outcome{2, "", told.Message + "\n"}
}
