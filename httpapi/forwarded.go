package httpapi

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// proxied is what proxies say of a request that has come through them: the scheme
// and the host that the client has asked for, and the prefix that was taken off
// the path. What they do not say is empty.
type proxied struct{ proto, host, prefix string }

// forwarded returns what trusted proxies say of r. Anybody can send these headers,
// so that only what the nearest proxies have written is believed: the headers
// are lists to which each proxy adds at the end.
//
// When Forwarded and X-Forwarded-* contradict each other, a proxy has passed one of
// them on as the client sent it. Then neither is believed.
func (a *api) forwarded(r *http.Request) proxied {
	if !a.trusts(r.RemoteAddr) {
		return proxied{}
	}
	said, other := a.readForwarded(r.Header), a.readXForwarded(r.Header)
	said.proto = agreed(said.proto, other.proto)
	said.host = agreed(said.host, other.host)
	said.prefix = other.prefix
	return said
}

// agreed returns what both say, or the one that says something.
func agreed(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "" || strings.EqualFold(a, b):
		return a
	}
	return ""
}

// trusts reports whether an address, with or without a port, is of a trusted proxy.
func (a *api) trusts(address string) bool {
	addr, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return false
		}
		addr = at.Addr()
	}
	addr = addr.WithZone("").Unmap()
	for _, prefix := range a.options.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// readForwarded reads the header Forwarded of RFC 7239. From its end it goes back
// as long as the one who sent the request to the writer of an element is trusted.
func (a *api) readForwarded(h http.Header) (said proxied) {
	elements := splitQuoted(strings.Join(h["Forwarded"], ","), ',')
	for i := len(elements) - 1; i >= 0; i-- {
		from := ""
		for _, pair := range splitQuoted(elements[i], ';') {
			name, value, _ := strings.Cut(pair, "=")
			value = unquote(strings.Trim(value, " \t"))
			switch strings.ToLower(strings.Trim(name, " \t")) {
			case "proto":
				said.proto = validProto(value, said.proto)
			case "host":
				said.host = validHost(value, said.host)
			case "for":
				from = value
			}
		}
		if !a.trusts(from) {
			break
		}
	}
	return said
}

// readXForwarded reads X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Prefix. A
// list of these is read from as far before its end as X-Forwarded-For names trusted
// proxies.
func (a *api) readXForwarded(h http.Header) (said proxied) {
	hops := 0
	from := strings.Split(strings.Join(h["X-Forwarded-For"], ","), ",")
	for hops < len(from) && a.trusts(strings.Trim(from[len(from)-1-hops], " \t")) {
		hops++
	}
	value := func(name string) string {
		list := strings.Split(strings.Join(h[name], ","), ",")
		return strings.Trim(list[max(0, len(list)-1-hops)], " \t")
	}
	said.proto = validProto(value("X-Forwarded-Proto"), "")
	said.host = validHost(value("X-Forwarded-Host"), "")
	if p := strings.TrimSuffix(value("X-Forwarded-Prefix"), "/"); strings.HasPrefix(p, "/") && len(p) <= longestPrefix && path.Clean(p) == p {
		said.prefix = (&url.URL{Path: p}).EscapedPath()
	}
	return said
}

// longestPrefix is the longest prefix of paths that a proxy may name.
const longestPrefix = 128

// validProto returns the scheme that value names, or else what stands for none.
func validProto(value, none string) string {
	if value = strings.ToLower(value); value == "http" || value == "https" {
		return value
	}
	return none
}

// validHost returns value if it is a host with or without a port, or else what stands for
// none.
func validHost(value, none string) string {
	if len(value) <= longestHost && hostPattern.MatchString(value) {
		return value
	}
	return none
}

// longestHost is the longest name of a host and its port.
const longestHost = 253 + len(":65535")

var hostPattern = regexp.MustCompile(`^([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// splitQuoted splits text at a separator that does not stand between quotes.
func splitQuoted(text string, separator byte) (parts []string) {
	quoted, start := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// unquote returns what a quoted string of HTTP stands for, and anything else as it
// is.
func unquote(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	var b strings.Builder
	for i := 1; i < len(value)-1; i++ {
		if value[i] == '\\' && i+1 < len(value)-1 {
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String()
}
