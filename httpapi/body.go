package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jobstore/jobstore/internal/strictjson"
)

// bodyPause is how long a body may pause where its time is not bounded by the
// server's.
const bodyPause = 10 * time.Second

// firstBody is the size in bytes of the memory that a body is read into first. A
// client that only announces a large body takes no more.
const firstBody = 16 << 10

// readBody reads the body of a request that must have one of a type of JSON. That
// the type is asked for keeps out the forms of other sites' pages, which a browser
// sends without asking.
func (w *response) readBody(accepted ...string) ([]byte, error) {
	r := w.request
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || !slices.Contains(accepted, mediaType) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, refusef("media_type_unsupported", "send JSON in UTF-8 with the header Content-Type: %s", strings.Join(accepted, " or "))
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, refusef("media_type_unsupported", "send the body without Content-Encoding")
	}
	if r.ContentLength > w.api.options.MaxBody {
		return nil, w.tooLarge()
	}
	body, err := w.readAll()
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*refusal](err); ok {
		// Who is still sending would not see the answer before the end.
		_ = w.control().SetReadDeadline(time.Now().Add(bodyPause))
		_, _ = io.CopyN(io.Discard, r.Body, w.api.options.MaxBody)
		return nil, err
	}
	w.Header().Set("Connection", "close") // what is left of the body is not waited for
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, w.tooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if stopping(r.Context()).Err() != nil {
			return nil, errStopping
		}
		return nil, refusef("request_timeout", "the body did not arrive in time")
	}
	return nil, refusef("request_invalid", "the body broke off")
}

func (w *response) tooLarge() error {
	return refusef("body_too_large", "the body may have %d bytes", w.api.options.MaxBody)
}

// readAll reads the body. A long one gets the memory for the whole of it when its
// beginning has arrived: bodies that took more bit by bit could all wait for each
// other.
func (w *response) readAll() ([]byte, error) {
	most := w.api.options.MaxBody
	if n := w.request.ContentLength; n >= 0 {
		most = n
	}
	pools := w.api.memory.bodies
	size := min(most, firstBody) + 1 // one more, to find the end
	held, err := w.reserve(pools.small, size)
	if err != nil {
		return nil, err
	}
	defer w.hurryOnStop(w.control().SetReadDeadline)()
	from := http.MaxBytesReader(w.ResponseWriter, w.request.Body, w.api.options.MaxBody)
	body := make([]byte, 0, size)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
		w.expectMore()
		if len(body) == cap(body) {
			if _, err := w.reserve(pools.of(most+1), most+1); err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, most+1), body...)
			w.giveBack(held)
			w.expectMore()
		}
	}
}

// expectMore gives the client time for more of its body, where the handler and not
// the server says how long that may take.
func (w *response) expectMore() {
	if w.bodyEnd.IsZero() || stopping(w.request.Context()).Err() != nil {
		return
	}
	end := time.Now().Add(bodyPause)
	if w.bodyEnd.Before(end) {
		end = w.bodyEnd
	}
	_ = w.control().SetReadDeadline(end)
}

// readObject reads the body as a JSON object that has no members but the known
// ones, each at most once and written exactly so; null becomes nil. The values are
// parts of the body.
func (w *response) readObject(known ...string) (map[string]json.RawMessage, error) {
	accepted := []string{"application/json"}
	if w.request.Method == http.MethodPatch {
		accepted = append(accepted, "application/merge-patch+json")
	}
	body, err := w.readBody(accepted...)
	if err != nil {
		return nil, err
	}
	return parseObject(body, known)
}

// parseObject is readObject for a body that was read.
func parseObject(body []byte, known []string) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	err := strictjson.Members(bytes.TrimLeft(body, " \t\r\n"), func(name string, value []byte) error {
		if !slices.Contains(known, name) {
			return refusef("request_invalid", "%.80q is not a field that can be given, only %s",
				name, strings.Join(known, ", "))
		}
		if _, ok := fields[name]; ok {
			return refusef("request_invalid", "%s must not be given more than once", name)
		}
		fields[name] = value
		if string(value) == "null" {
			fields[name] = nil
		}
		return nil
	})
	if _, ok := errors.AsType[*strictjson.Error](err); ok {
		return nil, refusef("request_invalid", "the body must be a JSON object: %v", err)
	}
	return fields, err
}
