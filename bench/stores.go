package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/workload"
)

// open opens the store of set for every peer that can hold it.
func (b *bench) open(ctx context.Context, set dataset.Set) (opened []workload.Opened, closeAll func() error, err error) {
	closeAll = func() error {
		var errs []error
		for _, o := range opened {
			errs = append(errs, o.Store.Close())
		}
		return errors.Join(errs...)
	}
	for _, p := range b.peers {
		if p.MaxSize() > 0 && p.MaxSize() < set.Size {
			continue
		}
		dir, err := b.folder.Dir(ctx, set, p)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll())
		}
		store, err := p.Open(dir, peer.Reading)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("open %s: %w", p.Name(), err), closeAll())
		}
		opened = append(opened, workload.Opened{Peer: p, Store: store})
	}
	return opened, closeAll, nil
}

// progress shows a bar on a terminal, and elsewhere a line when it begins.
func progress(title string, total int) (add func(int), done func()) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprintln(os.Stderr, title)
		return func(int) {}, func() {}
	}
	bar := progressbar.NewOptions(total,
		progressbar.OptionSetDescription(title),
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)
	return func(n int) { _ = bar.Add(n) }, func() { _ = bar.Finish() }
}
