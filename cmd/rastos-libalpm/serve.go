// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

// #cgo LDFLAGS: -lalpm
// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/cgo"
	"sync"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/libalpm/wire"
	"github.com/rastos/rastos/internal/host/mount"
)

// session is one conversation. Calls are answered one at a time, by one
// goroutine; another one reads.
type session struct {
	in   *wire.Reader
	out  *wire.Writer
	exit func(code int)

	handle  *C.alpm_handle_t
	self    cgo.Handle
	cfg     wire.Config
	calls   chan wire.Message
	answers chan wire.Message
	lastID  uint64 // of a question or fetch

	mu          sync.Mutex // guards what both goroutines touch
	at          uint64     // id of the call at hand; 0: none
	changing    bool       // the root is being changed
	interrupted bool
	readErr     error

	// Of the call at hand.
	errors  []string
	corrupt []string

	// Of the transaction at hand.
	targets map[string]string // package → what asked for it
	causes  map[string]wire.Removal
	reasons map[string]desc.Reason
	done    bool // the transaction was carried through

	made  []string        // mount points that were not there
	owned map[string]bool // mount points that packages own, at the end
}

// serve holds a conversation until the client ends it.
func serve(in io.Reader, out io.Writer, exit func(int)) error {
	C.bridge_locale()
	s := &session{in: wire.NewReader(in), out: wire.NewWriter(out), exit: exit,
		calls: make(chan wire.Message), answers: make(chan wire.Message)}
	s.self = cgo.NewHandle(s)
	defer s.self.Delete()
	if err := s.hello(); err != nil {
		return err
	}
	go s.read()
	open, ok := <-s.calls
	if !ok {
		return s.readErr
	}
	if open.Method != wire.MethodOpen {
		return fmt.Errorf("the first call is %s instead of %s", open.Method, wire.MethodOpen)
	}
	if err := open.Decode(&s.cfg); err != nil {
		return err
	}
	work := func() error {
		defer s.close()
		s.answer(open)
		for call := range s.calls {
			s.answer(call)
		}
		return s.readErr
	}
	if !s.cfg.Mounts && len(s.cfg.Binds) == 0 {
		return work()
	}
	return mount.Private(func() error {
		for _, b := range s.cfg.Binds {
			if err := mount.Mount(b.From, b.To, "", "bind"); err != nil {
				return err
			}
		}
		if s.cfg.Mounts {
			defer s.clearMountPoints()
			s.makeMounts()
		}
		return work()
	})
}

// hello greets and reads the greeting.
func (s *session) hello() error {
	me := wire.Hello{Protocol: wire.Protocol, Libalpm: C.GoString(C.alpm_version()), Capabilities: capabilities()}
	if err := s.out.Send(wire.TypeHello, 0, me); err != nil {
		return err
	}
	m, err := s.in.Read()
	if err != nil {
		return err
	}
	var you wire.Hello
	if m.Type != wire.TypeHello {
		return fmt.Errorf("a %s instead of a hello", m.Type)
	}
	if err := m.Decode(&you); err != nil {
		return err
	}
	if you.Protocol != wire.Protocol {
		return fmt.Errorf("the other side speaks version %d of the protocol, this program version %d", you.Protocol, wire.Protocol)
	}
	return nil
}

func capabilities() []string {
	var out []string
	have := C.alpm_capabilities()
	for _, c := range []struct {
		bit  C.int
		name string
	}{{C.ALPM_CAPABILITY_NLS, "nls"}, {C.ALPM_CAPABILITY_DOWNLOADER, "downloader"}, {C.ALPM_CAPABILITY_SIGNATURES, "signatures"}} {
		if have&c.bit != 0 {
			out = append(out, c.name)
		}
	}
	return out
}

// read hands messages on until the client ends the conversation.
func (s *session) read() {
	defer close(s.calls)
	defer close(s.answers)
	for {
		m, err := s.in.Read()
		switch {
		case err != nil:
			s.interrupt()
			s.readErr = err
			return
		case m.Type == wire.TypeInterrupt:
			s.interrupt()
		case m.Type == wire.TypeCall:
			s.begin(m)
		case m.Type == wire.TypeAnswer, m.Type == wire.TypeFetched:
			s.answers <- m
		default:
			s.readErr = fmt.Errorf("a message of type %s", m.Type)
			return
		}
	}
}

func (s *session) begin(m wire.Message) {
	s.mu.Lock()
	s.at = m.ID
	s.mu.Unlock()
	s.calls <- m
}

// interrupt asks libalpm to end after the package at hand. Before the root is
// touched it cannot be asked, but everything may be dropped: what it downloads
// and unpacks until then has a name of its own.
func (s *session) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupted = true
	switch {
	case s.at == 0:
	case s.changing:
		C.alpm_trans_interrupt(s.handle)
	default:
		for _, path := range s.made {
			_ = os.Remove(path)
		}
		_ = s.out.Send(wire.TypeError, s.at, &wire.Error{Op: "interrupted", Code: wire.CodeInterrupted, Message: "nothing was changed"})
		s.exit(0)
	}
}

// answer makes a call and tells how it went.
func (s *session) answer(call wire.Message) {
	s.errors, s.corrupt = nil, nil
	result, err := s.do(call)
	s.mu.Lock()
	s.at, s.changing = 0, false
	s.mu.Unlock()
	if err != nil {
		var e *wire.Error
		if !errors.As(err, &e) {
			e = &wire.Error{Op: string(call.Method), Message: err.Error()}
		}
		e.Log = s.errors
		err = s.out.Send(wire.TypeError, call.ID, e)
	} else {
		err = s.out.Send(wire.TypeResult, call.ID, result)
	}
	if err != nil { // nobody is there any more
		s.exit(exitFailure)
	}
}

// ask puts a question or a fetch to the client; false: there is nobody.
func (s *session) ask(t wire.Type, body, answer any) bool {
	s.lastID++
	if s.out.Send(t, s.lastID, body) != nil {
		return false
	}
	for m := range s.answers {
		if m.ID == s.lastID {
			return m.Decode(answer) == nil
		}
	}
	return false
}

func (s *session) tell(e wire.Event) { _ = s.out.Send(wire.TypeEvent, 0, e) }

func (s *session) close() {
	if s.handle == nil {
		return
	}
	C.alpm_trans_release(s.handle)
	s.owned = s.ownedMountPoints()
	C.alpm_release(s.handle)
	s.handle = nil
}
