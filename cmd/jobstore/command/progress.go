package command

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// A progress shows on a terminal how far a command has come. A nil one shows
// nothing.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress starts a progress towards total, which is below 1 when it is not
// known. Bytes are counted if unit is empty, else things of that name. There
// is none when w is no terminal.
func newProgress(w io.Writer, title string, total int64, unit string) *progress {
	if !isTerminal(w) {
		return nil
	}
	if total < 1 {
		total = -1
	}
	return &progress{bar: progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(title),
		progressbar.OptionShowBytes(unit == ""),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		// The spinner of an unknown total turns when set is called. A goroutine that
		// turns it would outlive the command.
		progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionSetElapsedTime(true),
	)}
}

// set moves the progress to n.
func (p *progress) set(n int64) {
	if p != nil {
		_ = p.bar.Set64(n)
	}
}

// describe changes the title.
func (p *progress) describe(title string) {
	if p != nil {
		p.bar.Describe(title)
	}
}

// clear takes the progress off the terminal, so that what is printed next
// stands on a line of its own.
func (p *progress) clear() {
	if p != nil {
		_ = p.bar.Clear()
	}
}

// stages shows how far an operation of the library has come, with a bar for each
// of its stages.
type stages struct {
	w     io.Writer
	unit  string // what is counted
	bytes string // the stage, if any, that counts bytes

	stage string
	bar   *progress
}

// report is a jobstore.Progress.
func (s *stages) report(stage string, done, total int64) {
	if stage != s.stage {
		s.clear()
		unit := s.unit
		if stage == s.bytes {
			unit = ""
		}
		s.stage, s.bar = stage, newProgress(s.w, stage, total, unit)
	}
	s.bar.set(done)
}

// clear takes the bar of the last stage off the terminal.
func (s *stages) clear() { s.bar.clear() }
