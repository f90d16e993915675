package strictjson

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Members checks text as Check does. The text must be one JSON object. For each member
// of it, in their order, Members calls member with the decoded name and the text of the
// value. Names may repeat. It returns the first error, which is an *Error or one that
// member returned. A member's value, if it is an array or object, has depth 1.
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

// Unquote returns the value of a JSON string. Check must have accepted text.
func Unquote(text []byte) (s string) {
	if inner := text[1 : len(text)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	_ = json.Unmarshal(text, &s) // it cannot fail
	return s
}

// pathTo returns the path of the value in which a text has a fault. ahead is the text
// before the fault. A long path is shortened in its middle.
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

// word returns a name as it is written in a path: in quotes, unless it is a plain word.
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
