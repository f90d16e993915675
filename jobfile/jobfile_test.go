package jobfile_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobfile"
)

// TestParseMatchesNamesExactly takes no name for another one, also where unknown
// ones are passed over.
func TestParseMatchesNamesExactly(t *testing.T) {
	const good = `{"id":"job_1","kind":"video","status":"queued","input":"s3://a/b"`
	for text, ignored := range map[string]string{ // what is said when unknown fields are to be ignored
		good + `}`:                          "",
		good + `,"KIND":"audio"}`:           "",
		good + `,"Output":7}`:               "",
		good + `,"colour":{"id":"x"}}`:      "",
		good + `,"id":"job_2"}`:             "id must not be given more than once",
		good + `,"\u0069d":"job_2"}`:        "id must not be given more than once",
		good + `,"output":7}`:               "output must be a string",
		good + `,"colour":1,}`:              "a job must be a JSON object: a name in double quotes must stand here",
		strings.ToUpper(good) + `}`:         "id is missing",
		good + `,"metadata":{"a":1,"a":2}}`: "",
	} {
		job, err := jobfile.Parse([]byte(text), true)
		if ignored != "" {
			require.ErrorContains(t, err, ignored, text)
			assert.ErrorIs(t, err, jobstore.ErrInvalid, text)
			continue
		}
		require.NoError(t, err, text)
		assert.Equal(t, jobstore.KindVideo, job.Kind, text)
		assert.Empty(t, job.Output, text)
		_, err = jobfile.Parse([]byte(text), false)
		strange := strings.Contains(text, "KIND") || strings.Contains(text, "Output") || strings.Contains(text, "colour")
		assert.Equal(t, strange, errors.Is(err, jobfile.ErrUnknownField), text)
	}
}

// TestAppendLine changes line ends into spaces, and nothing else.
func TestAppendLine(t *testing.T) {
	job := &jobstore.Job{
		ID: "job_1", Kind: jobstore.KindVideo, Status: jobstore.StatusQueued, Input: "s3://a/\n",
		Options: json.RawMessage("{\r\n\t\"a\":\n\n[\r1,  2\r\r\n] }"), Metadata: json.RawMessage(`{ "b" : "\n" }`),
	}
	line := string(jobfile.AppendLine([]byte("> "), job))
	assert.Contains(t, line, "\"options\":{ \t\"a\":  [ 1,  2  ] },\"metadata\":{ \"b\" : \"\\n\" },")
	assert.True(t, strings.HasPrefix(line, `> {"id":"job_1"`))
	assert.NotContains(t, line, "\n")
	job.Options = json.RawMessage("{ }")
	assert.Equal(t, string(job.AppendJSON(nil)), string(jobfile.AppendLine(nil, job)))
}
