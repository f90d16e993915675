package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

var begun = time.Now()

// progress shows a bar on a terminal, and elsewhere a line when it begins.
func progress(title string, total int) (add func(int), done func()) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		_, _ = fmt.Fprintf(os.Stderr, "%6.1fs %s\n", time.Since(begun).Seconds(), title)
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
