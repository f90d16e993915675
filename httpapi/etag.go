package httpapi

import "strings"

// ifMatch returns the refusal of a change whose If-Match header is not fulfilled. It
// compares tags strongly, and ours are weak, so that none fulfils it: a client that
// means to change what it has seen must not change what it has not.
func (w *response) ifMatch() error {
	values := w.request.Header["If-Match"]
	if len(values) == 0 || strings.Trim(strings.Join(values, ","), " \t") == "*" {
		return nil
	}
	return refusef("precondition_failed", "If-Match compares tags strongly, and the tags here are weak: only * matches")
}

// matchesTag reports whether the values of an If-None-Match header name tag, or
// are "*". Tags are compared weakly, as If-None-Match asks for.
func matchesTag(values []string, tag string) bool {
	list := strings.Join(values, ",")
	if strings.Trim(list, " \t") == "*" {
		return true
	}
	opaque := strings.TrimPrefix(tag, "W/")
	for {
		list = strings.TrimLeft(list, " \t,") // a list may have empty elements
		given, rest, ok := cutTag(list)
		if !ok {
			return false
		}
		if strings.TrimPrefix(given, "W/") == opaque {
			return true
		}
		list = rest
	}
}

// cutTag cuts the entity tag off the front of a list, as RFC 9110 has it: W/ or
// nothing, then any characters but quotes, spaces and controls between two quotes.
// It returns false when no tag, or none that ends where an element can, is there.
func cutTag(list string) (tag, rest string, ok bool) {
	start := 0
	if strings.HasPrefix(list, "W/") {
		start = 2
	}
	if start == len(list) || list[start] != '"' {
		return "", "", false
	}
	for i := start + 1; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			rest = strings.TrimLeft(list[i+1:], " \t")
			return list[:i+1], rest, rest == "" || rest[0] == ','
		case c <= ' ' || c == 0x7f:
			return "", "", false
		}
	}
	return "", "", false
}
