package httpapi

import (
	"net/url"
	"slices"

	"github.com/jobstore/jobstore"
)

// listParameters are the parameters of the list call, which jobstore.ParseQuery
// reads.
var listParameters = []string{"kind", "status", "input", "input_sha256", "limit", "after", "before", "order"}

// query reads the parameters of the list call, and refuses all others.
func (w *response) query() (jobstore.Query, error) {
	values, err := w.parameters(listParameters...)
	if err != nil {
		return jobstore.Query{}, err
	}
	return jobstore.ParseQuery(values)
}

// parameters reads the parameters of the URL, which must be among the known ones.
// A misspelt filter that was ignored would give jobs that nobody asked for.
func (w *response) parameters(known ...string) (url.Values, error) {
	if w.request.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(w.request.URL.RawQuery)
	if err != nil {
		return nil, refusef("request_invalid", "the query of the URL cannot be read: %v", err)
	}
	unknown := ""
	for name := range values {
		if !slices.Contains(known, name) && (unknown == "" || name < unknown) {
			unknown = name
		}
	}
	if _, ok := values[unknown]; !ok || slices.Contains(known, unknown) {
		return values, nil
	}
	if len(known) == 0 {
		return nil, refusef("request_invalid", "%.80q is no parameter: this call has none", unknown)
	}
	return nil, refusef("request_invalid", "%.80q is no parameter: did you mean %s?", unknown, closest(unknown, known))
}

// closest returns the known word that the fewest edits make of word.
func closest(word string, known []string) string {
	best, fewest := "", 0
	for _, k := range known {
		if n := edits(word, k); best == "" || n < fewest {
			best, fewest = k, n
		}
	}
	return best
}

// edits returns how many bytes must be added, removed or replaced to make b of a.
func edits(a, b string) int {
	a = a[:min(len(a), 80)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := above
			if a[i] != b[j] {
				replaced++
			}
			above = row[j+1]
			row[j+1] = min(replaced, above+1, row[j]+1)
		}
	}
	return row[len(b)]
}
