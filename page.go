package jobstore

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
)

// MaxPageBytes is the most that the jobs of a page have together, counting their
// IDs, inputs, outputs and JSON. A page ends early, with HasMore set, ahead of the
// job that would pass it. The first job of a page is there whatever its size.
const MaxPageBytes = 16 << 20

// A Page is the answer to one Query: some jobs in the order asked for, all of
// one snapshot.
type Page struct {
	// Jobs share memory in pieces of up to 4 KiB: who keeps a few jobs of many pages
	// for long keeps these too, and may want to copy what is needed of them.
	Jobs []Job
	// HasMore reports whether jobs that match lie further on in the direction
	// of travel: past the last job, or for a query with Before alone, ahead of
	// the first.
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

// maxLinkInput is how long the input of a query is in a link, in bytes of the URL.
// A longer one is linked by its hash, so that what a server answers it also takes.
const maxLinkInput = 1000

// Link returns the value of the Link header (RFC 8288) of p, which q gave: the URLs
// of the pages next to it, and "" if there are none. The URLs are base with the
// parameters of the queries that Next and Prev return; base has none. An input that
// makes a URL long stands in it as its SHA-256. Each URL has at most 1,500 bytes
// more than base.
func (p Page) Link(base string, q Query) string {
	next, hasNext := p.Next(q)
	prev, hasPrev := p.Prev(q)
	if !hasNext && !hasPrev {
		return ""
	}
	// What the two have in common stands behind the cursors, in the order of the
	// names that url.Values are encoded in.
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

// appendLink appends the URL of the page that the cursors of q ask for. IDs stand in
// URLs as they are.
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
