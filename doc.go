// Package jobstore is an in-process, embeddable store and query engine for
// media jobs. A single bbolt file keeps the jobs by their sortable IDs, with
// index buckets for kind, status and input; a planner picks the index, and
// cursor scans answer the API's list call from it, without a server:
//
//	s, err := jobstore.Open("jobs.db", nil)
//	...
//	page, err := s.List(ctx, jobstore.Query{Status: jobstore.StatusFailed})
//
// # The list call
//
// Let S be the jobs that match every filter that is given, sorted by the bytes
// of their IDs in the order asked for (Desc, newest first, unless it is Asc).
//
//   - Without a cursor, a page is the first Limit jobs of S.
//   - With After, it is the first Limit jobs of S strictly past that ID, in the
//     order asked for: in Desc those with smaller IDs.
//   - With Before, it is the Limit jobs of S strictly ahead of that ID and closest
//     to it, still in the order asked for.
//   - With both, it is read from After, and ends ahead of Before. A range that is
//     empty, or the wrong way round, gives no jobs and no error.
//
// For example, with jobs 1 to 10, Desc and a limit of 3: the first page is 10 9
// 8; After 8 gives 7 6 5; Before 5 gives 8 7 6, and not 10 9 8.
//
// A cursor is the plain ID of a job, and a position, not a look-up: it marks its
// place also when that job was deleted, never existed or does not match.
//
// A page is one snapshot. From page to page no job is returned twice, and a job
// that matches throughout is returned exactly once, whatever is written meanwhile.
//
// A page ends ahead of its Limit, with HasMore set, when its jobs would have more than
// [MaxPageBytes] together.
//
// # IDs
//
// The store mints the ID of a job that has none. Minted IDs ascend in the order of
// commits, so that a reader that goes on from the last ID it has seen misses no job.
// IDs that callers give, such as those of [NewID], can stand anywhere: a store with
// [Options.MintedOnly] refuses them.
//
// # Cost
//
// A page costs about the same whatever the filter, the depth and the size of the
// store, because no plan reads jobs in order to filter them: see [Plan] for the bound,
// and [Store.Explain] for what one query costs.
//
// # Durability
//
// When [Store.Create], [Store.Put], [Store.Update] or [Store.Delete] return without an
// error, the change is on disk, whole. When they return an error other than
// [ErrCommitUnknown], nothing of it is. Concurrent writes share commits, so that many
// goroutines together write many times faster than one.
//
// The file is not trusted: what is read back is checked against checksums and against
// the index, and damage is [ErrCorrupt], never wrong data.
package jobstore
