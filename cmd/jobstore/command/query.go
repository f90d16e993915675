package command

import (
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

// Every kind and status, one by one, in the order of the documentation.
var (
	kinds = (jobstore.KindVideo | jobstore.KindAudio | jobstore.KindImage |
		jobstore.KindAnimation | jobstore.KindAdaptiveVideo).Kinds()
	statuses = (jobstore.StatusQueued | jobstore.StatusProcessing | jobstore.StatusSucceeded |
		jobstore.StatusFailed | jobstore.StatusCancelled).Statuses()
)

// queryFlags are the parameters of the list call as flags. They are read by
// jobstore.ParseQuery, so that a flag means just what the parameter means.
type queryFlags struct {
	filter                      filterFlags
	input, limit, order         string
	after, before, since, until string
}

// addFilter adds the flags that say which jobs are meant.
func (f *queryFlags) addFilter(cmd *cobra.Command) {
	f.filter.add(cmd, "")
	cmd.Flags().StringVar(&f.input, "input", "", "only jobs with exactly this input `URL`")
	complete(cmd, "input")
}

// addRange adds the flags that say in which order jobs are read, from where and
// up to where.
func (f *queryFlags) addRange(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.order, "order", "", "`asc|desc`: asc is the oldest first (default desc)")
	flags.StringVar(&f.after, "after", "", "jobs past this `ID` in the order asked for")
	flags.StringVar(&f.before, "before", "", "jobs ahead of this `ID` in the order asked for")
	flags.StringVar(&f.since, "since", "", "jobs created since this `time`: 2026-01-31, 2026-01-31T12:00:00Z,\nUnix milliseconds, or an age such as 90m, 24h or 7d")
	flags.StringVar(&f.until, "until", "", "jobs created before this `time`, given as for --since")
	complete(cmd, "order", "asc", "desc")
	for _, name := range []string{"after", "before", "since", "until"} {
		complete(cmd, name)
	}
}

// addLimit adds the flag that says how many jobs a page has.
func (f *queryFlags) addLimit(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.limit, "limit", "", "at most this `number` of jobs, 1 to 100 (default 20)")
	complete(cmd, "limit")
}

// query returns what the flags ask for at the time now.
func (f *queryFlags) query(now time.Time) (jobstore.Query, error) {
	values := url.Values{}
	for name, value := range map[string]string{
		"input": f.input, "limit": f.limit, "order": f.order, "after": f.after, "before": f.before,
	} {
		values.Set(name, value)
	}
	q, err := jobstore.ParseQuery(values)
	if err != nil {
		return jobstore.Query{}, err
	}
	q.Kind, q.Status = f.filter.kinds.set, f.filter.statuses.set
	return f.bound(q, now)
}

// An end is one end of a range of jobs.
type end struct {
	flag string // the one that sets it as a time
	set  bool   // whether it did
	id   jobstore.ID
}

// bound turns --since and --until into the cursors of q. A range of time always
// has two ends: Before alone would ask for the page closest to it, where a
// reader wants the first page of the range, and After alone would go on to the
// jobs whose IDs hold no time.
func (f *queryFlags) bound(q jobstore.Query, now time.Time) (jobstore.Query, error) {
	if f.since == "" && f.until == "" {
		return q, nil
	}
	oldest, err := newEnd("since", f.since, time.Time{}, now)
	if err != nil {
		return q, err
	}
	newest, err := newEnd("until", f.until, time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC), now)
	if err != nil {
		return q, err
	}
	after, before := newest, oldest
	if q.Order == jobstore.Asc {
		after, before = oldest, newest
	}
	if err := after.put(&q.After, "after", q.Order); err != nil {
		return q, err
	}
	return q, before.put(&q.Before, "before", q.Order)
}

// newEnd returns the end that a flag sets to text, or without text to open.
func newEnd(flag, text string, open, now time.Time) (end, error) {
	if text == "" {
		return end{flag, false, jobstore.FirstID(open)}, nil
	}
	at, err := parseTime(flag, text, now)
	return end{flag, true, jobstore.FirstID(at)}, err
}

// put sets a cursor to the end, unless the cursor was given.
func (e end) put(cursor *jobstore.ID, name string, order jobstore.Order) error {
	switch {
	case *cursor == "":
		*cursor = e.id
	case e.set:
		return &jobstore.FieldError{
			Field:  e.flag,
			Reason: "and " + name + " name the same end of the range in " + order.String() + " order; give one of them",
		}
	}
	return nil
}

// words joins the members of a list for a help text.
func words[T interface{ String() string }](list []T) string {
	return strings.Join(texts(list), ", ")
}

func texts[T interface{ String() string }](list []T) []string {
	texts := make([]string, len(list))
	for i, member := range list {
		texts[i] = member.String()
	}
	return texts
}
