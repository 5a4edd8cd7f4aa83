// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rastos/rastos/alpm/libalpm"
	"github.com/rastos/rastos/alpm/libalpm/wire"
	"github.com/rastos/rastos/alpm/trans"
)

// helper is one that a test plays: it gets what the client writes, line by
// line, and writes what it wants.
type helper struct {
	in   *bufio.Scanner
	out  io.Writer
	dead chan struct{}
}

func (h *helper) say(line string) { _, _ = io.WriteString(h.out, line+"\n") }

// hears waits for a line with that in it.
func (h *helper) hears(t *testing.T, part string) {
	if !h.in.Scan() || !strings.Contains(h.in.Text(), part) {
		t.Errorf("the client says %q, not something with %q", h.in.Text(), part)
	}
}

// plays makes a Start of a helper that does what play does, and ends as it
// says. killed is closed when the client kills it.
func plays(play func(h *helper) error) (start libalpm.Start, killed <-chan struct{}) {
	dead := make(chan struct{})
	return func() (*libalpm.Pipe, error) {
		theirIn, in := io.Pipe()
		out, theirOut := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := play(&helper{bufio.NewScanner(theirIn), theirOut, dead})
			theirOut.Close()
			theirIn.Close()
			ended <- err
		}()
		var once sync.Once
		return &libalpm.Pipe{In: in, Out: out, Wait: func() error { return <-ended }, Kill: func() { once.Do(func() { close(dead) }) }}, nil
	}, dead
}

const hello = `{"type":"hello","body":{"protocol":1,"libalpm":"13.0.2"}}`

func (h *helper) opens(t *testing.T) {
	h.say(hello)
	h.hears(t, `"hello"`)
	h.hears(t, `"open"`)
	h.say(`{"type":"result","id":1}`)
}

func dialed(t *testing.T, start libalpm.Start, want libalpm.HelperKind, code int) *libalpm.HelperError {
	t.Helper()
	_, err := libalpm.Dial(context.Background(), start, wire.Config{}, libalpm.Handlers{})
	return wants(t, err, want, code)
}

func wants(t *testing.T, err error, want libalpm.HelperKind, code int) *libalpm.HelperError {
	t.Helper()
	var e *libalpm.HelperError
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v", err)
	}
	if e.Kind != want || e.ExitCode() != code || e.Hint() == "" {
		t.Errorf("%q: kind %q, exit code %d, hint %q", e, e.Kind, e.ExitCode(), e.Hint())
	}
	return e
}

func TestHelperThatIsNotThere(t *testing.T) {
	start := func() (*libalpm.Pipe, error) { return nil, exec.ErrNotFound }
	e := dialed(t, start, libalpm.HelperMissing, 9)
	if !errors.Is(e, exec.ErrNotFound) {
		t.Error(e)
	}
	_, err := libalpm.Engine{Start: start}.Prepare(context.Background(), trans.Env{Root: t.TempDir(), DBPath: t.TempDir()}, trans.Request{})
	wants(t, err, libalpm.HelperMissing, 9)
}

func TestHelperOfAnotherVersion(t *testing.T) {
	start, _ := plays(func(h *helper) error {
		h.say(`{"type":"hello","body":{"protocol":99}}`)
		return nil
	})
	dialed(t, start, libalpm.HelperVersion, 9)
}

func TestHelperThatDies(t *testing.T) {
	start, _ := plays(func(*helper) error { return errors.New("error while loading shared libraries: libalpm.so.13") })
	if e := dialed(t, start, libalpm.HelperDied, 1); !strings.Contains(e.Error(), "libalpm.so.13") {
		t.Error(e)
	}
	start, _ = plays(func(h *helper) error {
		h.opens(t)
		h.hears(t, `"transaction.commit"`)
		_, _ = io.WriteString(h.out, `{"type":"ev`)
		return errors.New("killed by signal 9")
	})
	c, err := libalpm.Dial(context.Background(), start, wire.Config{}, libalpm.Handlers{})
	must(t, err)
	defer c.Close()
	e := wants(t, c.Call(context.Background(), wire.MethodCommit, nil, nil), libalpm.HelperDied, 1)
	if !strings.Contains(e.Error(), "signal 9") {
		t.Error(e)
	}
	// And nothing more can be asked of it.
	wants(t, c.Call(context.Background(), wire.MethodRelease, nil, nil), libalpm.HelperDied, 1)
}

func TestHelperThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, killed := plays(func(h *helper) error {
			<-h.dead
			return nil
		})
		dialed(t, start, libalpm.HelperHung, 1)
		<-killed
	})
}

func TestHelperThatTakesNoInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, killed := plays(func(h *helper) error {
			h.opens(t)
			h.hears(t, `"transaction.commit"`)
			h.say(`{"type":"event","body":{"source":"event","name":"transaction-start"}}`)
			h.hears(t, `"interrupt"`)
			<-h.dead
			return nil
		})
		ctx, cancel := context.WithCancel(context.Background())
		c, err := libalpm.Dial(ctx, start, wire.Config{}, libalpm.Handlers{Event: func(wire.Event) { cancel() }})
		must(t, err)
		wants(t, c.Call(ctx, wire.MethodCommit, nil, nil), libalpm.HelperHung, 1)
		<-killed
		c.Close()
	})
}

func TestHelperThatTalksNonsense(t *testing.T) {
	for _, line := range []string{"Segmentation fault", `{"type":"result","id":1}`, `{"type":"hello","body":[]}`} {
		start, _ := plays(func(h *helper) error {
			h.say(line)
			<-h.dead
			return nil
		})
		dialed(t, start, libalpm.HelperGarbled, 1)
	}
	start, _ := plays(func(h *helper) error {
		h.opens(t)
		h.hears(t, "packages")
		h.say(`{"type":"result","id":2,"body":"not a list"}`)
		<-h.dead
		return nil
	})
	c, err := libalpm.Dial(context.Background(), start, wire.Config{}, libalpm.Handlers{})
	must(t, err)
	var list []string
	wants(t, c.Call(context.Background(), wire.MethodPackages, wire.In{}, &list), libalpm.HelperGarbled, 1)
}

func TestQuestionsAndFetches(t *testing.T) {
	start, _ := plays(func(h *helper) error {
		h.opens(t)
		h.hears(t, "prepare")
		h.say(`{"type":"question","id":7,"body":{"kind":"replace"}}`)
		h.hears(t, `{"type":"answer","id":7,"body":1}`)
		h.say(`{"type":"fetch","id":8,"body":{"url":"https://example.org/x","dir":"/"}}`)
		h.hears(t, `{"type":"fetched","id":8,"body":{"result":-1}}`)
		h.say(`{"type":"error","id":2,"body":{"op":"prepare","code":"RETRIEVE","message":"no"}}`)
		return nil
	})
	c, err := libalpm.Dial(context.Background(), start, wire.Config{}, libalpm.Handlers{})
	must(t, err)
	defer c.Close()
	var e *wire.Error
	if err := c.Call(context.Background(), wire.MethodPrepare, nil, nil); !errors.As(err, &e) || e.Code != "RETRIEVE" {
		t.Error(err)
	}
	if code := (&libalpm.Error{Said: e}).ExitCode(); code != 6 {
		t.Errorf("exit code %d", code)
	}
}
