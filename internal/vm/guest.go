// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rastos/rastos/internal/agent"
)

// GuestError is a failure of the machine, with its last words.
type GuestError struct {
	Err     error
	Console string
}

func (e *GuestError) Error() string {
	if e.Console == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v; the last lines it printed:\n  | %s", e.Err, strings.ReplaceAll(e.Console, "\n", "\n  | "))
}

func (e *GuestError) Unwrap() error { return e.Err }

// ErrEnded means that the machine ended while something was asked of it.
var ErrEnded = errors.New("the machine has ended")

// errNoAgent is for a machine with NoAgent.
var errNoAgent = errors.New("this machine was started without the agent's port")

// event takes QEMU's events, in order.
func (m *Machine) event(e qmpEvent) {
	switch e.Name {
	case "RESET":
		if m.agent != nil {
			m.agent.Reset()
		}
	case "SHUTDOWN":
		m.sampleCPU()
	default:
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Name == "RESET" {
		m.resets++
	} else {
		m.reason = e.Data.Reason
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

// Resets counts how often the machine was reset since its start, by itself
// (a reboot, a panic, the watchdog) or by Reset.
func (m *Machine) Resets() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.resets
}

// ShutdownReason is QEMU's word for why the machine ended, such as
// "guest-shutdown", "guest-reset" (with NoReboot) or "host-signal".
func (m *Machine) ShutdownReason() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reason
}

// WaitResets waits until the machine was reset n times since its start.
func (m *Machine) WaitResets(ctx context.Context, n int) error {
	for {
		m.mu.Lock()
		resets, changed := m.resets, m.changed
		m.mu.Unlock()
		if resets >= n {
			return nil
		}
		select {
		case <-changed:
		case <-m.done:
			return m.failed("wait for a reset", ErrEnded)
		case <-ctx.Done():
			return m.failed("wait for a reset", context.Cause(ctx))
		}
	}
}

// failed adds the console's last lines to an error.
func (m *Machine) failed(op string, err error) error {
	return &GuestError{Err: fmt.Errorf("%s: %w", op, err), Console: m.serial.lastLines(20)}
}

// alive returns a ctx that also ends with the machine.
func (m *Machine) alive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-m.done:
			cancel(ErrEnded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// WaitAgent waits until the guest's agent answers.
func (m *Machine) WaitAgent(ctx context.Context) (agent.Info, error) {
	if m.agent == nil {
		return agent.Info{}, errNoAgent
	}
	ctx, cancel := m.alive(ctx)
	defer cancel()
	info, err := m.agent.Connect(ctx)
	if err == nil {
		return info, nil
	}
	if ctx.Err() == nil && m.gone() {
		err = fmt.Errorf("wait for the guest's agent: %w", ErrEnded)
	}
	return info, &GuestError{Err: err, Console: m.serial.lastLines(20)}
}

// WaitReboot waits until the agent of another boot than before's answers.
func (m *Machine) WaitReboot(ctx context.Context, before agent.Info) (agent.Info, error) {
	for {
		info, err := m.WaitAgent(ctx)
		if err != nil || info.Boot != before.Boot {
			return info, err
		}
		select { // the old system is still going down
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// Agent is the channel itself, for files and pings.
func (m *Machine) Agent() *agent.Client { return m.agent }

// Exec runs a command in the guest; connect first with WaitAgent.
func (m *Machine) Exec(ctx context.Context, cmd agent.Command) (agent.Exit, error) {
	if m.agent == nil {
		return agent.Exit{}, errNoAgent
	}
	ctx, cancel := m.alive(ctx)
	defer cancel()
	exit, err := m.agent.Exec(ctx, cmd)
	if errors.Is(err, agent.ErrReset) && m.gone() {
		err = fmt.Errorf("run %q in the guest: %w", cmd.Argv, ErrEnded)
	}
	return exit, err
}

// ExitError is a command of the guest's that ended with another code than 0.
type ExitError struct {
	Argv   []string
	Exit   agent.Exit
	Stderr string
}

func (e *ExitError) Error() string {
	s := fmt.Sprintf("in the guest, %q: exit code %d", e.Argv, e.Exit.Code)
	if e.Exit.TimedOut {
		s += " (timed out)"
	}
	if e.Stderr != "" {
		s += ": " + e.Stderr
	}
	return s
}

// Output runs a command in the guest and returns its standard output; an exit
// code other than 0 is an *ExitError.
func (m *Machine) Output(ctx context.Context, argv ...string) (string, error) {
	var out, errs bytes.Buffer
	exit, err := m.Exec(ctx, agent.Command{Argv: argv, Stdout: &out, Stderr: &errs})
	if err != nil {
		return out.String(), err
	}
	if exit.Code != 0 {
		return out.String(), &ExitError{Argv: argv, Exit: exit, Stderr: strings.TrimSpace(errs.String())}
	}
	return out.String(), nil
}

// tailWriter keeps the last words of QEMU itself.
type tailWriter struct {
	mu  sync.Mutex
	buf []byte
}

func (w *tailWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	if len(w.buf) > 8192 {
		w.buf = append(w.buf[:0], w.buf[len(w.buf)-4096:]...)
	}
	return len(p), nil
}

func (w *tailWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.buf))
}
