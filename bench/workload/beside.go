package workload

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// ReaderCounts are how many readers read at the same time beside a writer.
var ReaderCounts = []int{2, 8}

// Readers measures the pages of lists by several readers at once, alone and
// beside a writer that creates jobs without pause.
func (e *Env) Readers(ctx context.Context, lists []List) (results []*Result, err error) {
	for _, name := range []string{dataset.Realistic, dataset.Adversarial} {
		var ofSet []List
		for _, l := range lists {
			if l.Set == name {
				ofSet = append(ofSet, l)
			}
		}
		if len(ofSet) == 0 {
			continue
		}
		of, err := e.readersOf(ctx, e.Set(name), ofSet)
		results = append(results, of...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func (e *Env) readersOf(ctx context.Context, set dataset.Set, lists []List) (results []*Result, err error) {
	var peers []peer.Peer
	for _, p := range e.holding(e.Size) {
		if peer.Answers(p) { // the floor of bytes has the same files as the other
			peers = append(peers, p)
		}
	}
	stores, err := e.openCopies(ctx, set, peers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	for _, l := range lists {
		for _, readers := range ReaderCounts {
			for _, writer := range []bool{false, true} {
				result, err := e.together(ctx, l, set, stores, readers, writer)
				if err != nil {
					return results, err
				}
				results = append(results, result)
			}
		}
	}
	return results, nil
}

func (e *Env) together(ctx context.Context, l List, set dataset.Set, stores *stores, readers int, writer bool) (*Result, error) {
	pages := l.Queries(e.Folder.Facts(set), queries, e.Seed)
	var names []string
	var subjects []harness.Subject
	for _, o := range stores.all {
		names = append(names, o.Name())
		creator, canWrite := o.store.(peer.Creator)
		if writer && !canWrite {
			continue
		}
		// The store has been written to since it was copied, so that its answers
		// are not compared with others here; those to the same queries were.
		var lone checker
		reader, each, err := lone.reader(ctx, o, pages)
		if errors.Is(err, peer.ErrUnsupported) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Name, err)
		}
		defer func() { _ = reader.Close() }()
		if err := e.warm(lister(ctx, reader, pages), each); err != nil {
			return nil, err
		}
		s := harness.Subject{Name: o.Name(), Ops: ops(e.Pages, each), Workers: []func(int) error{lister(ctx, reader, pages)}}
		for range readers - 1 {
			reader, err := o.store.Reader()
			if err != nil {
				return nil, err
			}
			defer func() { _ = reader.Close() }()
			if _, err := reader.List(ctx, pages[0]); err != nil { // prepares its statement
				return nil, err
			}
			s.Workers = append(s.Workers, lister(ctx, reader, pages))
		}
		s.Ops = max(s.Ops, readers)
		if writer {
			s.Beside = func(ctx context.Context) error { return write(ctx, creator) }
		}
		subjects = append(subjects, s)
	}
	title := fmt.Sprintf("%s of %s, %d readers", l.Name, set, readers)
	if writer {
		title += " beside a writer"
	}
	series, err := e.interleave(title, e.fewer(), subjects)
	if err != nil {
		return nil, err
	}
	return &Result{
		Workload: l.Name, About: l.About, Set: set.Name, Size: set.Size,
		Readers: readers, Writer: writer, Peers: summarize(names, series),
	}, nil
}

// write creates jobs, each in a commit of its own, until ctx ends.
func write(ctx context.Context, creator peer.Creator) error {
	for i := 0; ctx.Err() == nil; i++ {
		job := &jobstore.Job{
			Kind: jobstore.KindVideo, Status: jobstore.StatusQueued,
			Input: fmt.Sprintf("https://uploads.example.com/beside/%d.mp4", i),
		}
		if err := creator.Create(context.WithoutCancel(ctx), job); err != nil {
			return err
		}
	}
	return nil
}
