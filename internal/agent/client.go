// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"
)

var (
	// ErrReset means that the session ended under a request: the guest was
	// reset, its agent was restarted, or Connect was called again.
	ErrReset = errors.New("the guest's agent went away")
	// ErrNotConnected means that Connect has not succeeded yet.
	ErrNotConnected = errors.New("not connected to the guest's agent")
)

// RemoteError is a failure in the guest: a file that is not there, a program
// that could not be started.
type RemoteError struct{ Op, Message string }

func (e *RemoteError) Error() string { return "in the guest: " + e.Message }

const (
	helloFirst = 50 * time.Millisecond // until the second hello
	helloMost  = time.Second           // hellos to a guest that is booting pile up in the buffers
	killGrace  = 3 * time.Second       // for the answer to a kill
)

// Client is the host's end. Its methods may be called by many goroutines; one
// whose writers do not take their data holds up all the others.
type Client struct {
	conn   io.ReadWriteCloser
	out    *encoder
	random io.Reader

	mu      sync.Mutex
	session string
	info    Info
	open    bool          // the session was answered
	hello   chan struct{} // closed when it is
	last    uint64
	calls   map[uint64]*call
	err     error         // why reading ended
	ended   chan struct{} // closed when it did
}

// call is one request under way.
type call struct {
	stdout, stderr io.Writer
	window         chan struct{} // a token for each chunk under way
	done           chan message  // the end of it; buffered
	failed         chan error    // a writer of the caller's failed; buffered
	broken         bool          // it did: drop what follows
}

// NewClient talks over conn; random (crypto/rand.Reader) names the sessions.
// Nothing is sent before Connect.
func NewClient(conn io.ReadWriteCloser, random io.Reader) *Client {
	c := &Client{
		conn: conn, out: newEncoder(conn), random: random,
		calls: map[uint64]*call{}, ended: make(chan struct{}),
	}
	go c.read()
	return c
}

// Close closes the stream; requests under way fail.
func (c *Client) Close() error { return c.conn.Close() }

// Connect opens a new session, asking until the guest answers or ctx ends.
// Requests of the session before fail with ErrReset.
func (c *Client) Connect(ctx context.Context) (Info, error) {
	var raw [8]byte
	if _, err := io.ReadFull(c.random, raw[:]); err != nil {
		return Info{}, fmt.Errorf("name a session: %w", err)
	}
	c.mu.Lock()
	c.dropCalls()
	c.session, c.open, c.hello = hex.EncodeToString(raw[:]), false, make(chan struct{})
	name, answered := c.session, c.hello
	c.mu.Unlock()
	for wait := helloFirst; ; wait = min(wait*2, helloMost) {
		if err := c.out.send(ctx, message{Session: name, Op: opHello}); err != nil {
			return Info{}, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-answered:
			timer.Stop()
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.info, nil
		case <-timer.C:
		case <-c.ended:
			timer.Stop()
			return Info{}, c.readError()
		case <-ctx.Done():
			timer.Stop()
			return Info{}, fmt.Errorf("wait for the guest's agent: %w", context.Cause(ctx))
		}
	}
}

// Reset ends the session: call it when the guest is known to be gone.
func (c *Client) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = false
	c.dropCalls()
}

// Connected says whether a session is open.
func (c *Client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Ping goes to the agent and back.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.request(ctx, message{Op: opPing}, nil, nil, nil)
	return err
}

// Exec runs a command in the guest. If ctx ends first, the command is killed.
// An exit code other than 0 is no error.
func (c *Client) Exec(ctx context.Context, cmd Command) (Exit, error) {
	req := message{
		Op: opExec, Argv: cmd.Argv, Env: cmd.Env, Dir: cmd.Dir,
		Stdin: cmd.Stdin != nil, Timeout: cmd.Timeout.Milliseconds(),
	}
	done, err := c.request(ctx, req, cmd.Stdin, cmd.Stdout, cmd.Stderr)
	exit := Exit{Code: done.Code, Signal: done.Signal, TimedOut: done.TimedOut}
	if err != nil {
		return exit, fmt.Errorf("run %q in the guest: %w", cmd.Argv, err)
	}
	return exit, nil
}

// Put writes a file in the guest, in one rename.
func (c *Client) Put(ctx context.Context, path string, mode fs.FileMode, content io.Reader) error {
	_, err := c.request(ctx, message{Op: opPut, Path: path, Mode: uint32(mode.Perm())}, content, nil, nil)
	return err
}

// Get copies a file of the guest's to w and returns its permissions.
func (c *Client) Get(ctx context.Context, path string, w io.Writer) (fs.FileMode, error) {
	done, err := c.request(ctx, message{Op: opGet, Path: path}, nil, w, nil)
	return fs.FileMode(done.Mode), err
}

// request sends req, feeds its input, and waits for its end.
func (c *Client) request(ctx context.Context, req message, in io.Reader, stdout, stderr io.Writer) (message, error) {
	k := &call{
		stdout: stdout, stderr: stderr, window: make(chan struct{}, windowChunks),
		done: make(chan message, 1), failed: make(chan error, 1),
	}
	c.mu.Lock()
	if !c.open {
		c.mu.Unlock()
		return message{}, ErrNotConnected
	}
	c.last++
	req.ID, req.Session = c.last, c.session
	c.calls[req.ID] = k
	c.mu.Unlock()
	defer c.forget(req.ID)
	if err := c.out.send(ctx, req); err != nil {
		return message{}, err
	}
	stop := make(chan struct{})
	defer close(stop)
	inputFailed := make(chan error, 1)
	if in != nil {
		go func() { inputFailed <- c.feed(ctx, req, k, in, stop) }()
	}
	for {
		select {
		case done := <-k.done:
			return finish(req, done)
		case err := <-inputFailed:
			if err != nil {
				return c.abort(req, k, err)
			}
		case err := <-k.failed:
			return c.abort(req, k, err)
		case <-ctx.Done():
			return c.abort(req, k, context.Cause(ctx))
		case <-c.ended:
			return message{}, c.readError()
		}
	}
}

// finish turns the last message into a result.
func finish(req, done message) (message, error) {
	switch {
	case done.Op == opReset:
		return done, ErrReset
	case done.Error != "":
		return done, &RemoteError{Op: req.Op, Message: done.Error}
	}
	return done, nil
}

// abort kills the request and gives it a moment to end; cause is the result.
func (c *Client) abort(req message, k *call, cause error) (message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), killGrace)
	defer cancel()
	if err := c.out.send(ctx, message{Session: req.Session, Op: opKill, ID: req.ID}); err != nil {
		return message{}, cause
	}
	select {
	case done := <-k.done:
		return done, cause
	case <-c.ended:
	case <-ctx.Done():
	}
	return message{}, cause
}
