// SPDX-License-Identifier: GPL-3.0-or-later

// Package libalpm is the system's libalpm as a package engine: what alpm/trans
// does in Go, done by the library that pacman uses. It stays out of this
// process: the helper rastos-libalpm is linked with it and is spoken to over a
// pipe (alpm/libalpm/wire).
//
// Engine takes the place of alpm/trans: the same Env and Request go in, the
// same Plan and the same kinds of errors come out. Client is one conversation
// with the helper, for those who want the library itself.
//
// What differs from the native engine: a transaction is as safe as pacman's
// (no journal, Env.Durable says nothing), but for one thing: when the helper
// dies in the middle, the package at hand is in the database again as it was,
// and the same can be run again. The helper makes the chroot, so that
// scriptlets have the network and Env.Chroot only says whether any run, and
// ldconfig always runs. Of a Request, Select and Tell are not asked: a group is
// all of its members.
package libalpm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rastos/rastos/alpm/libalpm/wire"
)

// Pipe is a helper that was started.
type Pipe struct {
	In  io.WriteCloser // its standard input
	Out io.Reader      // its standard output
	// Wait returns when it has ended. Its error has what the helper said last.
	Wait func() error
	// Kill ends it and what it started, at once.
	Kill func()
}

// Start starts a helper.
type Start func() (*Pipe, error)

// Handlers receive what the helper tells and asks during a call, one at a
// time; what is nil is not told, and questions get their default.
type Handlers struct {
	Event    func(wire.Event)
	Question func(wire.Question) int
	Fetch    func(context.Context, wire.Fetch) wire.Fetched
}

// How long a helper may take.
const (
	greetTime = 20 * time.Second // to say hello
	endTime   = 10 * time.Second // to end when there is nothing more to do
	// An interrupt lets the package at hand be finished, with its scriptlets.
	interruptTime = 5 * time.Minute
)

// Client is a conversation with a helper. One goroutine uses it at a time.
type Client struct {
	Handlers
	// Libalpm is the version of the library.
	Libalpm      string
	Capabilities []string

	pipe   *Pipe
	w      *wire.Writer
	in     chan received
	gone   chan struct{} // closed: nobody takes from in any more
	lastID uint64
	broken error
	waited sync.Once
	last   error         // how the helper ended
	limit  time.Duration // for the end of an interrupted call
}

type received struct {
	msg wire.Message
	err error
}

// Dial starts a helper and opens the library. Errors are *HelperError, or the
// helper's *wire.Error.
func Dial(ctx context.Context, start Start, cfg wire.Config, h Handlers) (*Client, error) {
	pipe, err := start()
	if err != nil {
		return nil, &HelperError{Kind: HelperMissing, Err: err}
	}
	c := &Client{Handlers: h, pipe: pipe, w: wire.NewWriter(pipe.In), in: make(chan received), gone: make(chan struct{}), limit: interruptTime}
	go c.read()
	if err := c.greet(ctx); err != nil {
		c.end(err)
		return nil, err
	}
	if err := c.Call(ctx, wire.MethodOpen, cfg, nil); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) read() {
	r := wire.NewReader(c.pipe.Out)
	for {
		m, err := r.Read()
		select {
		case c.in <- received{m, err}:
		case <-c.gone:
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *Client) greet(ctx context.Context) error {
	timer := time.NewTimer(greetTime)
	defer timer.Stop()
	var r received
	select {
	case r = <-c.in:
	case <-timer.C:
		return &HelperError{Kind: HelperHung, Err: fmt.Errorf("it said nothing for %s", greetTime)}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if r.err != nil {
		return c.broke(r.err)
	}
	var hello wire.Hello
	if r.msg.Type != wire.TypeHello || r.msg.Decode(&hello) != nil {
		return &HelperError{Kind: HelperGarbled, Err: fmt.Errorf("a message of type %s instead of hello", r.msg.Type)}
	}
	if hello.Protocol != wire.Protocol {
		return &HelperError{Kind: HelperVersion, Err: fmt.Errorf("it speaks version %d of the protocol, this program version %d", hello.Protocol, wire.Protocol)}
	}
	c.Libalpm, c.Capabilities = hello.Libalpm, hello.Capabilities
	return c.send(wire.TypeHello, 0, wire.Hello{Protocol: wire.Protocol})
}

// broke says why nothing more can be read. The helper's own last words say it
// best.
func (c *Client) broke(err error) error {
	var syntax *wire.SyntaxError
	if errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &HelperError{Kind: HelperGarbled, Err: err}
	}
	if last := c.wait(); last != nil {
		err = last
	}
	return &HelperError{Kind: HelperDied, Err: err}
}

// wait waits for the helper's end, and brings it about if it does not come.
func (c *Client) wait() error {
	c.waited.Do(func() {
		ended := make(chan error, 1)
		go func() { ended <- c.pipe.Wait() }()
		timer := time.NewTimer(endTime)
		defer timer.Stop()
		select {
		case c.last = <-ended:
		case <-timer.C:
			c.pipe.Kill()
			c.last = <-ended
		}
	})
	return c.last
}

func (c *Client) send(t wire.Type, id uint64, body any) error {
	if err := c.w.Send(t, id, body); err != nil {
		return c.broke(err)
	}
	return nil
}

// Call makes a call; in and out may be nil. When ctx ends, the helper is
// interrupted, and what it says to that decides: the cause of ctx is returned
// where nothing was changed.
func (c *Client) Call(ctx context.Context, method wire.Method, in, out any) error {
	if c.broken != nil {
		return c.broken
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err := c.call(ctx, method, in, out)
	var helper *HelperError
	if errors.As(err, &helper) {
		c.broken = err
	}
	return err
}

func (c *Client) call(ctx context.Context, method wire.Method, in, out any) error {
	c.lastID++
	m, err := wire.New(wire.TypeCall, c.lastID, in)
	if err != nil {
		return err
	}
	m.Method = method
	if err := c.w.Write(m); err != nil {
		return c.broke(err)
	}
	done, limit := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case r := <-c.in:
			if r.err != nil {
				return c.broke(r.err)
			}
			if over, err := c.take(ctx, r.msg, out); over || err != nil {
				return err
			}
		case <-done:
			done, limit = nil, time.After(c.limit)
			if err := c.send(wire.TypeInterrupt, 0, nil); err != nil {
				return err
			}
		case <-limit:
			c.pipe.Kill()
			return &HelperError{Kind: HelperHung, Err: fmt.Errorf("it was interrupted and did not end within %s", c.limit)}
		}
	}
}

// take handles one message; over: it ends the call.
func (c *Client) take(ctx context.Context, m wire.Message, out any) (over bool, err error) {
	switch m.Type {
	case wire.TypeEvent:
		var e wire.Event
		if err = m.Decode(&e); err == nil && c.Event != nil {
			c.Event(e)
		}
	case wire.TypeQuestion:
		var q wire.Question
		if err = m.Decode(&q); err == nil {
			answer := q.Default()
			if c.Question != nil {
				answer = c.Question(q)
			}
			return false, c.send(wire.TypeAnswer, m.ID, answer)
		}
	case wire.TypeFetch:
		var f wire.Fetch
		if err = m.Decode(&f); err == nil {
			answer := wire.Fetched{Result: -1}
			if c.Fetch != nil {
				answer = c.Fetch(ctx, f)
			}
			return false, c.send(wire.TypeFetched, m.ID, answer)
		}
	case wire.TypeResult:
		if out != nil && m.ID == c.lastID {
			err = m.Decode(out)
		}
		over = m.ID == c.lastID
	case wire.TypeError:
		var e wire.Error
		if err = m.Decode(&e); err == nil && e.Code == wire.CodeInterrupted && ctx.Err() != nil {
			return true, context.Cause(ctx)
		} else if err == nil {
			return true, &e
		}
	default:
		err = fmt.Errorf("a message of type %s", m.Type)
	}
	if err != nil {
		err = &HelperError{Kind: HelperGarbled, Err: err}
	}
	return over, err
}

// Close ends the conversation and the helper.
func (c *Client) Close() { c.end(nil) }

func (c *Client) end(why error) {
	_ = c.pipe.In.Close()
	select {
	case <-c.gone:
		return
	default:
		close(c.gone)
	}
	var helper *HelperError
	if errors.As(why, &helper) {
		c.pipe.Kill()
	}
	_ = c.wait()
}
