package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRun runs the example twice on one file: the second time there is nothing
// new to take in.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	for range 2 {
		var out strings.Builder
		require.NoError(t, run(t.Context(), path, &out))
		assert.Equal(t, ""+
			"succeeded  image  https://example.com/upload-2\n"+
			"failed     audio  https://example.com/upload-1\n"+
			"succeeded  video  https://example.com/upload-0\n", out.String())
	}
}
