package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// A credential is the token that clients must have; its sum is compared, in
// constant time, so that the time that it takes tells neither the token nor its
// length.
type credential struct {
	needed bool
	sum    [sha256.Size]byte
}

func newCredential(token string) credential {
	return credential{token != "", sha256.Sum256([]byte(token))}
}

// check returns the refusal of a client that has sent these Authorization headers,
// or nil.
func (c *credential) check(given []string) error {
	if !c.needed {
		return nil
	}
	if len(given) == 0 {
		return refusef("token_missing", "send the header Authorization: Bearer <token>")
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return refusef("token_invalid", "the header Authorization must be Bearer <token>, once")
	}
	sum := sha256.Sum256([]byte(strings.Trim(token, " \t")))
	if subtle.ConstantTimeCompare(sum[:], c.sum[:]) != 1 {
		return refusef("token_invalid", "the token is not valid")
	}
	return nil
}

// RequireToken returns a handler that lets those into h who send token as
// "Authorization: Bearer <token>", as the other handlers of this package do. With
// an empty token it returns h.
func RequireToken(token string, h http.Handler) http.Handler {
	if token == "" {
		return h
	}
	c := newCredential(token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.check(r.Header["Authorization"]); err != nil {
			told := refusalOf(err)
			Error(w, r, told.kind, told.message)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// guard lets h answer those who have the token. A browser may change nothing for a
// page of another origin, nor start what only operators do.
func (a *api) guard(h handler) handler {
	return func(w *response) error {
		if err := a.credential.check(w.request.Header["Authorization"]); err != nil {
			return err
		}
		if err := a.options.CrossOrigin.Check(a.asAsked(w.request)); err != nil {
			return refusef("origin_not_allowed", "a web page of another origin may start nothing here")
		}
		return h(w)
	}
}

// asAsked returns r with the host that the client has asked for, where a proxy has
// asked for another, and as a request that changes something, where all are to be
// treated as one.
func (a *api) asAsked(r *http.Request) *http.Request {
	asked := *r
	if a.options.BaseURL != nil {
		asked.Host = a.options.BaseURL.Host
	} else if len(a.options.TrustedProxies) > 0 {
		if host := a.forwarded(r).host; host != "" {
			asked.Host = host
		}
	}
	if a.onlyOwnOrigin {
		asked.Method = http.MethodPost
	}
	return &asked
}

// open lets h answer everybody.
func open(h handler) handler { return h }
