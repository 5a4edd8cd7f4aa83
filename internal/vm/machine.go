// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/rastos/rastos/internal/agent"
)

// Process is a program that runs. It ends with this process.
type Process interface {
	Pid() int
	Signal(os.Signal) error
	Done() <-chan struct{}
	// Wait waits for the end; an exit code other than 0 is also an error.
	Wait() (exitCode int, err error)
}

// Starter starts a program; what it prints goes to output. The program is
// ended when ctx is.
type Starter func(ctx context.Context, argv []string, output io.Writer) (Process, error)

// Host is where machines run.
type Host struct {
	start  Starter
	random io.Reader

	mu     sync.Mutex
	probed bool
	verdict
}

// NewHost returns a host; random (crypto/rand.Reader) names the sessions of
// the agent's channel.
func NewHost(start Starter, random io.Reader) *Host { return &Host{start: start, random: random} }

// Machine is a virtual machine that was started.
type Machine struct {
	cfg    Config
	accel  Accel
	dir    string
	proc   Process
	output *tailWriter
	qmp    *qmp
	serial *serial
	agent  *agent.Client
	conns  []net.Conn
	done   chan struct{}
	cancel context.CancelFunc

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every event
	resets  int
	reason  string // of the shutdown
	cpu     time.Duration
}

const startTimeout = 30 * time.Second

// Start starts a machine. It runs until it ends by itself, Kill is called or
// ctx ends; nothing of it is left on the host then, except UEFI.State.
func (h *Host) Start(ctx context.Context, cfg Config) (*Machine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	accel := cfg.Accel
	if accel == "" || accel == Auto {
		accel, _ = h.Accel(ctx)
	}
	dir, err := socketDir(cfg.TempDir)
	if err != nil {
		return nil, err
	}
	m := &Machine{
		cfg: cfg, accel: accel, dir: dir, output: &tailWriter{},
		done: make(chan struct{}), changed: make(chan struct{}),
	}
	ctx, m.cancel = context.WithCancel(ctx)
	if err := m.launch(ctx, h); err != nil {
		m.cancel()
		if m.proc != nil {
			<-m.proc.Done()
		}
		m.release()
		return nil, fmt.Errorf("start the machine %s: %w", orDefault(cfg.Name, "rastos"), err)
	}
	go func() {
		<-m.proc.Done()
		m.release()
		m.cancel()
		close(m.done)
	}()
	return m, nil
}

// socketDir makes the machine's folder. A path of a socket has 107 bytes at
// most, so that a deep temporary folder is no place for it.
func socketDir(under string) (string, error) {
	if len(filepath.Join(orDefault(under, os.TempDir()), "rastos-vm-0123456789/serial.sock")) > 107 {
		under = "/tmp"
	}
	dir, err := os.MkdirTemp(under, "rastos-vm-")
	if err != nil {
		return "", fmt.Errorf("make the machine's folder: %w", err)
	}
	return dir, nil
}

// launch runs QEMU and waits for it to connect to its sockets.
func (m *Machine) launch(life context.Context, h *Host) error {
	ctx, cancel := context.WithTimeoutCause(life, startTimeout, errors.New("QEMU did not connect in time"))
	defer cancel()
	f := files{
		qmp:    filepath.Join(m.dir, "qmp.sock"),
		serial: filepath.Join(m.dir, "serial.sock"),
		agent:  filepath.Join(m.dir, "agent.sock"),
	}
	if m.cfg.UEFI != nil {
		var err error
		if f.code, f.vars, err = m.cfg.UEFI.prepare(m.dir); err != nil {
			return err
		}
	}
	paths := []string{f.qmp, f.serial}
	if !m.cfg.NoAgent {
		paths = append(paths, f.agent)
	}
	var listeners []net.Listener
	for _, path := range paths {
		l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
		if err != nil {
			return fmt.Errorf("make a socket for QEMU: %w", err)
		}
		defer l.Close()
		listeners = append(listeners, l)
	}
	proc, err := h.start(life, m.cfg.argv(m.accel, f), m.output)
	if err != nil {
		return err
	}
	m.proc = proc
	for _, l := range listeners {
		conn, err := m.accept(ctx, l)
		if err != nil {
			return err
		}
		m.conns = append(m.conns, conn)
	}
	m.serial = newSerial(m.conns[1], m.cfg.Serial)
	if !m.cfg.NoAgent {
		m.agent = agent.NewClient(m.conns[2], h.random)
	}
	m.qmp, err = newQMP(ctx, m.conns[0], m.event)
	if err != nil && m.gone() {
		return m.ended() // a disk that is not there, an option that is unknown
	}
	return err
}

// gone says whether QEMU has ended, where a socket that it closed hints at it.
func (m *Machine) gone() bool {
	select {
	case <-m.proc.Done():
		return true
	case <-time.After(500 * time.Millisecond):
		return false
	}
}

// accept waits for QEMU's connection, or for its end.
func (m *Machine) accept(ctx context.Context, l net.Listener) (net.Conn, error) {
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-finished:
			return
		case <-m.proc.Done():
		case <-ctx.Done():
		}
		_ = l.Close()
	}()
	conn, err := l.Accept()
	if err == nil {
		return conn, nil
	}
	select {
	case <-m.proc.Done():
		return nil, m.ended()
	default:
		return nil, orDefault(context.Cause(ctx), err)
	}
}

// ended is the error of a QEMU that is gone.
func (m *Machine) ended() error {
	_, err := m.proc.Wait()
	if err == nil {
		err = errors.New("QEMU has ended")
	}
	return &GuestError{Err: err, Console: m.output.String()}
}

// release closes and removes what the machine had.
func (m *Machine) release() {
	for _, c := range m.conns {
		_ = c.Close()
	}
	if m.serial != nil {
		<-m.serial.ended
	}
	_ = os.RemoveAll(m.dir)
}

// Done is closed when the machine has ended and nothing of it is left.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Wait waits for the machine's end. A machine that powered off is no error.
func (m *Machine) Wait(ctx context.Context) error {
	select {
	case <-m.done:
		_, err := m.proc.Wait()
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the machine's end: %w", context.Cause(ctx))
	}
}

// Kill pulls the plug and waits until the machine is gone.
func (m *Machine) Kill() {
	m.sampleCPU()
	_ = m.proc.Signal(syscall.SIGKILL)
	<-m.done
}

// PowerDown presses the power button; the guest decides what follows.
func (m *Machine) PowerDown(ctx context.Context) error {
	return m.qmp.do(ctx, "system_powerdown", nil)
}

// Reset presses the reset button.
func (m *Machine) Reset(ctx context.Context) error { return m.qmp.do(ctx, "system_reset", nil) }

// pressAgain is how long the guest has to react to the power button: one that
// is still starting up does not hear it.
const pressAgain = 5 * time.Second

// Shutdown presses the power button, again and again, and waits; when ctx ends
// it pulls the plug.
func (m *Machine) Shutdown(ctx context.Context) error {
	for {
		if err := m.PowerDown(ctx); err != nil {
			return m.pull(err)
		}
		select {
		case <-m.done:
			return m.Wait(ctx)
		case <-time.After(pressAgain):
		case <-ctx.Done():
			return m.pull(fmt.Errorf("wait for the machine's end: %w", context.Cause(ctx)))
		}
	}
}

// pull ends a machine that did not end by itself; one that did is fine.
func (m *Machine) pull(err error) error {
	select {
	case <-m.done:
		return nil
	default:
		m.Kill()
		return err
	}
}

// Accel is what the machine runs on: KVM or TCG.
func (m *Machine) Accel() Accel { return m.accel }

// SerialText is the last 64 KiB and more of what the console printed.
func (m *Machine) SerialText() string { return m.serial.text() }
