package jobstore

// reserve is how much of a file with Options.MaxSize is kept for deletions: a
// page changes by being written elsewhere, so that even they need room. A lone
// deletion writes some 20 pages, a page of each tree from leaf to root, in a
// store of a million jobs.
const reserve = 256 << 10

// setRoom tells the engine how far the file may grow in the transaction at hand.
// It may use the reserve if it only deletes.
//
// The engine grows a file by steps of 16 MiB, and while it is smaller, to the
// next power of two; it refuses the step that would pass the bound, and leaves
// what is up to there unused. The steps are made smaller, as the bound is near.
func (s *Store) setRoom(deletes bool) {
	limit := int(s.options.MaxSize)
	if limit == 0 {
		return
	}
	s.db.AllocSize = min(16<<20, limit/64)
	s.db.MaxSize = limit
	if !deletes {
		s.db.MaxSize -= min(reserve, limit/8)
	}
}
