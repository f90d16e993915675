package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// grace is how long a change that was sent is waited for once the caller's context
// has ended. What comes of it is then known more often than not.
const grace = 1500 * time.Millisecond

// A request is one call of the API.
type request struct {
	method, path string
	parameters   url.Values
	header       http.Header
	body         []byte // JSON, or nil
	changing     bool   // what it does cannot be taken back
	statuses     []int  // the documented ones that are no refusal
	mediaType    string // the documented one of the body; empty for no body
}

// checkRedirect follows redirects of requests that only read, which all are GET.
func checkRedirect(_ *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}

// do sends r and hands the response to read, all of it within timeout.
func (c *Client) do(caller context.Context, r request, timeout time.Duration, read func(*http.Response) error) error {
	if err := caller.Err(); err != nil {
		return err
	}
	ctx := caller
	if r.changing {
		var stop func()
		ctx, stop = withGrace(caller)
		defer stop()
	}
	late := fmt.Errorf("%s has not answered for %s", c, timeout)
	ctx, stop := context.WithTimeoutCause(ctx, timeout, late)
	defer stop()
	return c.ended(ctx, caller, r, late, c.send(ctx, r, read))
}

// ended returns err, which came of sending r, or what has ended ctx and so brought
// it about: late, or the end of the caller's context.
func (c *Client) ended(ctx, caller context.Context, r request, late, err error) error {
	if _, refused := errors.AsType[*Error](err); refused || err == nil || ctx.Err() == nil {
		return err
	}
	if err = caller.Err(); errors.Is(context.Cause(ctx), late) || err == nil {
		err = late
	}
	if r.changing {
		err = fmt.Errorf("%w: %w", err, ErrOutcomeUnknown)
	}
	return err
}

// withGrace returns a context that ends a moment after ctx does.
func withGrace(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancel(context.Cause(ctx))
		case <-longer.Done():
		}
	})
	return longer, func() { unwatch(); cancel(nil) }
}

// send is do without a bound on the time that it takes.
func (c *Client) send(ctx context.Context, r request, read func(*http.Response) error) error {
	req, err := http.NewRequestWithContext(ctx, r.method, c.target(r.path, r.parameters), bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	if r.header != nil {
		req.Header = r.header
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Body, req.GetBody = http.NoBody, nil
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.failed(r, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if !slices.Contains(r.statuses, resp.StatusCode) {
		return c.refusal(resp, r.changing)
	}
	if r.mediaType != "" && resp.StatusCode != http.StatusNotModified && !hasType(resp, r.mediaType) {
		return c.strange(r, fmt.Sprintf("its type is %q, not %s", resp.Header.Get("Content-Type"), r.mediaType))
	}
	return read(resp)
}

// failed returns the error for a request that got no answer.
func (c *Client) failed(r request, err error) error {
	cause := err
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		cause = wrapped.Err
	}
	err = fmt.Errorf("%s: %w", c, cause)
	dial, ok := errors.AsType[*net.OpError](cause)
	if r.changing && (!ok || dial.Op != "dial") {
		err = fmt.Errorf("%w: %w", err, ErrOutcomeUnknown)
	}
	return err
}

// strange returns the error for an answer with a documented status whose body is
// not the documented one.
func (c *Client) strange(r request, what string) error {
	// Not with %w: what is wrong may be ErrInvalid, which would blame the call.
	err := fmt.Errorf("%s answered %s %s with something else than the API does: %s", c, r.method, r.path, what)
	if r.changing {
		err = fmt.Errorf("%w: %w", err, ErrOutcomeUnknown)
	}
	return err
}

// An answer is what a response says beside its body.
type answer struct {
	status int
	header http.Header
}

// ask sends r, whose answer is JSON, and decodes that into v. Then valid is asked
// what it lacks, if anything.
func (c *Client) ask(ctx context.Context, r request, timeout time.Duration, v any, valid func(answer) string) error {
	r.mediaType = "application/json"
	return c.do(ctx, r, timeout, func(resp *http.Response) error {
		if resp.StatusCode != http.StatusNotModified {
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				return c.failed(r, fmt.Errorf("the answer broke off: %w", err))
			}
			if err := json.Unmarshal(text, v); err != nil {
				return c.strange(r, err.Error())
			}
		}
		if lack := valid(answer{resp.StatusCode, resp.Header}); lack != "" {
			return c.strange(r, lack)
		}
		return nil
	})
}

func hasType(resp *http.Response, want string) bool {
	got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && got == want
}
