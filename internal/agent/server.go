// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Command is one program to run. Env nil means the agent's own environment.
type Command struct {
	Argv   []string
	Env    []string
	Dir    string
	Stdin  io.Reader // nil: empty
	Stdout io.Writer // nil: dropped
	Stderr io.Writer // nil: dropped

	// Timeout ends the command in the guest even if the host is gone; 0 means none.
	Timeout time.Duration
}

// Exit is how a command ended. Signal is not 0 if a signal ended it; Code is
// then 128 plus that signal, as a shell would say.
type Exit struct {
	Code     int
	Signal   int
	TimedOut bool
}

// Runner runs a command in the guest. It returns when the command has ended,
// and kills the command and its process group when ctx ends. An error means
// that the command could not be started.
type Runner func(ctx context.Context, cmd Command) (Exit, error)

// Server answers one stream.
type Server struct {
	Run  Runner
	Info Info // Protocol is filled in
}

// errSession is the cause of death of the jobs of a session that was replaced.
var errSession = errors.New("the session ended")

// session is the state of one client; a new hello replaces the old session.
type session struct {
	name   string
	ctx    context.Context
	cancel context.CancelCauseFunc
	jobs   map[uint64]*job // owned by Serve's loop, guarded by Server's mutex
}

// connection is Serve's state.
type connection struct {
	server *Server
	out    *encoder
	mu     sync.Mutex // guards current and its jobs
	cur    *session
	wg     sync.WaitGroup
}

// Serve answers requests until the stream ends, or ctx does and the stream is
// then closed by the caller. Jobs that are still running are killed.
func (s *Server) Serve(ctx context.Context, rw io.ReadWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	c := &connection{server: s, out: newEncoder(rw)}
	defer c.wg.Wait()
	defer cancel()
	in := newDecoder(rw)
	for {
		m, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.handle(ctx, m); err != nil {
			return err
		}
	}
}

// handle deals with one message. Its error is the stream's.
func (c *connection) handle(ctx context.Context, m message) error {
	if m.Op == opHello {
		return c.hello(ctx, m)
	}
	c.mu.Lock()
	cur := c.cur
	c.mu.Unlock()
	if cur == nil || cur.name != m.Session {
		return c.out.send(ctx, message{Session: m.Session, Op: opReset})
	}
	switch m.Op {
	case opPing:
		return c.out.send(ctx, message{Session: m.Session, Op: opPong, ID: m.ID})
	case opExec, opPut, opGet:
		c.start(ctx, cur, m)
	case opData, opEOF, opKill:
		c.mu.Lock()
		j := cur.jobs[m.ID]
		c.mu.Unlock()
		if j != nil { // else it has just ended; its done message is on its way
			j.feed(m)
		}
	}
	return nil
}

// hello opens a session, or repeats the answer to one that is open.
func (c *connection) hello(ctx context.Context, m message) error {
	c.mu.Lock()
	if c.cur == nil || c.cur.name != m.Session {
		if c.cur != nil {
			c.cur.cancel(errSession)
		}
		sctx, cancel := context.WithCancelCause(ctx)
		c.cur = &session{name: m.Session, ctx: sctx, cancel: cancel, jobs: map[uint64]*job{}}
	}
	c.mu.Unlock()
	info := c.server.Info
	info.Protocol = Protocol
	return c.out.send(ctx, message{Session: m.Session, Op: opHello, Info: &info})
}

// start runs the job that m asks for.
func (c *connection) start(ctx context.Context, s *session, m message) {
	j := newJob(s, m, c.out)
	c.mu.Lock()
	_, known := s.jobs[m.ID]
	if !known {
		s.jobs[m.ID] = j
	}
	c.mu.Unlock()
	if known {
		return
	}
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		done := j.run(c.server.Run)
		c.mu.Lock()
		delete(s.jobs, m.ID)
		c.mu.Unlock()
		done.Session, done.Op, done.ID = s.name, opDone, m.ID
		// A stream that is broken is noticed by Serve's reading.
		_ = c.out.send(context.WithoutCancel(ctx), done)
	}()
}
