package httpapi_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// baseURL is what stands in the examples of the documentation's page, and all
// that is changed in them.
const baseURL = "https://api.ittybit.com"

// A client runs the page's examples of one language. The page leaves out the
// imports and the printing.
type client struct {
	program       string
	file          string
	before, after string
	walk          string // a script that walks all pages; none for curl
}

var clients = map[string]client{
	"bash": {program: "curl", file: "example.sh"},
	"python": {
		program: "python3", file: "example.py", walk: "walk.py",
		before: `
import json, os
api_key = os.environ["ITTYBIT_API_KEY"]
try:
    import requests
except ImportError:
    import urllib.request
    class requests:
        def get(url, headers):
            res = urllib.request.urlopen(urllib.request.Request(url, headers=headers))
            res.json = lambda: json.load(res)
            return res
`,
		after: "print(json.dumps(data))\n",
	},
	"typescript": {
		program: "node", file: "example.mjs", walk: "walk.mjs",
		after: "console.log(JSON.stringify(data));\n",
	},
}

// TestClients runs the examples of the documentation's page as they stand there
// but for the base URL, and compares what they read with the store.
func TestClients(t *testing.T) {
	page, err := os.ReadFile("testdata/examples.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, 8)

	store := openStore(t)
	fill(t, store, 500)
	server := newServer(t, store, &httpapi.Options{Token: token})
	queries := map[string]jobstore.Query{
		"/jobs?kind=video&limit=10":    {Kind: jobstore.KindVideo, Limit: 10},
		"/jobs?status=failed&limit=20": {Status: jobstore.StatusFailed, Limit: 20},
	}
	ran := 0
	for _, block := range blocks {
		language, code := block[1], block[2]
		if !strings.Contains(code, baseURL) {
			continue // the example for the service's own command line
		}
		for target, q := range queries {
			if !strings.Contains(code, target) {
				continue
			}
			ran++
			t.Run(language+target, func(t *testing.T) {
				c := clients[language]
				file := filepath.Join(t.TempDir(), c.file)
				script := c.before + strings.ReplaceAll(code, baseURL, server.URL) + c.after
				require.NoError(t, os.WriteFile(file, []byte(script), 0o600))

				var got []jobstore.Job
				require.NoError(t, json.Unmarshal(c.run(t, file), &got))
				want, err := store.List(t.Context(), q)
				require.NoError(t, err)
				assert.Equal(t, ids(want.Jobs), ids(got))
				assert.Len(t, got, q.Limit)
			})
		}
	}
	assert.Equal(t, 6, ran)
}

// TestClientsWalk follows the Link header as clients in other languages read it.
func TestClientsWalk(t *testing.T) {
	store := openStore(t)
	fill(t, store, 250)
	server := newServer(t, store, &httpapi.Options{Token: token})
	var want []jobstore.ID
	for job, err := range store.All(t.Context(), jobstore.Query{Order: jobstore.Asc}) {
		require.NoError(t, err)
		want = append(want, job.ID)
	}
	for language, c := range clients {
		if c.walk == "" {
			continue
		}
		t.Run(language, func(t *testing.T) {
			var got []jobstore.ID
			require.NoError(t, json.Unmarshal(c.run(t, filepath.Join("testdata", c.walk), server.URL+"/jobs?order=asc&limit=30"), &got))
			assert.Equal(t, want, got)
		})
	}
}

// run runs a script and returns what it prints.
func (c client) run(t *testing.T, args ...string) []byte {
	if _, err := exec.LookPath(c.program); err != nil {
		t.Skipf("%s is not installed", c.program)
	}
	program := c.program
	if program == "curl" {
		program = "sh"
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "ITTYBIT_API_KEY="+token)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return out
}
