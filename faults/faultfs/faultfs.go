//go:build linux

// Package faultfs is a file system in memory whose operations fail when they are
// told to, and which can lose its power: what was not synced is then gone, all of
// it or any part.
package faultfs

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A Fault is what happens to the operations that change something: writes, syncs
// and changes of size of files, and creating, linking, renaming and removing them.
type Fault struct {
	At    int           // number of the first operation that fails, counted from 1; 0 is none
	Count int           // how many fail; 0 is all that follow
	Errno syscall.Errno // with what; syncs do not fail with ENOSPC
}

// An FS is one directory of files. Mount it, then take it down with Unmount.
type FS struct {
	mu     sync.Mutex
	fault  Fault
	ops    int
	files  map[string]*file // as the processes see it
	synced map[string]*file // as the disk has it
	server *fuse.Server
	root   *dirNode
}

// A file is its content as processes see it, and as it was when it was last synced.
type file struct {
	data, synced []byte
	unsynced     []extent
}

type extent struct{ from, to int }

// sector is the unit, in bytes, that reaches a disk whole or not at all.
const sector = 512

// Mount mounts a file system with the given files at dir.
func Mount(dir string, files map[string][]byte, fault Fault) (*FS, error) {
	f := &FS{fault: fault, files: map[string]*file{}, synced: map[string]*file{}}
	for name, data := range files {
		one := &file{data: bytes.Clone(data), synced: bytes.Clone(data)}
		f.files[name], f.synced[name] = one, one
	}
	f.root = &dirNode{fs: f}
	never := time.Duration(0)
	server, err := fs.Mount(dir, f.root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, DisableXAttrs: true, Name: "faultfs", FsName: "faultfs"},
		EntryTimeout: &never,
		AttrTimeout:  &never,
	})
	f.server = server
	return f, err
}

// Unmount takes the file system down. The process that used it must have ended.
func (f *FS) Unmount() error { return f.server.Unmount() }

// Ops returns the number of operations so far that change something.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Files returns what the processes saw last.
func (f *FS) Files() map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	files := map[string][]byte{}
	for name, file := range f.files {
		files[name] = bytes.Clone(file.data)
	}
	return files
}

// PowerCut returns what a disk holds whose power is cut now: what was synced, and
// of the rest each sector with the given probability. Changes of the directory
// that were not synced are all there or all missing.
func (f *FS) PowerCut(rng *rand.Rand, keep float64) map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := f.synced
	if rng.Float64() < keep {
		names = f.files
	}
	files := map[string][]byte{}
	for name, file := range names {
		files[name] = file.afterPowerCut(rng, keep)
	}
	return files
}

func (f *file) afterPowerCut(rng *rand.Rand, keep float64) []byte {
	disk := bytes.Clone(f.synced)
	for _, e := range f.unsynced {
		for from := e.from - e.from%sector; from < e.to; from += sector {
			to := min(from+sector, len(f.data))
			if from >= to || rng.Float64() >= keep {
				continue
			}
			if to > len(disk) {
				disk = append(disk, make([]byte, to-len(disk))...)
			}
			copy(disk[from:to], f.data[from:to])
		}
	}
	return disk
}

// change counts an operation that changes something, and says how it fails.
func (f *FS) change(sync bool) syscall.Errno {
	f.ops++
	first, count := f.fault.At, f.fault.Count
	if first == 0 || f.ops < first || count > 0 && f.ops >= first+count || sync && f.fault.Errno == syscall.ENOSPC {
		return 0
	}
	return f.fault.Errno
}

// A dirNode is the directory.
type dirNode struct {
	fs.Inode
	fs *FS
}

var (
	_ fs.NodeOnAdder  = (*dirNode)(nil)
	_ fs.NodeCreater  = (*dirNode)(nil)
	_ fs.NodeLinker   = (*dirNode)(nil)
	_ fs.NodeUnlinker = (*dirNode)(nil)
	_ fs.NodeRenamer  = (*dirNode)(nil)
	_ fs.NodeFsyncer  = (*dirNode)(nil)
)

// OnAdd adds the files that the file system starts with.
func (d *dirNode) OnAdd(ctx context.Context) {
	for name, f := range d.fs.files {
		d.AddChild(name, d.node(ctx, f), true)
	}
}

func (d *dirNode) node(ctx context.Context, f *file) *fs.Inode {
	return d.NewPersistentInode(ctx, &fileNode{fs: d.fs, file: f}, fs.StableAttr{Mode: syscall.S_IFREG})
}

// Create makes a file.
func (d *dirNode) Create(ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	if errno := d.fs.change(false); errno != 0 {
		return nil, nil, 0, errno
	}
	f := &file{}
	d.fs.files[name] = f
	f.attributes(&out.Attr)
	return d.node(ctx, f), nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Link gives a file another name.
func (d *dirNode) Link(_ context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	if errno := d.fs.change(false); errno != 0 {
		return nil, errno
	}
	f := target.(*fileNode).file
	d.fs.files[name] = f
	f.attributes(&out.Attr)
	return target.EmbeddedInode(), 0
}

// Unlink removes a name.
func (d *dirNode) Unlink(_ context.Context, name string) syscall.Errno {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	if errno := d.fs.change(false); errno != 0 {
		return errno
	}
	delete(d.fs.files, name)
	return 0
}

// Rename gives a file another name in place of its own.
func (d *dirNode) Rename(_ context.Context, name string, _ fs.InodeEmbedder, newName string, _ uint32) syscall.Errno {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	if errno := d.fs.change(false); errno != 0 {
		return errno
	}
	d.fs.files[newName] = d.fs.files[name]
	delete(d.fs.files, name)
	return 0
}

// Fsync brings the names to the disk.
func (d *dirNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	if errno := d.fs.change(true); errno != 0 {
		return errno
	}
	d.fs.synced = map[string]*file{}
	for name, f := range d.fs.files {
		d.fs.synced[name] = f
	}
	return 0
}

// A fileNode is a file.
type fileNode struct {
	fs.Inode
	fs   *FS
	file *file
}

var (
	_ fs.NodeGetattrer = (*fileNode)(nil)
	_ fs.NodeSetattrer = (*fileNode)(nil)
	_ fs.NodeOpener    = (*fileNode)(nil)
	_ fs.NodeReader    = (*fileNode)(nil)
	_ fs.NodeWriter    = (*fileNode)(nil)
	_ fs.NodeFsyncer   = (*fileNode)(nil)
)

// Open opens the file. The kernel keeps what it has of it, as of any local disk.
func (n *fileNode) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Getattr tells the size.
func (n *fileNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	n.file.attributes(&out.Attr)
	return 0
}

func (f *file) attributes(out *fuse.Attr) {
	out.Size = uint64(len(f.data))
	out.Nlink = 1
	out.Mode = syscall.S_IFREG | 0o600
	out.Blksize = sector
	out.Blocks = (out.Size + sector - 1) / sector
}

// Setattr changes the size, and takes no notice of the rest.
func (n *fileNode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if size, ok := in.GetSize(); ok {
		if errno := n.fs.change(false); errno != 0 {
			return errno
		}
		n.file.resize(int(size))
	}
	n.file.attributes(&out.Attr)
	return 0
}

func (f *file) resize(size int) {
	if size <= len(f.data) {
		f.data = f.data[:size]
		return
	}
	f.unsynced = append(f.unsynced, extent{len(f.data), size})
	f.data = append(f.data, make([]byte, size-len(f.data))...)
}

// Read reads.
func (n *fileNode) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if off >= int64(len(n.file.data)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dest[:copy(dest, n.file.data[off:])]), 0
}

// Write writes.
func (n *fileNode) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if errno := n.fs.change(false); errno != 0 {
		return 0, errno
	}
	from, to := int(off), int(off)+len(data)
	if to > len(n.file.data) {
		n.file.resize(to)
	}
	copy(n.file.data[from:to], data)
	n.file.unsynced = append(n.file.unsynced, extent{from, to})
	return uint32(len(data)), 0
}

// Fsync brings the content to the disk.
func (n *fileNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if errno := n.fs.change(true); errno != 0 {
		return errno
	}
	n.file.synced = bytes.Clone(n.file.data)
	n.file.unsynced = nil
	return 0
}
