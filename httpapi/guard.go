package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// guard lets h answer those who have the token, while there is a free slot.
func (a *api) guard(h handler) handler {
	return func(x *exchange) error {
		if err := a.authorize(x.request.Header["Authorization"]); err != nil {
			return err
		}
		select {
		case a.slots <- struct{}{}:
			defer func() { <-a.slots }()
		default:
			return refusef("overloaded", "%d requests are being answered, try again", a.options.MaxConcurrent)
		}
		return h(x)
	}
}

// open lets h answer everybody.
func open(h handler) handler { return h }

// authorize compares the sums of the tokens, in constant time, so that the time
// that it takes tells neither the token nor its length.
func (a *api) authorize(given []string) error {
	if a.options.Token == "" {
		return nil
	}
	if len(given) == 0 {
		return refusef("token_missing", "send the header Authorization: Bearer <token>")
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return refusef("token_invalid", "the header Authorization must be Bearer <token>, once")
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if subtle.ConstantTimeCompare(sum[:], a.tokenSum[:]) != 1 {
		return refusef("token_invalid", "the token is not valid")
	}
	return nil
}
