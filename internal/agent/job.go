// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// errTimeout and errKilled are why a job's context ended.
var (
	errTimeout = errors.New("timed out")
	errKilled  = errors.New("killed by the host")
)

// job is one exec, put or get in the guest.
type job struct {
	req    message
	out    *encoder
	ctx    context.Context
	cancel context.CancelCauseFunc
	input  chan []byte // content; closed at its end
	closed bool        // of input; only the reading loop closes and sends
}

func newJob(s *session, m message, out *encoder) *job {
	ctx, cancel := context.WithCancelCause(s.ctx)
	// One slot more than the window: a client that keeps to it never blocks us.
	return &job{req: m, out: out, ctx: ctx, cancel: cancel, input: make(chan []byte, windowChunks+1)}
}

// feed hands a message of the host's to the job; it never blocks.
func (j *job) feed(m message) {
	switch {
	case m.Op == opKill:
		j.cancel(errKilled)
	case j.closed:
	case m.Op == opEOF:
		j.closed = true
		close(j.input)
	default:
		select {
		case j.input <- m.Data:
		default:
			j.cancel(errors.New("the host sent more input than the window allows"))
		}
	}
}

// run does the job and returns the message that tells its end.
func (j *job) run(runner Runner) message {
	defer j.cancel(nil)
	if j.req.Timeout > 0 {
		t := time.AfterFunc(time.Duration(j.req.Timeout)*time.Millisecond, func() { j.cancel(errTimeout) })
		defer t.Stop()
	}
	var done message
	var err error
	switch j.req.Op {
	case opExec:
		done, err = j.exec(runner)
	case opPut:
		err = j.put()
	case opGet:
		done, err = j.get()
	}
	if cause := context.Cause(j.ctx); cause != nil {
		done.TimedOut = errors.Is(cause, errTimeout)
		if err == nil && !errors.Is(cause, errKilled) && !done.TimedOut {
			err = cause
		}
	}
	if err != nil {
		done.Error = err.Error()
	}
	return done
}

func (j *job) exec(runner Runner) (message, error) {
	if len(j.req.Argv) == 0 {
		return message{}, errors.New("no command given")
	}
	cmd := Command{
		Argv: j.req.Argv, Env: j.req.Env, Dir: j.req.Dir,
		Stdout: &chunkWriter{j: j, op: opOut},
		Stderr: &chunkWriter{j: j, op: opErr},
	}
	if j.req.Stdin {
		cmd.Stdin = &inputReader{j: j}
	}
	exit, err := runner(j.ctx, cmd)
	return message{Code: exit.Code, Signal: exit.Signal}, err
}

// put writes the content beside the file and renames it over it, so that an
// interrupted transfer leaves the old file.
func (j *job) put() (err error) {
	dir := filepath.Dir(j.req.Path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(j.req.Path)+".*")
	if err != nil {
		return fmt.Errorf("put %s: %w", j.req.Path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("put %s: %w", j.req.Path, err)
		}
	}()
	if _, err = io.Copy(f, &inputReader{j: j}); err != nil {
		return err
	}
	if err = f.Chmod(fs.FileMode(j.req.Mode) & fs.ModePerm); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), j.req.Path)
}

func (j *job) get() (message, error) {
	f, err := os.Open(j.req.Path)
	if err != nil {
		return message{}, fmt.Errorf("get: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return message{}, fmt.Errorf("get: %w", err)
	}
	if _, err := io.Copy(&chunkWriter{j: j, op: opOut, killable: true}, f); err != nil {
		return message{}, fmt.Errorf("get %s: %w", j.req.Path, err)
	}
	return message{Mode: uint32(st.Mode().Perm())}, nil
}

// chunkWriter sends what is written to it as messages.
type chunkWriter struct {
	j        *job
	op       string
	killable bool // stop at a kill; the last words of a killed command are sent
}

func (w *chunkWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		cause := context.Cause(w.j.ctx)
		if errors.Is(cause, errSession) || cause != nil && w.killable {
			return written, cause
		}
		n := min(len(p), chunkSize)
		err := w.j.out.send(context.WithoutCancel(w.j.ctx), message{Session: w.j.req.Session, Op: w.op, ID: w.j.req.ID, Data: p[:n]})
		if err != nil {
			return written, err
		}
		written += n
		p = p[n:]
	}
	return written, nil
}

// inputReader reads what the host sends, and acknowledges each chunk taken.
type inputReader struct {
	j    *job
	rest []byte
}

func (r *inputReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		select {
		case data, ok := <-r.j.input:
			if !ok {
				return 0, io.EOF
			}
			r.rest = data
			err := r.j.out.send(context.WithoutCancel(r.j.ctx), message{Session: r.j.req.Session, Op: opAck, ID: r.j.req.ID})
			if err != nil {
				return 0, err
			}
		case <-r.j.ctx.Done():
			return 0, context.Cause(r.j.ctx)
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
