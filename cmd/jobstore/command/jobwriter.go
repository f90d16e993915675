package command

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/jobstore/jobstore"
)

// A layout is how jobs are written as JSON.
type layout int

const (
	lines  layout = iota // NDJSON: one job a line
	array                // an array, one job a line
	pretty               // an array, for a reader
)

// arrayFor returns the layout of an array that is written to w.
func arrayFor(w io.Writer) layout {
	if isTerminal(w) {
		return pretty
	}
	return array
}

// A jobWriter writes jobs as JSON. The zero jobs of an array are [].
type jobWriter struct {
	out    *bufio.Writer
	layout layout
	jobs   int
	text   bytes.Buffer
}

func newJobWriter(w io.Writer, l layout) *jobWriter {
	return &jobWriter{out: bufio.NewWriterSize(w, 64<<10), layout: l}
}

func (w *jobWriter) write(job *jobstore.Job) error {
	w.text.Reset()
	var err error
	if w.layout == pretty {
		err = json.Indent(&w.text, job.AppendJSON(nil), "  ", "  ")
	} else {
		// The raw fields of a job may hold line breaks.
		err = json.Compact(&w.text, job.AppendJSON(nil))
	}
	if err != nil {
		return err
	}
	switch {
	case w.layout == lines:
	case w.jobs == 0:
		_, _ = w.out.WriteString("[\n  ")
	default:
		_, _ = w.out.WriteString(",\n  ")
	}
	w.jobs++
	if w.layout == lines {
		w.text.WriteByte('\n')
	}
	// A failed write is remembered, so that it is enough to look at the last.
	_, err = w.out.Write(w.text.Bytes())
	return err
}

// close ends the array and returns what went wrong with any write.
func (w *jobWriter) close() error {
	switch {
	case w.layout == lines:
	case w.jobs == 0:
		_, _ = w.out.WriteString("[]\n")
	default:
		_, _ = w.out.WriteString("\n]\n")
	}
	return w.out.Flush()
}

// writeJob writes one job, indented for a reader, on one line for a program.
func writeJob(w io.Writer, job *jobstore.Job) error {
	var text bytes.Buffer
	var err error
	if isTerminal(w) {
		err = json.Indent(&text, job.AppendJSON(nil), "", "  ")
	} else {
		err = json.Compact(&text, job.AppendJSON(nil))
	}
	if err != nil {
		return err
	}
	text.WriteByte('\n')
	_, err = w.Write(text.Bytes())
	return err
}
