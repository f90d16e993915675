package boltfile

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// A Room is what a write transaction asks of the file before it is committed.
//
// A transaction that does not fit is rolled back before bbolt commits it, which scans
// nothing. A commit that fails makes bbolt scan the whole file, in a goroutine whose
// panic at a damaged page ends the process. And when bbolt cannot map the file anew,
// it has already given up the map that it had.
type Room struct {
	Pages int // how many pages it writes one at a time, at most
	Runs  int // how many pages it writes in runs of several, at most
	About int // how many of both it is likely to write

	// Keep is how many pages must be left, free or past the last one in use, and
	// KeepRun how many of them in one run. WishRun is how many should be.
	Keep, KeepRun, WishRun int
}

// Steps by which the file grows: it doubles at first.
const (
	minGrowth = 32 << 10
	maxGrowth = 16 << 20
)

// A roomKeeper is what MakeRoom knows of a file. It belongs to the writer.
type roomKeeper struct {
	mapped int64 // how much of the file bbolt has mapped at least
	size   int64 // of the file, when MakeRoom ended
	proven bool  // all pages were found sound
	// run is a lower bound of the longest run of free pages, as it was found in the
	// transaction runIn and less by what was written since.
	run, runIn int
}

// MakeRoom sees to it that tx can be committed. It fails with ErrFull when there is
// no room, when the memory map cannot grow, and when a damaged page keeps it from
// telling. Then tx must be rolled back.
//
// Tight says that fewer pages in one run will be left than r wishes for.
func (f *File) MakeRoom(tx *bbolt.Tx, r Room) (tight bool, err error) {
	info, err := f.file.Stat()
	if err != nil {
		return false, WithoutPath(err)
	}
	keeper, size, pageSize := &f.room, info.Size(), int64(f.DB.Info().PageSize)
	end := tx.Size() / pageSize
	keeper.follow(size, (end+1)*pageSize)
	// bbolt leaves a page at the end of the file unused.
	tail := func() int { return int(size/pageSize - end - 1) }

	// Only the number of free pages is certain. Whether they stand in runs is not, so
	// runs are expected to come from the end of the file. The pages that the last
	// commit gave up are free unless somebody still reads them.
	stats := f.DB.Stats()
	certain := r.Runs + max(0, r.Pages-stats.FreePageN)
	free := stats.FreePageN + stats.PendingPageN
	want := max(certain+max(r.KeepRun, r.WishRun), r.About+r.Keep-free)
	var full error
	if tail() < want {
		if size, full, err = f.grow(size, (end+1+int64(want))*pageSize, pageSize); err != nil {
			return false, err
		}
	}
	keeper.size = size
	room := tail()
	if reach := (end + 1 + int64(min(room, r.Pages+r.Runs))) * pageSize; reach >= keeper.mapped {
		if err := f.probeMap(mapSize(size)); err != nil {
			full = fmt.Errorf("%w: the memory map cannot grow to %d bytes: %w", ErrFull, mapSize(size), err)
			room = int(keeper.mapped/pageSize - end - 2)
		}
	}
	// bbolt must neither grow the file nor map it anew on its own.
	f.DB.AllocSize, f.DB.MaxSize = 0, int((end+1+int64(max(0, room)))*pageSize)
	switch {
	case room >= want:
	case r.Keep > 0 && room+free-r.About < r.Keep,
		r.KeepRun > 0 && room-certain < r.KeepRun && !keeper.hasRun(tx, int(end), r.About+r.KeepRun):
		return false, full
	case room < certain:
		// The runs of free pages may do. If they do not, bbolt scans the file.
		if err := f.proveAll(); err != nil {
			return false, fmt.Errorf("%w, and whether the free pages would do cannot be told: %v", full, err)
		}
	}
	tight = r.WishRun > 0 && room-certain < r.WishRun && !keeper.hasRun(tx, int(end), r.About+r.WishRun)
	keeper.run -= r.About
	return tight, nil
}

// sealPages is more than what the commit that comes with the list writes beside it.
const sealPages = 32

// MakeRoomForFreelist sees to it that Seal has room for the list of free pages and for
// a few pages more.
func (f *File) MakeRoomForFreelist() error {
	tx, err := f.Begin(true)
	if err != nil {
		return err
	}
	stats := f.DB.Stats()
	pages := (stats.FreePageN+stats.PendingPageN+2)*8/f.DB.Info().PageSize + 1
	_, err = f.MakeRoom(tx, Room{Pages: sealPages, Runs: pages, About: pages})
	return errors.Join(err, f.Rollback(tx))
}

// Rollback ends tx, and scans nothing. A panic in there leaves the engine's locks
// held.
func (f *File) Rollback(tx *bbolt.Tx) error {
	err := Guard(tx.Rollback)
	if errors.Is(err, ErrDamaged) {
		f.wrecked.Store(true)
	}
	return err
}

// grow makes the file at least need bytes long, or as long as it may be, in which
// case it returns why it cannot be longer.
func (f *File) grow(size, need, pageSize int64) (grown int64, full, err error) {
	target := max(need, (size+min(max(size, minGrowth), maxGrowth))/pageSize*pageSize)
	if limit := f.options.MaxSize / pageSize * pageSize; limit > 0 && target > limit {
		full = fmt.Errorf("%w: it may have %d bytes", ErrFull, f.options.MaxSize)
		target = limit
	}
	if target <= size {
		return size, full, nil
	}
	err = f.extend(size, target)
	if OutOfRoom(err) && need < target {
		target, err = need, f.extend(size, need)
	}
	if OutOfRoom(err) {
		return size, fmt.Errorf("%w: %w", ErrFull, WithoutPath(err)), nil
	}
	if err != nil {
		return size, nil, fmt.Errorf("grow the file: %w", WithoutPath(err))
	}
	if target >= need {
		full = nil
	}
	return target, full, nil
}

// extend makes the file longer, with room on the disk for all of it where the file
// system can promise that.
func (f *File) extend(size, target int64) error {
	err := allocate(f.file, size, target-size)
	if errors.Is(err, errors.ErrUnsupported) {
		err = f.file.Truncate(target)
	}
	if err == nil && !f.options.NoSync {
		err = f.file.Sync()
	}
	if err != nil {
		// A part may have been allocated.
		return errors.Join(err, f.file.Truncate(size))
	}
	return nil
}

// TrimTail gives back what is past the last page and more than the file grows by at
// once, when nobody writes any more.
func (f *File) TrimTail() error {
	if f.room.size == 0 {
		return nil // nothing was written
	}
	m, err := CheckMeta(f.file)
	if err != nil {
		return err
	}
	if longest := int64(m.Pages)*int64(m.PageSize) + maxGrowth; f.room.size > longest {
		return f.file.Truncate(longest)
	}
	return nil
}

// proveAll reads all pages, once: those that are written later are sound.
func (f *File) proveAll() error {
	if f.room.proven {
		return nil
	}
	err := f.Verify()
	f.room.proven = err == nil
	return err
}

// follow notes what bbolt has mapped, when a transaction begins that needs a map of
// so many bytes.
func (k *roomKeeper) follow(size, needed int64) {
	if k.mapped == 0 {
		k.mapped = mapSize(size) // as it was opened
	}
	if needed >= k.mapped {
		k.mapped = mapSize(max(k.size, needed))
	}
}

// mapSize returns how many bytes bbolt maps of a file of this size: a power of two
// up to 1 GiB, then whole GiB.
func mapSize(size int64) int64 {
	const gib = 1 << 30
	if size > gib {
		return (size + gib - 1) / gib * gib
	}
	mapped := int64(32 << 10)
	for mapped < size {
		mapped *= 2
	}
	return mapped
}

// hasRun reports whether there is a run of so many free pages. bbolt takes pages from
// the start of a run, so that a page that is written makes the longest run shorter by
// one at most.
func (k *roomKeeper) hasRun(tx *bbolt.Tx, end, pages int) bool {
	if k.run < pages && k.runIn != tx.ID() {
		k.run, k.runIn = longestRun(tx, end), tx.ID()
	}
	return k.run >= pages
}

func longestRun(tx *bbolt.Tx, end int) (longest int) {
	run := 0
	for id := 2; id < end; id++ {
		page, err := tx.Page(id)
		if err != nil || page == nil {
			return longest
		}
		if page.Type != "free" {
			id, run = id+page.OverflowCount, 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// Divide returns the number of a page so that the free pages ahead of it have room
// for all single pages from it on. First is the first free page.
func Divide(tx *bbolt.Tx) (from, first uint64) {
	last := int(tx.Size())/tx.DB().Info().PageSize - 1
	kind := func(id int) (free, alone bool) {
		page, err := tx.Page(id)
		if err != nil || page == nil {
			return false, false
		}
		free = page.Type == "free"
		return free, !free && page.OverflowCount == 0
	}
	low, high, room := 2, last, 0
	for ; low <= high; high-- {
		if _, alone := kind(high); !alone {
			continue
		}
		for ; room == 0 && low < high; low++ {
			if free, _ := kind(low); free {
				room++
				if first == 0 {
					first = uint64(low)
				}
			}
		}
		if room == 0 {
			break
		}
		room--
	}
	return uint64(high + 1), first
}
