package damage

import (
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
)

// An answer is a run of jobs that is held against those of a walk.
type answer struct {
	*exam
	walk
	verb string
	left []int // of want, in the order of the query
	over bool  // it ended with an error, or in something wrong
	// anywhere says that the first job may be any of those left: which ones are
	// closest to a cursor depends on jobs that may or may not be there.
	anywhere bool
}

func (x *exam) compare(w walk, verb string) *answer {
	a := &answer{exam: x, walk: w, verb: verb, left: w.want}
	if w.query.Order == jobstore.Desc {
		a.left = slices.Clone(w.want)
		slices.Reverse(a.left)
	}
	return a
}

// next takes the next job, and returns false when there is nothing more to see.
func (a *answer) next(job *jobstore.Job, err error) bool {
	a.over = !a.fits(job, err)
	return !a.over
}

func (a *answer) fits(job *jobstore.Job, err error) bool {
	if err != nil {
		a.failed(err, "%s %s", a.verb, a.walk)
		return false
	}
	for i, place := range a.left {
		if want := &a.listed[place]; want.ID == job.ID {
			if !equal(job, want) {
				a.bad(Wrong, "%s %s: %v", a.verb, a.walk, job)
				return false
			}
			if missing := int64(i) - a.optional(a.left[:i]); missing > 0 && !a.anywhere {
				a.bad(Short, "%s %s: %d jobs ahead of %s are missing", a.verb, a.walk, missing, job.ID)
			}
			a.left, a.anywhere = a.left[i+1:], false
			return true
		}
	}
	a.bad(Wrong, "%s %s: %s is not to come", a.verb, a.walk, job.ID)
	return false
}

func (a *answer) end() {
	if missing := int64(len(a.left)) - a.optional(a.left); missing > 0 && !a.over {
		a.bad(Short, "%s %s: the last %d jobs are missing", a.verb, a.walk, missing)
	}
}

// endPage looks at the end of a page that may have jobs behind it.
func (a *answer) endPage(page jobstore.Page, limit int) {
	switch more := len(a.left) > 0; {
	case len(page.Jobs) < limit:
		a.end()
	case page.HasMore && !more:
		a.bad(Wrong, "%s %s: has more, but there is nothing", a.verb, a.walk)
	case !page.HasMore && int64(len(a.left)) > a.optional(a.left):
		a.bad(Short, "%s %s: has no more", a.verb, a.walk)
	}
}

func (w walk) String() string {
	return strings.TrimSuffix("?"+w.query.Values().Encode(), "?")
}

func places(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
