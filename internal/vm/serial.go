// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Escape is the key that leaves Console: Ctrl-], as in telnet.
const Escape = 0x1d

const serialKept = 64 << 10

// serial is the console of the guest: what it prints goes to the log, to the
// last lines that are kept for errors, and to a person who is attached.
type serial struct {
	conn net.Conn

	mu     sync.Mutex
	kept   []byte
	log    io.Writer
	person io.Writer
	ended  chan struct{}
}

func newSerial(conn net.Conn, log io.Writer) *serial {
	s := &serial{conn: conn, log: log, ended: make(chan struct{})}
	go s.read()
	return s
}

func (s *serial) read() {
	defer close(s.ended)
	buf := make([]byte, 4096)
	for {
		n, err := s.conn.Read(buf)
		if n > 0 {
			s.deal(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// deal never fails: a log that cannot be written is dropped, since the guest
// must not stop for it.
func (s *serial) deal(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, p...)
	if len(s.kept) > 2*serialKept {
		s.kept = append(s.kept[:0], s.kept[len(s.kept)-serialKept:]...)
	}
	if s.log != nil {
		if _, err := s.log.Write(p); err != nil {
			s.log = nil
		}
	}
	if s.person != nil {
		if _, err := s.person.Write(p); err != nil {
			s.person = nil
		}
	}
}

func (s *serial) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.kept)
}

// lastLines returns the end of what the console printed, without the control
// sequences that firmware and boot loaders draw with.
func (s *serial) lastLines(n int) string {
	var lines []string
	for _, line := range strings.Split(stripControl(s.text()), "\n") {
		if line = strings.TrimRight(line, " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// stripControl removes ANSI sequences and control characters but line breaks.
func stripControl(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == 0x1b && i+1 < len(s) && s[i+1] == '[':
			for i += 2; i < len(s) && (s[i] < 0x40 || s[i] > 0x7e); i++ {
			}
		case c == 0x1b:
			i++
		case c == '\n' || c >= 0x20 && c != 0x7f:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// attach shows the console to a person, beginning with what is kept.
func (s *serial) attach(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.person != nil {
		return errors.New("somebody is attached to the console already")
	}
	if _, err := w.Write(s.kept); err != nil {
		return fmt.Errorf("show the console: %w", err)
	}
	s.person = w
	return nil
}

func (s *serial) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person = nil
}

// Console puts the guest's serial console on a terminal until the person types
// Escape, the machine ends or ctx does. If in is a terminal it is in raw mode
// meanwhile; nil is no keyboard. One read of in may still be under way when
// Console returns.
func (m *Machine) Console(ctx context.Context, in io.Reader, out io.Writer) error {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		old, err := term.MakeRaw(int(f.Fd()))
		if err != nil {
			return fmt.Errorf("put the terminal into raw mode: %w", err)
		}
		defer func() { _ = term.Restore(int(f.Fd()), old) }()
	}
	if err := m.serial.attach(out); err != nil {
		return err
	}
	defer m.serial.detach()
	typed := make(chan error, 1)
	if in == nil {
		in = strings.NewReader("")
	}
	go func() { typed <- m.serial.typeFrom(in) }()
	select {
	case err := <-typed:
		if errors.Is(err, io.EOF) { // no keyboard: keep showing
			select {
			case <-m.done:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return err
	case <-m.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// typeFrom sends keys to the guest; nil means that Escape was typed.
func (s *serial) typeFrom(in io.Reader) error {
	buf := make([]byte, 256)
	for {
		n, err := in.Read(buf)
		keys := string(buf[:n])
		before, _, escaped := strings.Cut(keys, string(rune(Escape)))
		if _, werr := io.WriteString(s.conn, before); werr != nil {
			return fmt.Errorf("type on the console: %w", werr)
		}
		if escaped {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
