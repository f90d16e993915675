package strictjson

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Members checks text, which must be one JSON object, as Check does, and calls member
// for each member of it, in their order, with its name and the text of its value. It
// returns the first error: an *Error of its own, or one of member. Nesting is counted
// from the value of a member.
//
// Names are decoded and otherwise as they are: two of them may be the same.
func Members(text []byte, member func(name string, value []byte) error) error {
	s := scanner{text: text}
	if !s.byte('{', "an object must start here") {
		return s.error()
	}
	s.space()
	for closed := s.at < len(text) && text[s.at] == '}'; !closed; {
		name, ok := s.name()
		if !ok {
			return s.error()
		}
		from := s.at
		if !s.value() {
			return s.error()
		}
		if err := member(Unquote(name), text[from:s.at:s.at]); err != nil {
			return err
		}
		if s.space(); s.at < len(text) && text[s.at] == '}' {
			break
		}
		if !s.byte(',', reasonComma) {
			return s.error()
		}
		s.space()
	}
	s.at++
	if s.space(); s.at < len(text) {
		s.fail(s.at, reasonMore)
		return s.error()
	}
	return nil
}

// Unquote returns what the JSON string text, which Check has let pass, stands for.
func Unquote(text []byte) (s string) {
	if inner := text[1 : len(text)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	_ = json.Unmarshal(text, &s) // it cannot fail
	return s
}

// pathTo returns the path of the value in which a text has a fault, given what
// stands ahead of it. A long path is cut in its middle.
func pathTo(ahead []byte) string {
	var open []step
	for i := 0; i < len(ahead); i++ {
		last := len(open) - 1
		switch ahead[i] {
		case '{':
			open = append(open, step{object: true})
		case '[':
			open = append(open, step{})
		case '}', ']':
			open = open[:last]
		case ',':
			open[last].named = false
			open[last].index++
		case ':':
			open[last].named = true
		case '"':
			from := i
			for i++; i < len(ahead) && ahead[i] != '"'; i++ {
				if ahead[i] == '\\' {
					i++
				}
			}
			if i < len(ahead) && last >= 0 && open[last].object && !open[last].named {
				open[last].name = ahead[from : i+1]
			}
		}
	}
	var b strings.Builder
	for _, s := range open {
		switch {
		case !s.object:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case s.named:
			b.WriteString("." + word(Unquote(s.name)))
		}
	}
	return shorten(b.String())
}

// A step is an array or object that is open, and the place in it.
type step struct {
	object bool
	named  bool   // the value of name has begun
	name   []byte // as it stands in the text
	index  int
}

// word returns a name as it stands in a path: in quotes, unless it is one plain word.
func word(name string) string {
	plain := func(c rune) bool {
		return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '-'
	}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return strconv.Quote(name)
	}
	return name
}

// shorten cuts the middle out of a long path.
func shorten(path string) string {
	const half = 40
	if len(path) <= 2*half {
		return path
	}
	return strings.ToValidUTF8(path[:half], "") + "…" + strings.ToValidUTF8(path[len(path)-half:], "")
}
