//go:build !unix

package jobstore_test

import (
	"os/exec"
	"testing"
)

// asNobody skips the test: the rights to a file are another matter here.
func asNobody(t *testing.T) func(*exec.Cmd) {
	t.Skip("no file modes on this system")
	return nil
}
