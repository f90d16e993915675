package storetest

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/jobstore/jobstore"
)

// A Store is what the suite asks of an engine. [*jobstore.Store] is one; the
// methods mean what its documentation says.
type Store interface {
	Create(ctx context.Context, jobs ...*jobstore.Job) error
	Put(ctx context.Context, jobs ...*jobstore.Job) error
	Get(ctx context.Context, id jobstore.ID) (jobstore.Job, error)
	Update(ctx context.Context, id jobstore.ID, fn func(*jobstore.Job) error) (jobstore.Job, error)
	Delete(ctx context.Context, ids ...jobstore.ID) (deleted int, err error)
	List(ctx context.Context, q jobstore.Query) (jobstore.Page, error)
	All(ctx context.Context, q jobstore.Query) iter.Seq2[jobstore.Job, error]
	Count(ctx context.Context, q jobstore.Query) (int64, error)
	Explain(ctx context.Context, q jobstore.Query) (jobstore.Plan, error)
	Stats(ctx context.Context) (jobstore.Stats, error)
	Check(ctx context.Context) iter.Seq2[jobstore.Problem, error]
	Close() error
}

var _ Store = (*jobstore.Store)(nil)

// Options are what the suite sets on a store that it opens.
type Options struct {
	// Now is the clock for timestamps and minted IDs. It is never nil and may
	// be called from any goroutine.
	Now func() time.Time

	// MintedOnly is as in jobstore.Options.
	MintedOnly bool
}

// A Factory opens the store that is kept in the directory dir, and creates it
// when there is none. The suite opens a directory again after it has closed the
// store in it, and then expects to find what it left.
type Factory func(dir string, o Options) (Store, error)

// Run runs the suite as subtests of t.
func Run(t *testing.T, open Factory) {
	run(t, open, []test{
		{"Histories", testHistories},

		{"List/WorkedExample", testWorkedExample},
		{"List/EmptyStore", testEmptyStore},
		{"List/Positions", testPositions},
		{"List/Ranges", testRanges},
		{"List/Limits", testLimits},
		{"List/EveryFilter", testEveryFilter},
		{"List/ExactInput", testExactInput},
		{"List/InputSHA256", testInputSHA256},
		{"List/OrderOfBytes", testOrderOfBytes},
		{"List/FirstIDAsCursor", testFirstIDAsCursor},
		{"List/LeavesOutTasks", testListLeavesOutTasks},

		{"Paging/AfterWalksEverything", testAfterWalksEverything},
		{"Paging/DescIsAscReversed", testDescIsAscReversed},
		{"Paging/BeforeIsThePageAhead", testBeforeIsThePageAhead},
		{"Paging/FiltersIntersect", testFiltersIntersect},
		{"Paging/PrevWalksBack", testPrevWalksBack},
		{"Paging/Bytes", testPageBytes},
		{"Paging/Reopen", testReopenChangesNothing},
		{"Paging/BesideWriters", testPagingBesideWriters},

		{"Create/Fills", testCreateFills},
		{"Create/Stamps", testCreateStamps},
		{"Create/Mints", testCreateMints},
		{"Create/Migrates", testCreateMigrates},
		{"Create/MintedOnly", testMintedOnly},
		{"Create/AllOrNothing", testCreateAllOrNothing},
		{"Put/ExactlyAsGiven", testPutExactlyAsGiven},
		{"Put/Replaces", testPutReplaces},
		{"Put/AllOrNothing", testPutAllOrNothing},
		{"Update/Stamps", testUpdateStamps},
		{"Update/Moves", testUpdateMoves},
		{"Update/Refuses", testUpdateRefuses},
		{"Update/Panic", testUpdatePanic},
		{"Update/Counter", testUpdateCounter},
		{"Delete", testDelete},
		{"Count", testCount},
		{"Stats", testStats},

		{"Fields/Kept", testFieldsKept},
		{"Fields/Absent", testFieldsAbsent},
		{"Fields/Times", testFieldTimes},
		{"Fields/Bounds", testFieldBounds},
		{"Fields/Refused", testFieldsRefused},
		{"Fields/Owned", testFieldsOwned},

		{"All/Model", testAllMatchesModel},
		{"All/BrokenOff", testAllBrokenOff},
		{"All/WritesInside", testAllWritesInside},
		{"All/CloseInside", testAllCloseInside},
		{"All/Pulled", testAllPulled},
		{"All/Errors", testAllErrors},

		{"Arguments/Context", testContexts},
		{"Arguments/BadQuery", testBadQueries},
		{"Arguments/BadID", testBadIDs},
		{"Arguments/Nil", testNilArguments},
		{"Arguments/Clock", testClocks},
		{"Close", testClose},
	})
}

// RunPlans holds an engine that scans indexes to the bound that the
// documentation of [jobstore.Plan] states, on data that is uniform, skewed, and
// made to be hard.
func RunPlans(t *testing.T, open Factory) {
	run(t, open, []test{
		{"Bound/Uniform", testBoundUniform},
		{"Bound/Skewed", testBoundSkewed},
		{"Bound/RareIntersection", testBoundRareIntersection},
		{"Bound/EveryPairOnOneInput", testBoundEveryPairOnOneInput},
		{"NothingMatches", testNothingMatches},
	})
}

type test struct {
	name string
	run  func(*testing.T, Factory)
}

func run(t *testing.T, open Factory, tests []test) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}
