// SPDX-License-Identifier: GPL-3.0-or-later

// Package agent is the control channel into a machine that has no network: it
// runs commands and moves files over one byte stream, such as a virtio-serial
// port. The guest runs Server, the host uses Client.
//
// The protocol is one JSON object a line. Every message carries the name of
// the session that it belongs to; a client begins with a hello under a fresh
// random name and repeats it until it is answered, so that neither side needs
// to be there first, and whatever an older session left in the buffers is
// dropped. A line that is no message is dropped too: a session always opens
// with a line break, which cuts off anything half written before it.
//
//	host → guest   hello | ping | exec | put | get | data | eof | ack | kill
//	guest → host   hello | pong | out | err | ack | done | reset
//
// "data" and "eof" are the standard input of an exec or the content of a put.
// At most windowChunks of them are under way without an "ack", so that a
// command that does not read its input cannot stop the channel. "reset"
// answers a session that the guest does not know (its agent was restarted).
//
// Not implemented: terminals (no pty is made) and output flow control a job: a
// host that does not read its output stops the whole channel.
package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// PortName is the name of the virtio-serial port; the guest finds it under
// /dev/virtio-ports.
const PortName = "rastos.agent"

const (
	chunkSize    = 32 << 10 // bytes of payload in one message
	windowChunks = 8        // chunks of input under way without an ack
	maxLine      = 1 << 20  // a longer line is no message of ours
)

// The operations of the protocol.
const (
	opHello = "hello"
	opPing  = "ping"
	opPong  = "pong"
	opExec  = "exec"
	opPut   = "put"
	opGet   = "get"
	opData  = "data"
	opEOF   = "eof"
	opAck   = "ack"
	opKill  = "kill"
	opOut   = "out"
	opErr   = "err"
	opDone  = "done"
	opReset = "reset"
)

// message is every message of the protocol; unused fields stay out of the line.
type message struct {
	Session string `json:"s"`
	Op      string `json:"op"`
	ID      uint64 `json:"id,omitempty"`

	Argv    []string `json:"argv,omitempty"`
	Env     []string `json:"env,omitempty"`
	Dir     string   `json:"dir,omitempty"`
	Stdin   bool     `json:"stdin,omitempty"`   // data and eof will follow
	Timeout int64    `json:"timeout,omitempty"` // milliseconds

	Path string `json:"path,omitempty"`
	Mode uint32 `json:"mode,omitempty"`

	Data []byte `json:"data,omitempty"` // base64 on the wire

	Code     int    `json:"code,omitempty"`
	Signal   int    `json:"signal,omitempty"`
	TimedOut bool   `json:"timed_out,omitempty"`
	Error    string `json:"error,omitempty"`

	Info *Info `json:"info,omitempty"`
}

// Info is what the guest says about itself in its hello.
type Info struct {
	Protocol int    `json:"protocol"`
	Boot     string `json:"boot"`    // the kernel's boot id: another one is another boot
	Version  string `json:"version"` // of rastos-init
}

// Protocol is the version of the protocol that this package speaks.
const Protocol = 1

// encoder writes messages; many goroutines may use one.
type encoder struct {
	turn  chan struct{} // holds a token while somebody writes
	w     io.Writer
	dirty bool // a write was cut short: the next message begins a new line
}

func newEncoder(w io.Writer) *encoder {
	return &encoder{turn: make(chan struct{}, 1), w: w}
}

// send writes one message. A stream with deadlines that takes nothing does not
// hold up a caller whose ctx has ended.
func (e *encoder) send(ctx context.Context, m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode %s message: %w", m.Op, err)
	}
	line = append(line, '\n')
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("send %s message: %w", m.Op, context.Cause(ctx))
	}
	defer func() { <-e.turn }()
	if e.dirty || m.Op == opHello {
		line = append([]byte{'\n'}, line...)
	}
	err = e.write(ctx, line)
	e.dirty = err != nil
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("send %s message: %w", m.Op, err)
	}
	return nil
}

// write writes a line; the caller holds the turn, and with it the deadline.
func (e *encoder) write(ctx context.Context, line []byte) error {
	if d, ok := e.w.(interface{ SetWriteDeadline(time.Time) error }); ok {
		fired := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			_ = d.SetWriteDeadline(time.Unix(1, 0))
			close(fired)
		})
		defer func() {
			if !stop() {
				<-fired
				_ = d.SetWriteDeadline(time.Time{})
			}
		}()
	}
	_, err := e.w.Write(line)
	return err
}

// decoder reads messages and skips what is none.
type decoder struct{ r *bufio.Reader }

func newDecoder(r io.Reader) *decoder {
	return &decoder{r: bufio.NewReaderSize(r, chunkSize*2)}
}

// next returns the next message. Its error is the stream's.
func (d *decoder) next() (message, error) {
	for {
		line, err := d.line()
		if err != nil {
			return message{}, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] != '{' {
			continue
		}
		var m message
		if json.Unmarshal(line, &m) == nil && m.Session != "" && m.Op != "" {
			return m, nil
		}
	}
}

// line returns one line; of one longer than maxLine only an empty remainder.
func (d *decoder) line() ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := d.r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(line) > maxLine {
			line, tooLong = nil, true
		}
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
