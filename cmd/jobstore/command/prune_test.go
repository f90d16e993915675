package command_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/cmd/jobstore/command"
)

// aged returns a line of NDJSON: a job that was created so many days ago.
func aged(id, kind, status string, days int) string {
	created := time.Now().AddDate(0, 0, -days).UnixMilli()
	return fmt.Sprintf(`{"id":"job_%s","kind":%q,"status":%q,"input":"s3://a/b","created_at":%d}`+"\n", id, kind, status, created)
}

func TestPrune(t *testing.T) {
	database := newDatabase(t)
	must(t, database, aged("a", "video", "succeeded", 40)+aged("b", "audio", "succeeded", 40)+
		aged("c", "video", "failed", 40)+aged("d", "video", "cancelled", 40)+
		aged("e", "video", "queued", 40)+aged("f", "video", "succeeded", 20), "import", "-")
	before, err := os.ReadFile(database)
	require.NoError(t, err)
	reader, err := jobstore.Open(database, &jobstore.Options{ReadOnly: true})
	require.NoError(t, err)
	for call, want := range map[string]int{
		"--older-than 30d":                                       4,
		"--older-than 30d12h":                                    4,
		"--older-than 480h1m":                                    4,
		"--older-than 7d":                                        5,
		"--older-than 50d":                                       0,
		"--older-than 30d --status succeeded":                    2,
		"--older-than 30d --status succeeded,failed":             3,
		"--older-than 30d --status succeeded --status failed":    3,
		"--older-than 30d --status queued":                       1,
		"--older-than 30d --kind audio":                          1,
		"--older-than 30d --kind video,audio --status succeeded": 2,
		"--before 2020-01-31":                                    0,
		"--before 9999-01-31T12:00:00Z":                          5,
		"--before 30d":                                           4,
	} {
		out := must(t, database, "", append([]string{"prune", "--dry-run"}, strings.Fields(call)...)...)
		assert.Equal(t, "would delete "+strings.TrimSuffix(strings.TrimSuffix(jobsWere(want), " were"), " was")+"\n", out, call)
	}
	require.NoError(t, reader.Close())
	after, err := os.ReadFile(database)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(before, after), "a dry run wrote to the file")

	assert.Equal(t, "deleted 2 jobs\n", must(t, database, "", "prune", "--older-than", "30d", "--status", "succeeded"))
	assert.Equal(t, "deleted 0 jobs\n", must(t, database, "", "prune", "--older-than", "30d", "--status", "succeeded"))
	assert.Equal(t, []string{"job_f", "job_e", "job_d", "job_c"}, ids(t, must(t, database, "", "list", "--json")))
	assert.Equal(t, "deleted 2 jobs\n", must(t, database, "", "prune", "--older-than", "30d"))
	assert.Equal(t, []string{"job_f", "job_e"}, ids(t, must(t, database, "", "list", "--json")))
}

// TestInterruptedPrune ends the context ever later, and expects to be told how
// many jobs were deleted by then.
func TestInterruptedPrune(t *testing.T) {
	database := newDatabase(t)
	var jobs strings.Builder
	const total = 1000
	for i := range total {
		jobs.WriteString(aged(fmt.Sprintf("%04d", i), "video", "succeeded", 40))
	}
	must(t, database, jobs.String(), "import", "-")
	left, partly := total, 0
	for looks := 0; left > 0; looks++ {
		var out, errs bytes.Buffer
		ctx := &endingContext{Context: context.Background(), looks: looks}
		code := command.Main(ctx, []string{"--db", database, "prune", "--older-than", "30d"}, strings.NewReader(""), &out, &errs)
		deleted := 0
		if code == 0 {
			_, err := fmt.Sscanf(out.String(), "deleted %d jobs\n", &deleted)
			require.NoError(t, err, out.String())
			require.Equal(t, left, deleted)
		} else if errs.String() != "jobstore: interrupted\n" {
			partly++
			_, err := fmt.Sscanf(errs.String(), "jobstore: interrupted; deleted %d jobs\n", &deleted)
			require.NoError(t, err, errs.String())
			requireOneLine(t, errs.String())
			require.Equal(t, 130, code)
		}
		left -= deleted
		require.Equal(t, left, count(t, database), "after %d looks", looks)
	}
	assert.Positive(t, partly)
}

// A job that cannot be read is neither deleted nor a reason to stop.
func TestPruneOfDamage(t *testing.T) {
	database := t.TempDir() + "/damaged.db"
	must(t, database, "", "import", examplesFile)
	damage(t, database)
	var out, errs bytes.Buffer
	code := command.Main(context.Background(), []string{"--db", database, "prune", "--older-than", "1d"}, strings.NewReader(""), &out, &errs)
	assert.Equal(t, 1, code)
	assert.Empty(t, out.String())
	assert.Regexp(t, `^jobstore: .*1 jobs cannot be read and were not deleted; deleted 154 jobs\n$`, errs.String())
}
