// Package strictjson checks that text is JSON (RFC 8259), that it is valid UTF-8, that
// no string holds half a surrogate pair, and that it is not nested too deep. Every
// reader can read such text, and all understand the same.
//
// encoding/json accepts text that breaks the last three rules, and replaces invalid
// characters by U+FFFD.
package strictjson

import (
	"fmt"
	"unicode/utf8"
)

// MaxDepth is the deepest nesting. An array or object that is inside no other has
// depth 1.
const MaxDepth = 1000

// An Error says what is wrong with a JSON text, and where.
type Error struct {
	Offset int    // of the first byte that is wrong
	Path   string // of the value that it is in, such as .a[2].b; empty for the outermost
	Reason string
}

// Error returns the reason with its place.
func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s (byte %d)", e.Reason, e.Offset)
	}
	return fmt.Sprintf("%s (byte %d, at %s)", e.Reason, e.Offset, e.Path)
}

// The reasons for which a text is refused.
const (
	reasonEnd       = "unexpected end of JSON input"
	reasonMore      = "unexpected text after top-level value"
	reasonValue     = "a value must start here"
	reasonName      = "a name in double quotes must stand here"
	reasonColon     = "a colon must follow the name"
	reasonComma     = "a comma or the closing bracket must stand here"
	reasonNumber    = "this is no number of JSON"
	reasonControl   = "a control character in a string must be escaped"
	reasonEscape    = "this is no escape sequence of JSON"
	reasonUTF8      = "this is not valid UTF-8"
	reasonSurrogate = "a string must not hold half a surrogate pair"
)

var reasonDepth = fmt.Sprintf("values may be nested %d deep", MaxDepth)

// Check returns what is wrong with text, which must be one JSON value with or
// without white space around it, or nil.
func Check(text []byte) *Error {
	s := scanner{text: text}
	s.space()
	if s.value() {
		if s.space(); s.at == len(text) {
			return nil
		}
		s.reason = reasonMore
	}
	return s.error()
}

// A scanner steps through a text. Its methods return false at the first fault, whose
// place and reason are then in the scanner.
type scanner struct {
	text   []byte
	at     int
	reason string
}

func (s *scanner) error() *Error {
	return &Error{Offset: s.at, Path: pathTo(s.text[:s.at]), Reason: s.reason}
}

func (s *scanner) fail(at int, reason string) bool {
	if at >= len(s.text) {
		reason = reasonEnd
	}
	s.at, s.reason = min(at, len(s.text)), reason
	return false
}

// space passes over white space.
func (s *scanner) space() {
	for s.at < len(s.text) && isSpace[s.text[s.at]] {
		s.at++
	}
}

var isSpace = [256]bool{' ': true, '\t': true, '\n': true, '\r': true}

// byte passes over white space and then over c.
func (s *scanner) byte(c byte, reason string) bool {
	if s.space(); s.at == len(s.text) || s.text[s.at] != c {
		return s.fail(s.at, reason)
	}
	s.at++
	return true
}

// value passes over the value that starts at s.
func (s *scanner) value() bool {
	var stack [MaxDepth]byte // the closing bracket of each open array and object
	depth := 0
	for {
		// A value starts here.
		if s.at == len(s.text) {
			return s.fail(s.at, reasonEnd)
		}
		switch c := s.text[s.at]; {
		case c == '{' || c == '[':
			if depth == MaxDepth {
				return s.fail(s.at, reasonDepth)
			}
			stack[depth] = c + 2 // both closing brackets are two behind
			depth++
			s.at++
			s.space()
			if s.at < len(s.text) && s.text[s.at] == c+2 {
				break // it is empty, and closed below
			}
			if c == '{' {
				if _, ok := s.name(); !ok {
					return false
				}
			}
			continue
		case c == '"':
			if !s.string() {
				return false
			}
		case c == '-' || '0' <= c && c <= '9':
			if !s.number() {
				return false
			}
		case c == 't':
			if !s.word("true") {
				return false
			}
		case c == 'f':
			if !s.word("false") {
				return false
			}
		case c == 'n':
			if !s.word("null") {
				return false
			}
		default:
			return s.fail(s.at, reasonValue)
		}
		// A value has ended here, or an empty array or object is about to.
		for ; ; s.at++ {
			if depth == 0 {
				return true
			}
			s.space()
			if s.at == len(s.text) {
				return s.fail(s.at, reasonEnd)
			}
			if s.text[s.at] != stack[depth-1] {
				break
			}
			depth--
		}
		if s.text[s.at] != ',' {
			return s.fail(s.at, reasonComma)
		}
		s.at++
		s.space()
		if stack[depth-1] == '}' {
			if _, ok := s.name(); !ok {
				return false
			}
		}
	}
}

// name passes over a name, its colon, and white space around it. It returns the name
// as it stands in the text.
func (s *scanner) name() (quoted []byte, ok bool) {
	from := s.at
	if s.at == len(s.text) || s.text[s.at] != '"' {
		return nil, s.fail(s.at, reasonName)
	}
	if !s.string() {
		return nil, false
	}
	quoted = s.text[from:s.at]
	if !s.byte(':', reasonColon) {
		return nil, false
	}
	s.space()
	return quoted, true
}

func (s *scanner) word(word string) bool {
	for i := range len(word) {
		if s.at+i == len(s.text) || s.text[s.at+i] != word[i] {
			return s.fail(s.at+i, reasonValue)
		}
	}
	s.at += len(word)
	return true
}

// plain says which bytes of a string are a character by themselves.
var plain = func() (is [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

// string passes over a string. s is at its first quote.
func (s *scanner) string() bool {
	text, i := s.text, s.at+1
	for i < len(text) {
		c := text[i]
		switch {
		case plain[c]:
			i++
		case c == '"':
			s.at = i + 1
			return true
		case c == '\\':
			n, reason := escape(text[i:])
			if n == 0 {
				return s.fail(i, reason)
			}
			i += n
		case c < ' ':
			return s.fail(i, reasonControl)
		default:
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				return s.fail(i, reasonUTF8)
			}
			i += size
		}
	}
	return s.fail(i, reasonEnd)
}

// escape returns the length of the escape sequence that text starts with. Two that
// make up one character count together. It returns 0 and the reason if there is none.
func escape(text []byte) (length int, reason string) {
	if len(text) < 2 {
		return 0, reasonEnd
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, ""
	case 'u':
		switch unit, ok := codeUnit(text); {
		case !ok:
			return 0, reasonEscape
		case unit < 0xd800 || unit > 0xdfff:
			return 6, ""
		case unit < 0xdc00:
			if low, ok := codeUnit(text[6:]); ok && 0xdc00 <= low && low <= 0xdfff {
				return 12, ""
			}
		}
		return 0, reasonSurrogate
	}
	return 0, reasonEscape
}

// codeUnit returns the number of the escape sequence with a u that text starts with.
func codeUnit(text []byte) (unit int, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, c := range text[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		unit = unit<<4 | int(c)
	}
	return unit, true
}

// number passes over a number. s is at its first character.
func (s *scanner) number() bool {
	if s.text[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.text) && s.text[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		if s.at++; !s.digits() {
			return false
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		return s.digits()
	}
	return true
}

// digits passes over one digit or more.
func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > from || s.fail(s.at, reasonNumber)
}
