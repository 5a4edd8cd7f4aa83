// SPDX-License-Identifier: GPL-3.0-or-later

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// feed sends the input of a request, a window at a time.
func (c *Client) feed(ctx context.Context, req message, k *call, in io.Reader, stop <-chan struct{}) error {
	buf := make([]byte, chunkSize)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			select {
			case k.window <- struct{}{}:
			case <-stop:
				return nil
			}
			data := message{Session: req.Session, Op: opData, ID: req.ID, Data: buf[:n]}
			if err := c.out.send(ctx, data); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return c.out.send(ctx, message{Session: req.Session, Op: opEOF, ID: req.ID})
		}
		if err != nil {
			return fmt.Errorf("read the input of the request: %w", err)
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// read deals out what the guest sends until the stream ends.
func (c *Client) read() {
	in := newDecoder(c.conn)
	for {
		m, err := in.next()
		if err != nil {
			c.mu.Lock()
			c.open, c.err = false, err
			c.mu.Unlock()
			close(c.ended)
			return
		}
		c.mu.Lock()
		if m.Session != c.session {
			c.mu.Unlock()
			continue
		}
		switch m.Op {
		case opHello:
			if !c.open && m.Info != nil {
				c.open, c.info = true, *m.Info
				select {
				case <-c.hello: // a late answer after a Reset
				default:
					close(c.hello)
				}
			}
		case opReset:
			if c.open {
				c.open = false
				c.dropCalls()
			}
		}
		k := c.calls[m.ID]
		c.mu.Unlock()
		if k != nil {
			k.take(m)
		}
	}
}

// take hands a message to its request; only read calls it.
func (k *call) take(m message) {
	switch m.Op {
	case opOut:
		k.write(k.stdout, m.Data)
	case opErr:
		k.write(k.stderr, m.Data)
	case opAck:
		select {
		case <-k.window:
		default:
		}
	case opDone, opPong:
		select {
		case k.done <- m:
		default:
		}
	}
}

func (k *call) write(w io.Writer, data []byte) {
	if w == nil || k.broken {
		return
	}
	if _, err := w.Write(data); err != nil {
		k.broken = true
		k.failed <- fmt.Errorf("write the output of the request: %w", err)
	}
}

// dropCalls fails every request under way; c.mu is held.
func (c *Client) dropCalls() {
	for id, k := range c.calls {
		delete(c.calls, id)
		select {
		case k.done <- message{Op: opReset}:
		default:
		}
	}
}

func (c *Client) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

func (c *Client) readError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil || errors.Is(c.err, io.EOF) {
		return ErrReset
	}
	return fmt.Errorf("read from the guest's agent: %w", c.err)
}
