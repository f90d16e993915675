//go:build !unix

package jobstore_test

import (
	"os/exec"
	"testing"
)

// makeFIFO skips the test: there are no such files here.
func makeFIFO(t *testing.T, _ string) {
	t.Helper()
	t.Skip("no FIFOs on this system")
}

// asNobody skips the test: the rights to a file are another matter here.
func asNobody(t *testing.T) func(*exec.Cmd) {
	t.Skip("no file modes on this system")
	return nil
}
