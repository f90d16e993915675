package jobfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// MaxElement is the longest element that is read, in bytes. The longest job
// that a store takes is a little over 4 MiB; the rest is room for white space
// and for fields that are ignored.
const MaxElement = 16 << 20

var errTooLong = fmt.Errorf("longer than %d bytes", MaxElement)

// An element is one JSON value of a file that holds a run of them.
type element struct {
	text  []byte // valid until the next element is read
	place place
}

// A place is where something stands in a file.
type place struct {
	line   int // counted from 1
	number int // of the element in an array, counted from 1; 0 outside of one
}

// A PlaceError is an error in the text at a place.
type PlaceError struct {
	place place
	err   error
}

// Error returns what is wrong, without the place.
func (e *PlaceError) Error() string { return e.err.Error() }

// Unwrap returns the error at the place.
func (e *PlaceError) Unwrap() error { return e.err }

// In returns the place, of a file with this name, as a prefix for the error.
func (e *PlaceError) In(file string) string {
	if e.place.number > 0 {
		return fmt.Sprintf("%s:%d: element %d", file, e.place.line, e.place.number)
	}
	return fmt.Sprintf("%s:%d", file, e.place.line)
}

// elements returns the elements of r one by one, of an array if r starts with a
// bracket, else of NDJSON: one on each line that is not blank. An error ends
// them; it is a PlaceError unless r could not be read.
func elements(r io.Reader) iter.Seq2[element, error] {
	return func(yield func(element, error) bool) {
		buffered := bufio.NewReaderSize(r, 64<<10)
		line, first, err := skipSpace(buffered)
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			yield(element{}, err)
		case first == '[':
			yieldArray(&lineReader{r: buffered, line: line}, yield)
		default:
			yieldLines(buffered, line, yield)
		}
	}
}

// skipSpace reads up to the first character that counts, which it leaves in r,
// and returns its line.
func skipSpace(r *bufio.Reader) (line int, first byte, err error) {
	const byteOrderMark = "\xef\xbb\xbf"
	if start, _ := r.Peek(len(byteOrderMark)); string(start) == byteOrderMark {
		_, _ = r.Discard(len(byteOrderMark))
	}
	for line = 1; ; {
		first, err = r.ReadByte()
		switch {
		case err != nil:
			return line, 0, err
		case first == '\n':
			line++
		case first != ' ' && first != '\t' && first != '\r':
			return line, first, r.UnreadByte()
		}
	}
}

func yieldLines(r io.Reader, line int, yield func(element, error) bool) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), MaxElement)
	for ; scanner.Scan(); line++ {
		if scanner.Err() != nil {
			break // the line is not whole, so that it is not parsed
		}
		text := bytes.TrimSpace(scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		if !yield(element{text, place{line: line}}, nil) {
			return
		}
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		yield(element{}, &PlaceError{place{line: line}, errTooLong})
	case err != nil:
		yield(element{}, err)
	}
}

func yieldArray(r *lineReader, yield func(element, error) bool) {
	dec := json.NewDecoder(r)
	number := 0
	fail := func(err error) {
		switch {
		case errors.Is(r.err, errTooLong):
			err = errTooLong
		case r.err != nil:
			yield(element{}, r.err)
			return
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			err = errors.New("the array ends without its bracket")
		}
		yield(element{}, &PlaceError{place{r.lineAt(nextOffset(dec)), number}, err})
	}
	r.room = MaxElement
	if _, err := dec.Token(); err != nil {
		fail(err)
		return
	}
	for dec.More() {
		number++
		r.room = MaxElement
		var text json.RawMessage
		if err := dec.Decode(&text); err != nil {
			fail(err)
			return
		}
		start := dec.InputOffset() - int64(len(text))
		if !yield(element{text, place{r.lineAt(start), number}}, nil) {
			return
		}
	}
	number = 0
	r.room = MaxElement
	if _, err := dec.Token(); err != nil {
		fail(err)
		return
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		fail(errors.New("something follows the array"))
	}
}

// nextOffset returns where the value starts that the decoder could not read.
func nextOffset(dec *json.Decoder) int64 {
	offset := dec.InputOffset()
	rest, _ := io.ReadAll(dec.Buffered())
	return offset + int64(len(rest)-len(bytes.TrimLeft(rest, " \t\r\n")))
}

// A lineReader knows the lines of what was read through it, and refuses to read
// more at a stretch than an element may have.
type lineReader struct {
	r    io.Reader
	room int64 // bytes that may be read until it is set again
	err  error // what ended the reading, unless that was the end

	read   int64
	line   int     // line of the last offset asked for
	breaks []int64 // offsets of the line breaks behind it
}

func (l *lineReader) Read(p []byte) (int, error) {
	if l.room <= 0 {
		l.err = errTooLong
		return 0, l.err
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.room)])
	for i, c := range p[:n] {
		if c == '\n' {
			l.breaks = append(l.breaks, l.read+int64(i))
		}
	}
	l.read += int64(n)
	l.room -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}

// lineAt returns the line of an offset, none of which may be before the last.
func (l *lineReader) lineAt(offset int64) int {
	passed := 0
	for passed < len(l.breaks) && l.breaks[passed] < offset {
		passed++
	}
	l.line += passed
	l.breaks = l.breaks[passed:]
	return l.line
}
