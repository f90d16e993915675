package jobstore

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
)

// expireAtOnce is the number of expired keys that one new key clears away. More
// than one, so that keys which came in a burst are not kept for ever.
const expireAtOnce = 4

// CreateOnce is [Store.Create] for one job, made safe to repeat: key names the
// request, and while it is remembered ([Options.OnceFor]), the same key gives the same
// job. The first call creates the job and returns true. A later one sets *job to that
// job, as it now is and with its tasks, and returns false. Of callers with one key at
// the same time, exactly one creates.
//
// A later call has to ask for the same job: the fields that the caller sets, but for
// the timestamps, and the JSON byte for byte. Otherwise it fails with [ErrConflict]. A
// key whose job has been deleted stays used, so that a late retry does not bring back
// what somebody removed: it fails with [ErrNotFound].
//
// Keys are 1 to [MaxOnceKey] bytes of UTF-8. They are kept in the file, in the same
// transaction as the job, and forgotten after Options.OnceFor: every call that creates
// a job removes up to four keys that have expired.
//
// It fails as Create does, with ErrConflict, ErrNotFound, or a [FieldError] for a bad
// key. After an error *job is untouched.
func (s *Store) CreateOnce(ctx context.Context, key string, job *Job) (created bool, err error) {
	if s == nil || s.file == nil {
		return false, ErrClosed
	}
	if err := ValidateOnceKey(key); err != nil {
		return false, err
	}
	once, err := s.newOnce(key, job)
	if err != nil {
		return false, err
	}
	op := &operation{jobs: 1, bytes: once.draft.size() + len(key), timed: true, apply: once.apply}
	if err := s.submit(ctx, op); err != nil {
		return false, err
	}
	*job = once.job
	return once.created, nil
}

// A once is one call of CreateOnce: what was asked for, and what came of it.
type once struct {
	key   string
	draft Job
	sum   index.Sum
	keep  time.Duration

	job     Job
	created bool
}

func (s *Store) newOnce(key string, job *Job) (*once, error) {
	draft, err := job.Draft(s.options.MintedOnly)
	if err != nil {
		return nil, err
	}
	o := &once{key: key, draft: draft, sum: draft.OnceSum(), keep: s.options.OnceFor}
	if o.keep == 0 {
		o.keep = DefaultOnceFor
	}
	return o, validateOnceFor(o.keep)
}

// apply answers from the key if that is remembered, and creates the job if not.
func (o *once) apply(g *group) error {
	if err := ValidateClock(g.now); err != nil {
		return err
	}
	now := g.now.UnixMilli()
	kept, known, err := g.tree.Once(o.key)
	if err != nil {
		return corruptf("key %q: %v", o.key, err)
	}
	if known && kept.Expires > now {
		return o.repeat(g, kept)
	}
	made := []Job{o.draft}
	if err := g.create(made); err != nil {
		return err
	}
	o.job, o.created = made[0], true
	var old *index.Once
	if known {
		old = &kept
	}
	next := index.Once{Expires: now + o.keep.Milliseconds(), Sum: o.sum, ID: o.job.ID.suffix()}
	g.need.small += onceRoom
	if err := g.tree.PutOnce(o.key, next, old); err != nil {
		return err
	}
	return g.tree.ExpireOnce(now, expireAtOnce)
}

// repeat answers from what is kept of the key.
func (o *once) repeat(g *group, kept index.Once) error {
	o.created = false
	id := ID(idPrefix + kept.ID)
	if kept.Sum != o.sum {
		return fmt.Errorf("%w: key %q made %s", ErrConflict, o.key, id)
	}
	value := g.stored(id)
	if value == nil {
		return fmt.Errorf("%w: %s, which key %q made, was deleted", ErrNotFound, id, o.key)
	}
	return o.job.decode([]byte(kept.ID), value, true)
}

// onces checks the idempotency keys: that they have the form that they are
// written in, and that each has its expiry and each expiry its key.
func (c *checker) onces() bool {
	return c.walk("once", func(t index.View, from []byte) ([]byte, error) {
		return c.onceChunk(t, from, false)
	}) && c.walk("expiry", func(t index.View, from []byte) ([]byte, error) {
		return c.onceChunk(t, from, true)
	})
}

func (c *checker) onceChunk(t index.View, from []byte, expiries bool) (next []byte, err error) {
	keys, expiry, ok, err := t.Onces()
	if err != nil || !ok {
		return nil, err
	}
	bucket, check := keys, c.onceKey
	look := expiry.Cursor()
	if expiries {
		bucket, check, look = expiry, c.expiryKey, keys.Cursor()
	}
	return c.keys(bucket.Cursor(), from, func(key, value []byte) { check(look, key, value) })
}

// onceKey checks one idempotency key against the expiries.
func (c *checker) onceKey(expiries *page.Cursor, key, value []byte) {
	o, err := index.ParseOnce(key, value)
	if err == nil {
		err = ID(idPrefix + o.ID).validate("id")
	}
	if err == nil {
		err = ValidateOnceKey(string(key))
	}
	if err != nil {
		c.problem("once", nil, "key %q: %v", key, err)
		return
	}
	want := index.ExpiryKey(o.Expires, key)
	if k, _ := expiries.Seek(want); !bytes.Equal(k, want) {
		c.problem("once", nil, "key %q has no expiry", key)
	}
}

// expiryKey checks one expiry against the idempotency keys.
func (c *checker) expiryKey(keys *page.Cursor, key, value []byte) {
	expires, name, ok := index.ParseExpiryKey(key)
	if !ok {
		c.problem("expiry", nil, "key %x, value of %d bytes: no expiry has this form", key, len(value))
		return
	}
	k, kept := keys.Seek(name)
	if o, err := index.ParseOnce(name, kept); !bytes.Equal(k, name) || err == nil && o.Expires != expires {
		c.problem("expiry", nil, "key %q expires at another time, or is not there", name)
	}
}
