package jobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/boltfile"
	"github.com/jobstore/jobstore/internal/tempfile"
)

// Progress is told how far a long operation has come: how much is done of about
// how much, in the stage that it is in, such as "copy" or "check". It is called
// from the goroutine of the operation, must be quick, and must not use the store. A
// panic in it ends the operation and reaches its caller.
type Progress func(stage string, done, total int64)

func (p Progress) report(stage string, done, total int64) {
	if p != nil {
		p(stage, done, max(done, total))
	}
}

// Backup writes a copy of the store's file, as it was at one moment, to w while
// others go on reading and writing. It returns the number of bytes written.
//
// The copy is a store. Like the file of a store that was not closed, it has no list of
// its free pages: the first [Open] scans it for them. [Store.BackupFile] gives one
// that opens at once.
//
// For as long as the copy takes, the pages that it copies cannot be used again,
// so that writes make the file grow; and if the file outgrows what is mapped of
// it (a power of two up to 1 GiB, then whole GiB), writes, and the reads that
// begin after that, wait for the end of the copy. So w should be as fast as a
// disk. What is slow, such as a network, should be given a file to read.
//
// It fails with the error of w as it is, [ErrClosed], [ErrCorrupt], or the error of
// ctx, which is looked at between writes of 32 KiB. What was written by then is no
// store.
func (s *Store) Backup(ctx context.Context, w io.Writer) (int64, error) {
	return s.backup(ctx, w, nil)
}

// BackupFile writes a backup to a new file at path, which must not exist. The copy is
// made beside it under a temporary name, synced, and checked as [Store.Check] does. It
// gets its name only if it is found sound. What a killed call has left beside path is
// removed first, which [Options.Logger] is told of.
//
// The stages are "copy", in bytes, and "check", in keys. The store is held as
// [Store.Backup] holds it while the first lasts.
//
// It fails as Backup does, with fs.ErrExist, [ErrCorrupt] when the copy is not sound,
// for which the store itself is the likely reason, or the error of the operating
// system.
func (s *Store) BackupFile(ctx context.Context, path string, progress Progress) (size int64, err error) {
	if path == "" {
		return 0, fieldError("path", "", "is missing")
	}
	if _, err := os.Lstat(path); err == nil {
		return 0, fmt.Errorf("jobstore: back up to %s: %w", path, fs.ErrExist)
	}
	s.removeStale(path, tempfile.Backup)
	temp, err := tempfile.Create(path, tempfile.Backup)
	if err != nil {
		return 0, fmt.Errorf("jobstore: back up to %s: %w", path, boltfile.WithoutPath(err))
	}
	defer temp.Remove()
	size, err = s.backup(ctx, temp.File, progress)
	if err != nil {
		return 0, fmt.Errorf("jobstore: back up to %s: %w", path, boltfile.WithoutPath(err))
	}
	if err := prove(ctx, temp, progress); err != nil {
		return 0, fmt.Errorf("jobstore: back up to %s: %w", path, err)
	}
	if err := temp.Link(path); err != nil {
		return 0, fmt.Errorf("jobstore: back up to %s: %w", path, boltfile.WithoutPath(err))
	}
	return size, nil
}

// removeStale removes what killed calls have left beside path, and says so.
func (s *Store) removeStale(path string, purpose tempfile.Purpose) {
	removed, err := tempfile.RemoveStale(path, purpose)
	if err != nil { // it is in nobody's way
		s.say(slog.LevelWarn, "jobstore: temporary files were not removed", "path", path, "error", err)
	}
	s.saidRemoved(removed)
}

func (s *Store) saidRemoved(removed []string) {
	for _, name := range removed {
		s.say(slog.LevelInfo, "jobstore: removed the temporary file of a call that was cut off", "path", name)
	}
}

func (s *Store) backup(ctx context.Context, w io.Writer, progress Progress) (int64, error) {
	tx, err := s.hold(ctx)
	if err != nil {
		return 0, err
	}
	// The copy reads the file, not the memory map, so that a panic in here is one
	// of w or of progress, and theirs to explain.
	defer func() { _ = tx.Rollback() }()
	out := backupWriter{ctx: ctx, w: w, progress: progress, total: tx.Size()}
	_, err = tx.WriteTo(&out)
	switch {
	case out.err != nil:
		return out.done, out.err // bbolt wraps some of them so that errors.Is fails
	case errors.Is(err, io.EOF):
		return out.done, s.translate(corruptf("%s ends before its last page", s.path))
	case err != nil:
		return out.done, boltfile.WithoutPath(err)
	}
	return out.done, nil
}

// hold begins a read transaction that outlives a view.
func (s *Store) hold(ctx context.Context) (tx *bbolt.Tx, err error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	err = s.translate(boltfile.Guard(func() error {
		tx, err = s.file.Begin(false)
		return err
	}))
	return tx, err
}

// A backupWriter passes a copy on, and keeps the error of its own.
type backupWriter struct {
	ctx         context.Context
	w           io.Writer
	progress    Progress
	done, total int64
	err         error
}

func (b *backupWriter) Write(p []byte) (int, error) {
	if b.ctx != nil && b.ctx.Err() != nil {
		b.err = b.ctx.Err()
		return 0, b.err
	}
	n, err := b.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	b.done += int64(n)
	b.err = err
	b.progress.report("copy", b.done, b.total)
	return n, err
}
