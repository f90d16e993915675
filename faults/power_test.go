package faults

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var cutsFlag = flag.Int("cuts", 5, "power cuts")

// TestPowerCut shuts down the file system under a process that writes, without
// its log being flushed, again and again: what was not synced is gone. Then it
// holds what is left against what the process was told.
func TestPowerCut(t *testing.T) {
	seed := seeded(t)
	rng := newRand(seed, 4)
	disk := newDisk(t)
	path := filepath.Join(disk.dir, "jobs.db")
	l := newLedger(workloadWriters)
	for n := range *cutsFlag {
		disk.mount()
		cmd := child("workload", path, fmt.Sprint(rng.Uint64()), "0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		var once sync.Once
		cut := make(chan error, 1)
		delay := time.Duration(rng.IntN(250)) * time.Millisecond
		after := func(d time.Duration) {
			once.Do(func() { time.AfterFunc(d, func() { cut <- disk.cut() }) })
		}
		if rng.IntN(5) == 0 {
			after(time.Duration(rng.IntN(40)) * time.Millisecond)
		}
		// Its writers end when their syncs fail.
		err = l.read(stdout, func(message) { after(delay) })
		after(0)
		require.NoError(t, <-cut)
		_ = cmd.Wait()
		disk.unmount()
		require.NoError(t, err, "cut %d: %s", n, stderr.String())

		disk.mount()
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && l.acked == 0 {
			disk.unmount()
			continue // cut before the store was made
		}
		verify(t, path, l, "cut %d", n)
		disk.unmount()
	}
	t.Logf("%d cuts: %d operations acknowledged and none lost, %d without an answer of which %d were done",
		*cutsFlag, l.acked, l.unknown, l.whole)
}

// A disk is an ext4 file system in a file.
type disk struct {
	t       *testing.T
	image   string
	dir     string
	mounted bool
}

// newDisk makes a disk, or skips the test where the machine has none to give.
func newDisk(t *testing.T) *disk {
	if os.Getuid() != 0 {
		t.Skip("a file system can be mounted and shut down by root alone")
	}
	for _, tool := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this machine", tool)
		}
	}
	d := &disk{t: t, image: filepath.Join(t.TempDir(), "disk.img"), dir: t.TempDir()}
	require.NoError(t, os.WriteFile(d.image, nil, 0o600))
	require.NoError(t, os.Truncate(d.image, 96<<20))
	out, err := exec.Command("mkfs.ext4", "-q", "-F", d.image).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput()
	if err != nil {
		t.Skipf("a file system cannot be mounted here: %s", out)
	}
	d.mounted = true
	t.Cleanup(d.unmount)
	d.unmount()
	return d
}

func (d *disk) mount() {
	d.t.Helper()
	out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput()
	require.NoError(d.t, err, "mount: %s", out)
	d.mounted = true
}

// unmount gives the file system and its loop device back. A child that was just
// killed may hold it for a moment longer.
func (d *disk) unmount() {
	d.t.Helper()
	for try := 0; d.mounted && try < 50; try++ {
		if exec.Command("umount", d.dir).Run() == nil {
			d.mounted = false
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	if d.mounted {
		out, err := exec.Command("umount", "-l", d.dir).CombinedOutput()
		d.mounted = false
		require.NoError(d.t, err, "umount: %s", out)
	}
}

// cut shuts the file system down. What is not on the disk, the log of the file
// system included, is lost.
func (d *disk) cut() error {
	const (
		shutdown   = 0x8004587d // _IOR('X', 125, __u32)
		noLogFlush = 2
	)
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	how := uint32(noLogFlush)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), shutdown, uintptr(unsafe.Pointer(&how)))
	if errno != 0 {
		return fmt.Errorf("shut down: %w", errno)
	}
	return nil
}
