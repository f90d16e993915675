package harness

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// A Machine says where and with what a run was made.
type Machine struct {
	OS       string            `json:"os"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Memory   string            `json:"memory"`
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"` // of the modules under test
}

// ThisMachine describes the machine and the build of this process. What cannot
// be found out is left empty.
func ThisMachine() Machine {
	m := Machine{
		OS:       runtime.GOOS + "/" + runtime.GOARCH,
		CPU:      lineOf("/proc/cpuinfo", "model name"),
		Cores:    runtime.GOMAXPROCS(0),
		Memory:   lineOf("/proc/meminfo", "MemTotal"),
		Go:       runtime.Version(),
		Versions: map[string]string{},
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += " " + strings.TrimSpace(string(kernel))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			m.Versions[dep.Path] = dep.Version
		}
	}
	return m
}

// lineOf returns what stands behind the colon of the first line of a file that
// begins with name.
func lineOf(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name); ok {
			return strings.Join(strings.Fields(strings.TrimLeft(value, "\t :")), " ")
		}
	}
	return ""
}
