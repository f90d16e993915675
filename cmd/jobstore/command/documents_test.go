//go:build unix

package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// untested is how the commands of the documents begin that this test does not run:
// they run tests, this one among them, some of them for hours.
const untested = "go test "

// A documented line is one that is indented by four spaces, or stands between
// fences of a shell.
var (
	indented = regexp.MustCompile(`(?m)^    (\S.*)$`)
	fenced   = regexp.MustCompile("(?ms)^```(?:sh|bash|shell)\n(.*?)^```")
)

// TestCommandsOfDocumentsRun runs every command of the README and of docs, those of
// one document one after the other in one folder, as a reader does.
func TestCommandsOfDocumentsRun(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this system has no sh")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	server := served(t, newExamples(t)).url
	ran := 0
	for _, document := range append(documents, filepath.Join(root, "README.md")) {
		folder := inFolder(t)
		for name, from := range map[string]string{"jobs.ndjson": examplesFile, "damaged.db": filepath.Join(folder, "jobs.db")} {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(readFile(t, from)), 0o600))
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, "token"), []byte("secret\n"), 0o600))
		for _, line := range documentedLines(readFile(t, document)) {
			command, _, _ := strings.Cut(line, "   #")
			command, _, _ = strings.Cut(command, " # ")
			command = strings.TrimSpace(command)
			if strings.HasPrefix(command, untested) {
				continue
			}
			command = strings.NewReplacer(
				"go run ./cmd/jobstore", "jobstore", "jobstore demo", "jobstore demo --jobs 500", "/etc/jobstore/token", "token",
				"JOBSTORE_TOKEN=…", "JOBSTORE_TOKEN=secret", "ADDRESS", server, "http://127.0.0.1:8080", server,
			).Replace(command)
			switch {
			case strings.Contains(command, "--health"):
				command = strings.Replace(command, ":8080", strings.TrimPrefix(server, "http://"), 1)
			case strings.Contains(command, "jobstore serve"):
				command = regexp.MustCompile(`--addr \S+`).ReplaceAllString(command, "--addr 127.0.0.1:0")
			case strings.HasPrefix(command, "go get "):
				// This needs a published version: what can be wrong here is the name.
				assert.Contains(t, readFile(t, filepath.Join(root, "go.mod")), "module "+strings.TrimPrefix(command, "go get ")+"\n")
				continue
			case strings.HasPrefix(command, "go install"):
				command = "cd '" + root + "' && GOBIN='" + t.TempDir() + "' " + command
			case !strings.HasPrefix(command, "jobstore ") && !strings.HasPrefix(command, "JOBSTORE_"):
				assert.Fail(t, "nobody runs this command", "%s: %s", document, line)
				continue
			}
			if strings.Contains(command, "--url "+server) && !strings.Contains(command, "--token") {
				command = "JOBSTORE_TOKEN=secret " + command
			}
			runExample(t, sh, folder, command+"\n")
			ran++
		}
	}
	assert.Greater(t, ran, 20)
}

// documentedLines returns the commands of a document, in their order.
func documentedLines(text string) (lines []string) {
	for _, match := range fenced.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(match[1]) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				lines = append(lines, line)
			}
		}
	}
	// What stands between fences is indented for other reasons.
	text = regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(text, "")
	// A list's continuation is no command.
	for _, match := range indented.FindAllStringSubmatch(text, -1) {
		lines = append(lines, match[1])
	}
	return lines
}
