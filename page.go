package jobstore

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
)

// MaxPageBytes is the largest size of the jobs of a page together, in bytes of their
// IDs, inputs, outputs and JSON. A page ends before the job that would exceed it, and
// then has HasMore set. A page holds at least one job, whatever its size.
const MaxPageBytes = 16 << 20

// A Page is the answer to one Query: some jobs in the order asked for, all of
// one snapshot.
type Page struct {
	// Jobs share memory in pieces of up to 4 KiB. A job that is kept keeps its whole
	// piece: a program that keeps a few jobs of many pages for long may want to copy
	// what it needs of them.
	Jobs []Job
	// HasMore reports whether more jobs match: past the last job, or for a query with
	// Before alone, ahead of the first.
	HasMore bool
}

// Next returns the query for the page after p, which q gave, and false when there
// is none. A page that was read with Before alone always has one, though nothing
// may be left in it: it starts past the last job of p.
func (p Page) Next(q Query) (Query, bool) {
	if len(p.Jobs) == 0 || !q.backward() && !p.HasMore {
		return Query{}, false
	}
	if q.backward() {
		q.Before = ""
	}
	q.After = p.Jobs[len(p.Jobs)-1].ID
	return q, true
}

// Prev returns the query for the page ahead of p, which q gave, and false when
// there is none. There is none ahead of a page without cursors, nor of one with
// both: the end of a range cannot be asked for. A page that was read with After
// alone always has one, though nothing may be left in it.
func (p Page) Prev(q Query) (Query, bool) {
	if len(p.Jobs) == 0 || q.After == "" && !q.backward() || q.backward() && !p.HasMore ||
		q.After != "" && q.Before != "" {
		return Query{}, false
	}
	q.After, q.Before = "", p.Jobs[0].ID
	return q, true
}

// maxLinkInput is the longest input in a link, in bytes of the URL. A longer one is
// linked by its hash, so that servers and proxies accept the URL.
const maxLinkInput = 1000

// Link returns the value of the Link header (RFC 8288) of p, which q gave: the URLs
// of the next and the previous page, or "" if there are none. A URL is base, which
// must have no parameters, with those of the query that Next or Prev returns. A long
// input is replaced by its SHA-256, so that no URL is more than 1,500 bytes longer
// than base.
func (p Page) Link(base string, q Query) string {
	next, hasNext := p.Next(q)
	prev, hasPrev := p.Prev(q)
	if !hasNext && !hasPrev {
		return ""
	}
	// The parameters that both URLs have come after the cursors, as url.Values are
	// sorted by name.
	q.After, q.Before = "", ""
	if len(url.QueryEscape(q.Input)) > maxLinkInput {
		sum := sha256.Sum256([]byte(q.Input))
		q.Input, q.InputSHA256 = "", hex.EncodeToString(sum[:])
	}
	rest := q.Values().Encode()
	b := make([]byte, 0, 2*(len(base)+len(rest)+128))
	if hasNext {
		b = append(appendLink(b, base, next, rest), `; rel="next"`...)
	}
	if hasPrev {
		if hasNext {
			b = append(b, ", "...)
		}
		b = append(appendLink(b, base, prev, rest), `; rel="prev"`...)
	}
	return string(b)
}

// appendLink appends the URL of the page that the cursors of q ask for. IDs need no
// escapes in a URL.
func appendLink(dst []byte, base string, q Query, rest string) []byte {
	dst = append(append(dst, '<'), base...)
	separator := byte('?')
	for _, p := range [...]struct{ name, value string }{{"after=", string(q.After)}, {"before=", string(q.Before)}, {"", rest}} {
		if p.value != "" {
			dst = append(dst, separator)
			dst = append(append(dst, p.name...), p.value...)
			separator = '&'
		}
	}
	return append(dst, '>')
}
