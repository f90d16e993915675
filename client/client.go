// Package client gets at a jobs store through the server that holds it open:
// one that runs the handler of httpapi.New, or "jobstore serve", which has that of
// httpapi.NewOperator beside it.
//
// A Client has the methods of a [jobstore.Store], with the same arguments and the
// same errors, so that a program can be written for either. Where a server cannot
// do what a store does, the method says so.
//
// List, All, Get, Create, CreateOnce, Update and Delete work with every server of
// the jobs API. The others need what jobstore serve has under /store; without
// that they fail with [ErrNoStore], but for Count and Export, which then read
// pages instead.
//
// A Client believes only the answers that the API documents: the status code, the
// type of the body and what must be in it. Everything else is an error, also where
// it looks like success. It follows redirects of requests that only read, and none
// of those that change something.
//
// # Errors
//
// What the server refuses is an [Error], which by errors.Is is what a store would have
// returned. What has no answer is an error that wraps that of net/http. An error of a
// method that changes something is [ErrOutcomeUnknown] too when the server may have
// done it: look before you try again, or use [Client.CreateOnce], which may be repeated.
//
// # Cost
//
// A method sends one request unless it says otherwise. [Client.All] sends one for every
// 100 jobs, [Client.Export] one for all jobs.
package client

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jobstore/jobstore"
)

// DefaultTimeout is how long a server may take for one answer, and how long it may
// say nothing in the middle of a long one.
const DefaultTimeout = time.Minute

// Options configure a Client. The zero value holds the defaults.
type Options struct {
	// Token is sent as "Authorization: Bearer <token>". Empty sends none.
	Token string

	// Timeout is how long the server may take for one answer, and how long it may
	// say nothing in the middle of a long one. Zero is DefaultTimeout. A Put may
	// take five times as long.
	Timeout time.Duration

	// Transport carries the requests. Nil is one of the client's own, with the
	// settings of http.DefaultTransport.
	Transport http.RoundTripper
}

// A Client is the store behind one server. Its methods may be called from any
// number of goroutines at once.
type Client struct {
	base    *url.URL
	token   string
	timeout time.Duration
	http    http.Client

	// last is the page that was listed last. To ask for it again costs little, as
	// the server answers that it has not changed.
	mu   sync.Mutex
	last struct {
		target, tag string
		page        jobstore.Page
	}
}

// New returns a client for the server at address, such as
// https://api.example.com/media/v1. The paths of the API go behind the path of the
// address, and its query, if it has one, stands in every request. A fragment is
// ignored, as it is never sent. Nil options are the defaults.
//
// It fails with a FieldError for an address that is not http:// or https:// and a
// host, and for a token that no header can hold. It does not ask the server
// anything.
func New(address string, opts *Options) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return nil, &jobstore.FieldError{Field: "url", Value: address, Reason: "must be http:// or https:// and a host"}
	}
	if _, err := url.ParseQuery(base.RawQuery); err != nil {
		return nil, &jobstore.FieldError{Field: "url", Value: address, Reason: "has a query that cannot be read"}
	}
	base.Fragment, base.RawFragment = "", ""
	c := &Client{base: base, timeout: DefaultTimeout}
	if opts != nil {
		c.token, c.http.Transport = opts.Token, opts.Transport
		if opts.Timeout > 0 {
			c.timeout = opts.Timeout
		}
	}
	if strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &jobstore.FieldError{Field: "token", Reason: "must be ASCII without spaces and line ends"}
	}
	if c.http.Transport == nil {
		c.http.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	c.http.CheckRedirect = checkRedirect
	return c, nil
}

// Close closes the connections that are not in use.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// String returns the address of the server, without a password.
func (c *Client) String() string { return c.base.Redacted() }

// target returns the URL of a path of the API, such as /jobs, with parameters.
func (c *Client) target(path string, parameters url.Values) string {
	u := c.base.JoinPath(path)
	query := parameters.Encode()
	if c.base.RawQuery != "" && query != "" {
		query = c.base.RawQuery + "&" + query
	} else if query == "" {
		query = c.base.RawQuery
	}
	u.RawQuery = query
	return u.String()
}
