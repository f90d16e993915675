package jobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/boltfile"
	"github.com/jobstore/jobstore/internal/tempfile"
)

// Compact writes the store in the file src, without its free pages and with its keys
// packed in order, to a new file dst, which must not exist. Nobody may have src open
// for writing. The copy is made beside dst under a temporary name, checked as
// [Store.Check] does, and synced before it gets its name; src stays as it is.
//
// [Store.Stats] says when it is worth it: FreeBytes of FileBytes is what it would give
// back at least. Free pages are not lost otherwise: writes use them before the file
// grows.
//
// The stages are "copy" and "check", both in keys. It fails with [ErrLocked],
// fs.ErrExist, [ErrCorrupt] for a store or a copy that is not sound, the error of ctx,
// or an error of [Open] or the operating system.
func Compact(ctx context.Context, dst, src string, progress Progress) (err error) {
	if dst == "" {
		return fieldError("dst", "", "is missing")
	}
	if _, err := os.Lstat(dst); err == nil {
		return fmt.Errorf("jobstore: compact to %s: %w", dst, fs.ErrExist)
	}
	s, err := Open(src, &Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	temp, err := s.compact(ctx, dst, progress)
	if err == nil {
		defer temp.Remove()
		err = temp.Link(dst)
	}
	if err != nil {
		return fmt.Errorf("jobstore: compact %s to %s: %w", src, dst, boltfile.WithoutPath(err))
	}
	return nil
}

// CompactInPlace is [Compact] for a file that takes the place of the one that it was
// made from, with its permissions, its owner, and on Linux its extended attributes,
// access lists among them. It returns the size of the file before and after. It
// refuses a file with several names (hard links) with a [FieldError], as the other
// names would keep the old file.
//
// The store is locked meanwhile, and the disk must have room for both files. A
// crash at any moment leaves either the old file or the new one, whole, under
// the name, and perhaps a temporary file beside it, which the next compaction
// removes. It fails as Compact does.
func CompactInPlace(ctx context.Context, path string, progress Progress) (before, after int64, err error) {
	// Behind a symbolic link, the file is to be replaced and not the link.
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return 0, 0, fmt.Errorf("jobstore: compact: %w", err)
	}
	// Not read-only: nobody may read the file either, or there would be readers
	// of a file that has no name any more.
	s, err := Open(path, nil)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	before, after, err = s.replace(ctx, progress)
	if err != nil {
		return 0, 0, fmt.Errorf("jobstore: compact %s: %w", path, boltfile.WithoutPath(err))
	}
	return before, after, nil
}

// replace puts a compacted file in the place of the store's own.
func (s *Store) replace(ctx context.Context, progress Progress) (before, after int64, err error) {
	old, err := s.file.Stat()
	if err != nil {
		return 0, 0, err
	}
	if n := tempfile.Links(old); n > 1 {
		return 0, 0, fieldError("path", s.path, "has %d names (hard links): "+
			"the others would keep the old file, which nobody would write to any more", n)
	}
	temp, err := s.compact(ctx, s.path, progress)
	if err != nil {
		return 0, 0, err
	}
	defer temp.Remove()
	info, err := temp.File.Stat()
	if err != nil {
		return 0, 0, err
	}
	return old.Size(), info.Size(), temp.Replace(s.path)
}

// compact returns a compacted, checked and synced copy of the store beside path.
func (s *Store) compact(ctx context.Context, path string, progress Progress) (*tempfile.File, error) {
	if err := s.file.Verify(); err != nil {
		return nil, s.translate(err)
	}
	s.removeStale(path, tempfile.Compact)
	temp, err := tempfile.Create(path, tempfile.Compact)
	if err != nil {
		return nil, err
	}
	whole := false
	defer func() { // also after a panic in progress
		if !whole {
			temp.Remove()
		}
	}()
	if err := s.copyTo(ctx, temp.Name(), progress); err != nil {
		return nil, err
	}
	if err := prove(ctx, temp, progress); err != nil {
		return nil, err
	}
	whole = true
	return temp, nil
}

// prove checks the finished copy, has its list of free pages written, cuts off what
// is past its last page, and syncs it.
func prove(ctx context.Context, temp *tempfile.File, progress Progress) error {
	s, err := Open(temp.Name(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // after a panic in progress
	err = s.sound(ctx, progress)
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	return boltfile.Trim(temp.File)
}

// copyTo copies every bucket of the store to the empty file at path, those that
// are not the store's own too.
func (s *Store) copyTo(ctx context.Context, path string, progress Progress) error {
	stats, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	tx, err := s.hold(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		// It is synced once, when it is done.
		NoSync: true, NoGrowSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistArrayType,
	})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // after runtime.Goexit in progress
	c := copier{ctx: ctx, db: db, progress: progress, total: stats.Jobs * int64(len(index.Names))}
	err = s.translate(boltfile.Guard(func() error { return c.run(tx) }))
	if c.panicked != nil {
		_ = db.Close()
		panic(c.panicked)
	}
	if err != nil && boltfile.OutOfRoom(err) {
		err = fmt.Errorf("%w: %v", ErrFull, err)
	}
	return errors.Join(err, db.Close())
}

// copyBatch is how many bytes of keys and values the copy commits at once, which
// bounds its memory. What it commits it seldom rewrites: a larger batch would
// make no smaller a file.
const copyBatch = 8 << 20

// copyReport is how many keys are copied between two looks at the context.
const copyReport = 1000

// copyFill is how full the copy's pages are made. Pages that are full to the
// brim all split at the next change.
const copyFill = 0.9

// A copier copies buckets in the order of their keys.
type copier struct {
	ctx         context.Context
	db          *bbolt.DB
	progress    Progress
	done, total int64

	// panicked is what progress panicked with, which is no damage of the file.
	panicked any

	tx      *bbolt.Tx
	commits int
	size    int // bytes put in tx
}

func (c *copier) run(src *bbolt.Tx) (err error) {
	if c.tx, err = c.db.Begin(true); err != nil {
		return err
	}
	// Also after a panic, or the file could not be closed. After the last commit
	// it does nothing.
	defer func() { _ = c.tx.Rollback() }()
	err = src.ForEach(func(name []byte, b *bbolt.Bucket) error {
		to, err := c.tx.CreateBucket(name)
		if err != nil {
			return err
		}
		return c.bucket(b, &target{name: name, bucket: to, commits: c.commits})
	})
	if err == nil {
		err = index.Stamp(c.tx)
	}
	if err != nil {
		return err
	}
	return c.tx.Commit()
}

// A target is a bucket of the copy. It is found again after each commit.
type target struct {
	parent  *target
	name    []byte
	bucket  *bbolt.Bucket
	commits int // how many there had been when bucket was found
}

func (c *copier) bucket(from *bbolt.Bucket, to *target) error {
	if err := c.find(to).SetSequence(from.Sequence()); err != nil {
		return err
	}
	cur := from.Cursor()
	var last []byte
	for key, value := cur.First(); key != nil; key, value = cur.Next() {
		if last != nil && bytes.Compare(key, last) <= 0 {
			return corruptf("keys are out of order behind %x", last)
		}
		last = key
		if err := c.makeRoom(len(key) + len(value)); err != nil {
			return err
		}
		if value != nil {
			if err := c.find(to).Put(key, value); err != nil {
				return err
			}
			continue
		}
		inner, err := c.find(to).CreateBucket(key)
		if err != nil {
			return err
		}
		if err := c.bucket(from.Bucket(key), &target{to, key, inner, c.commits}); err != nil {
			return err
		}
	}
	return nil
}

// find returns the bucket of t in the transaction that is open.
func (c *copier) find(t *target) *bbolt.Bucket {
	if t.commits != c.commits {
		if t.parent == nil {
			t.bucket = c.tx.Bucket(t.name)
		} else {
			t.bucket = c.find(t.parent).Bucket(t.name)
		}
		t.commits = c.commits
	}
	t.bucket.FillPercent = copyFill
	return t.bucket
}

// report tells progress how far the copy is.
func (c *copier) report() (err error) {
	defer func() {
		if c.panicked = recover(); c.panicked != nil {
			err = errors.New("progress panicked")
		}
	}()
	c.progress.report("copy", c.done, c.total)
	return nil
}

// makeRoom counts a key that will be put next, and commits those before it when
// they are a batch.
func (c *copier) makeRoom(size int) (err error) {
	if c.done%copyReport == 0 {
		if err := c.report(); err != nil {
			return err
		}
		if c.ctx != nil && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
	}
	c.done++
	if c.size += size; c.size < copyBatch {
		return nil
	}
	c.size = size
	if err := c.tx.Commit(); err != nil {
		return err
	}
	c.commits++
	c.tx, err = c.db.Begin(true)
	return err
}
