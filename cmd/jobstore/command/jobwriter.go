package command

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobfile"
)

// A layout is how jobs are written as JSON.
type layout int

const (
	lines  layout = iota // NDJSON: one job a line
	array                // an array, the jobs as they are
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
	text   []byte
}

func newJobWriter(w io.Writer, l layout) *jobWriter {
	return &jobWriter{out: bufio.NewWriterSize(jsonOutput(w), 64<<10), layout: l}
}

func (w *jobWriter) write(job *jobstore.Job) error {
	switch w.layout {
	case pretty:
		var text bytes.Buffer
		if err := json.Indent(&text, job.AppendJSON(nil), "  ", "  "); err != nil {
			return err
		}
		w.text = text.Bytes()
	case lines:
		w.text = append(jobfile.AppendLine(w.text[:0], job), '\n')
	case array:
		w.text = job.AppendJSON(w.text[:0])
	}
	switch {
	case w.layout == lines:
	case w.jobs == 0:
		_, _ = w.out.WriteString("[\n  ")
	default:
		_, _ = w.out.WriteString(",\n  ")
	}
	w.jobs++
	// A failed write is remembered, so that it is enough to look at the last.
	_, err := w.out.Write(w.text)
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

// writeJob writes one job, indented for a reader, for a program as it is.
func writeJob(w io.Writer, job *jobstore.Job) error {
	text := job.AppendJSON(nil)
	if isTerminal(w) {
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", "  "); err != nil {
			return err
		}
		text = indented.Bytes()
	}
	_, err := jsonOutput(w).Write(append(text, '\n'))
	return err
}
