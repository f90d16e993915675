package conformance

import (
	"bufio"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const deploy = "../deploy/"

// tool returns the path of a program that checks files for deployment. A machine
// without it skips the test, unless JOBSTORE_REQUIRE_DEPLOY_TOOLS says that it has all.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("JOBSTORE_REQUIRE_DEPLOY_TOOLS") != "" {
		require.NoError(t, err, "JOBSTORE_REQUIRE_DEPLOY_TOOLS is set")
	}
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// runTool runs a program, which must succeed, and returns what it says.
func runTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	text, err := exec.Command(tool(t, name), args...).CombinedOutput()
	require.NoError(t, err, "%s %s\n%s", name, strings.Join(args, " "), text)
	return string(text)
}

// buildStatic builds the program as the Dockerfile does.
func buildStatic(t *testing.T) string {
	t.Helper()
	dockerfile, err := os.ReadFile(deploy + "Dockerfile")
	require.NoError(t, err)
	build := regexp.MustCompile(`CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o \S+ \./cmd/jobstore`)
	require.Regexp(t, build, string(dockerfile))
	path, err := buildOnce()
	require.NoError(t, err)
	return path
}

var buildOnce = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildFolder, "jobstore")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./cmd/jobstore")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(string(text))
	}
	return path, nil
})

var buildFolder string

func TestMain(m *testing.M) {
	var err error
	if buildFolder, err = os.MkdirTemp("", "jobstore-conformance-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(buildFolder)
	os.Exit(code)
}

// TestImage builds what the image holds, which has nothing that it could be linked with,
// and runs the server and the health command with no environment but the image's own.
func TestImage(t *testing.T) {
	program := buildStatic(t)
	if file, err := elf.Open(program); err == nil {
		for _, section := range file.Progs {
			assert.NotEqual(t, elf.PT_INTERP, section.Type, "it is linked with libraries")
		}
		_ = file.Close()
	}
	server := exec.Command(program, "serve", "--addr", "127.0.0.1:0")
	server.Env = []string{"JOBSTORE_DB=" + filepath.Join(t.TempDir(), "jobs.db"), "JOBSTORE_TOKEN=secret"}
	addr := start(t, server)
	health := exec.Command(program, "serve", "--health", "--addr", addr)
	health.Env = server.Env
	text, err := health.CombinedOutput()
	assert.NoError(t, err, "%s", text)
}

// start runs the server until the end of the test and returns its address.
func start(t *testing.T, server *exec.Cmd) (addr string) {
	t.Helper()
	out, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		assert.NoError(t, server.Wait())
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on http://"))
}

// TestUnit has systemd verify the unit, and rate how much it leaves open: 10 is all.
func TestUnit(t *testing.T) {
	unit, err := os.ReadFile(deploy + "jobstore.service")
	require.NoError(t, err)
	tool(t, "systemd-analyze")
	const installed = "/usr/local/bin/jobstore"
	require.Contains(t, string(unit), "ExecStart="+installed+" ")
	path := filepath.Join(t.TempDir(), "jobstore.service")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(unit), installed, buildStatic(t))), 0o600))
	assert.Empty(t, runTool(t, "systemd-analyze", "verify", "--man=no", path))
	runTool(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", path) // tenths
}

// TestPrometheusFiles has promtool check the configuration and the alerts, and run the
// test of these.
func TestPrometheusFiles(t *testing.T) {
	tool(t, "promtool")
	folder := t.TempDir()
	for _, name := range []string{"prometheus.yml", "alerts.yml", "alerts_test.yml"} {
		text, err := os.ReadFile(deploy + name)
		require.NoError(t, err)
		text = []byte(strings.ReplaceAll(string(text), "/etc/prometheus/jobstore-token", filepath.Join(folder, "token")))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "token"), []byte("secret"), 0o600))
	runTool(t, "promtool", "check", "config", filepath.Join(folder, "prometheus.yml"))
	runTool(t, "promtool", "test", "rules", filepath.Join(folder, "alerts_test.yml"))
}

// readDashboard returns the dashboard, and the expressions in it.
func readDashboard(t *testing.T) (dashboard any, expressions []string) {
	t.Helper()
	text, err := os.ReadFile(deploy + "dashboard.json")
	require.NoError(t, err)
	dashboard, err = jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	var panels struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	require.NoError(t, json.Unmarshal(text, &panels))
	for _, panel := range panels.Panels {
		for _, target := range panel.Targets {
			expressions = append(expressions, target.Expr)
		}
	}
	return dashboard, expressions
}

// TestDashboard holds the dashboard to the schema beside it, which refuses others, and its
// expressions to promtool.
func TestDashboard(t *testing.T) {
	dashboard, expressions := readDashboard(t)
	schema, err := jsonschema.NewCompiler().Compile(deploy + "dashboard.schema.json")
	require.NoError(t, err)
	assert.NoError(t, schema.Validate(dashboard))
	panel := dashboard.(map[string]any)["panels"].([]any)[0].(map[string]any)
	panel["type"] = "graf"
	assert.Error(t, schema.Validate(dashboard))

	require.NotEmpty(t, expressions)
	var rules strings.Builder
	rules.WriteString("groups: [{name: dashboard, rules: [")
	for _, expression := range expressions {
		expression = strings.ReplaceAll(expression, "$__rate_interval", "5m")
		quoted, err := json.Marshal(expression)
		require.NoError(t, err)
		rules.WriteString("{record: a, expr: " + string(quoted) + "},")
	}
	rules.WriteString("]}]")
	path := filepath.Join(t.TempDir(), "rules.yml")
	require.NoError(t, os.WriteFile(path, []byte(rules.String()), 0o600))
	runTool(t, "promtool", "check", "rules", "--lint=none", path)
}

// TestMetricsAreThere finds every metric of the alerts and the dashboard at a server.
func TestMetricsAreThere(t *testing.T) {
	addr := start(t, exec.Command(buildStatic(t), "--db", filepath.Join(t.TempDir(), "jobs.db"), "serve", "--addr", "127.0.0.1:0"))
	get := func(path string) string {
		resp, err := http.Get("http://" + addr + path)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return string(text)
	}
	get("/jobs") // a counter with labels is there when it has counted
	metrics := get("/metrics")
	_, expressions := readDashboard(t)
	alerts, err := os.ReadFile(deploy + "alerts.yml")
	require.NoError(t, err)
	all := strings.Join(expressions, "\n") + string(alerts)
	names := regexp.MustCompile(`\b(jobstore_[a-z_]+|go_[a-z_]+|process_[a-z_]+)`).FindAllString(all, -1)
	require.Greater(t, len(names), 20)
	for _, name := range names {
		assert.Regexp(t, `(?m)^`+name+`[ {]`, metrics)
	}
}
