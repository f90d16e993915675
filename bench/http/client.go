package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/harness"
)

// A client asks one server for pages over a connection of its own. It takes from
// the machine's cores as little as a load generator has to, or what is measured
// would be the client: that of net/http takes longer for a request than the server
// that is the floor does. It does not ask for gzip, which saves nothing on loopback.
type client struct {
	conn     net.Conn
	r        *bufio.Reader
	requests [][]byte
}

func (s *server) client(ctx context.Context, queries []jobstore.Query) (*client, error) {
	addr := s.Listener.Addr().String()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, r: bufio.NewReaderSize(conn, 32<<10)}
	for _, q := range queries {
		c.requests = append(c.requests, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target(q), addr))
	}
	return c, nil
}

// do sends a request and reads the response.
func (c *client) do(op int) error {
	if _, err := c.conn.Write(c.requests[op%len(c.requests)]); err != nil {
		return err
	}
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if string(status) != "HTTP/1.1 200 OK\r\n" {
		return fmt.Errorf("answer is %q", status)
	}
	length := -1
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if name, value, _ := strings.Cut(string(line), ":"); name == "Content-Length" {
			if length, err = strconv.Atoi(textproto.TrimString(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("answer has no Content-Length")
	}
	_, err = io.CopyN(io.Discard, c.r, int64(length))
	return err
}

// subjects are the servers, each asked by some clients at the same time. They are
// to be closed.
func subjects(ctx context.Context, servers []*server, queries []jobstore.Query, clients int) (list []harness.Subject, closeAll func(), err error) {
	var conns []net.Conn
	closeAll = func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
	for _, s := range servers {
		subject := harness.Subject{Name: s.name}
		for range clients {
			c, err := s.client(ctx, queries)
			if err != nil {
				closeAll()
				return nil, nil, err
			}
			conns = append(conns, c.conn)
			subject.Workers = append(subject.Workers, c.do)
		}
		list = append(list, subject)
	}
	return list, closeAll, nil
}
