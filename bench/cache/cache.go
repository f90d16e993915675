// Package cache keeps the stores that are measured, each built once, in a folder
// that runs share.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/peer"
)

// batch is how many jobs a store is built with at a time: many, as each batch
// touches a good part of the pages that are in the order of a hash.
const batch = 50_000

// A Folder holds built stores. Building one takes a minute or two a million jobs.
type Folder struct {
	Path string
	// Rebuild makes every store anew, the first time it is asked for.
	Rebuild bool
	// Progress is told of every step; it returns what to call with the jobs
	// that were added and at the end.
	Progress func(title string, total int) (add func(int), done func())

	rebuilt map[string]bool
	facts   map[dataset.Set]*dataset.Facts
}

// Facts returns the facts of set, gathered once.
func (f *Folder) Facts(set dataset.Set) *dataset.Facts {
	if facts, ok := f.facts[set]; ok {
		return facts
	}
	_, done := f.Progress("read "+set.String(), -1)
	defer done()
	facts := set.Gather()
	if f.facts == nil {
		f.facts = map[dataset.Set]*dataset.Facts{}
	}
	f.facts[set] = &facts
	return &facts
}

// Dir returns the folder of p's store of set, building it when it is not there.
func (f *Folder) Dir(ctx context.Context, set dataset.Set, p peer.Peer) (string, error) {
	dir := filepath.Join(f.Path, set.String(), p.Files())
	fresh := f.Rebuild && !f.rebuilt[dir]
	if _, err := os.Stat(dir); err == nil && !fresh {
		return dir, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if f.rebuilt == nil {
		f.rebuilt = map[string]bool{}
	}
	f.rebuilt[dir] = true
	unfinished := dir + ".unfinished"
	for _, old := range []string{dir, unfinished} {
		if err := os.RemoveAll(old); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return "", err
	}
	if err := f.build(ctx, set, p, unfinished); err != nil {
		return "", fmt.Errorf("build %s of %s: %w", p.Name(), set, err)
	}
	return dir, os.Rename(unfinished, dir)
}

func (f *Folder) build(ctx context.Context, set dataset.Set, p peer.Peer, dir string) (err error) {
	add, done := f.Progress("build "+p.Files()+" "+set.String(), set.Size)
	defer done()
	store, err := p.Open(dir, peer.Loading)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for jobs := range set.Batches(batch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := store.Import(ctx, jobs); err != nil {
			return err
		}
		add(len(jobs))
	}
	if l, ok := store.(peer.Loader); ok {
		return l.Loaded()
	}
	return nil
}

// Copy returns a copy of p's store of set that may be written to, and a function
// that removes it.
func (f *Folder) Copy(ctx context.Context, set dataset.Set, p peer.Peer) (dir string, remove func(), err error) {
	from, err := f.Dir(ctx, set, p)
	if err != nil {
		return "", nil, err
	}
	dir, err = os.MkdirTemp(f.Path, "copy-"+p.Files()+"-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	// cp shares blocks where the file system can.
	out, err := exec.CommandContext(ctx, "cp", "-r", from+"/.", dir).CombinedOutput()
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return dir, remove, syncFiles(dir)
}

// Load reads the files in dir, so that the operating system has them in memory: what
// is measured of reading is not the disk.
func Load(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, file)
		return errors.Join(err, file.Close())
	})
}

// syncFiles brings the files in dir to the disk, so that a measurement does not
// pay for their copying.
func syncFiles(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
}

// Size returns how many bytes the files in dir take.
func Size(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}
