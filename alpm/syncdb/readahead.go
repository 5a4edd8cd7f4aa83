// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import "io"

// readAhead decompresses in a goroutine of its own while records are parsed:
// on large databases each takes about as long as the other.
type readAhead struct {
	full  chan chunk
	empty chan []byte
	quit  chan struct{}
	done  chan struct{}
	rest  []byte // unread part of the current chunk
	held  []byte // the current chunk, to be given back
	err   error
}

type chunk struct {
	data []byte
	err  error
}

const (
	chunkSize = 512 << 10
	chunks    = 4
)

func newReadAhead(r io.Reader) *readAhead {
	a := &readAhead{
		full:  make(chan chunk, chunks),
		empty: make(chan []byte, chunks),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	go a.fill(r)
	return a
}

func (a *readAhead) fill(r io.Reader) {
	defer close(a.done)
	made := 0
	for {
		var buf []byte
		select {
		case <-a.quit:
			return
		case buf = <-a.empty:
		default:
			if made < chunks {
				buf = make([]byte, chunkSize)
				made++
				break
			}
			select {
			case <-a.quit:
				return
			case buf = <-a.empty:
			}
		}
		n, err := io.ReadFull(r, buf)
		if err == io.ErrUnexpectedEOF { // ReadFull's own: a short last chunk
			err = io.EOF
		}
		select {
		case <-a.quit:
			return
		case a.full <- chunk{buf[:n], err}:
		}
		if err != nil {
			return
		}
	}
}

func (a *readAhead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.held != nil {
			a.empty <- a.held[:cap(a.held)] // has room for every chunk
			a.held = nil
		}
		if a.err != nil {
			return 0, a.err
		}
		c := <-a.full
		a.rest, a.held, a.err = c.data, c.data, c.err
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// stop ends the goroutine and waits for it, so that nobody reads from the
// underlying reader any more.
func (a *readAhead) stop() {
	close(a.quit)
	<-a.done
}
