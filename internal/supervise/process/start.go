// SPDX-License-Identifier: GPL-3.0-or-later

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what to start.
type Command struct {
	Argv           []string // Argv[0] is looked for in PATH of Env, unless it is a path
	Env            []string
	User, Group    string // empty: those of this process
	Stdout, Stderr *os.File
	Notify         int       // the descriptor of the process that tells of readiness, or NoNotify
	NotifySocket   string    // path of the socket that is made for sd_notify(3); empty: none
	Cgroup         *Cgroup   // to start it in; nil: that of this process
	Children       *Children // among which it is; nil: nobody reaps others
}

// NoNotify is the Notify of what does not tell when it is ready by a descriptor.
const NoNotify = -1

// Process is one that runs, or did.
type Process struct {
	os     *os.Process
	cgroup *Cgroup
	notify *socket
	ended  chan struct{}
	state  *os.ProcessState
	ready  chan struct{}
	tell   sync.Once
}

// Start starts a process.
func Start(c Command) (*Process, error) {
	path, err := lookUp(c.Argv[0], c.Env)
	if err != nil {
		return nil, err
	}
	credential, err := credentials(c.User, c.Group)
	if err != nil {
		return nil, err
	}
	p := &Process{cgroup: c.Cgroup, ended: make(chan struct{}), ready: make(chan struct{})}
	env := c.Env
	if c.NotifySocket != "" {
		if p.notify, err = listen(c.NotifySocket, credential); err != nil {
			return nil, err
		}
		env = append(env[:len(env):len(env)], "NOTIFY_SOCKET="+c.NotifySocket)
	}
	if err := p.start(c, path, env, credential); err != nil {
		p.notify.close()
		return nil, fmt.Errorf("start %s: %w", c.Argv[0], err)
	}
	go p.wait(c.Children)
	if p.notify != nil {
		go p.notify.serve(p.isReady)
	}
	return p, nil
}

func (p *Process) start(c Command, path string, env []string, credential *syscall.Credential) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	files := []*os.File{null, c.Stdout, c.Stderr}
	if c.Notify >= 0 {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer w.Close()
		for len(files) <= c.Notify {
			files = append(files, nil) // closed there
		}
		files[c.Notify] = w
		defer func() { go p.watch(r) }() // when the process is there, or will never be
	}
	attr := &syscall.SysProcAttr{Setpgid: true, Credential: credential}
	if c.Cgroup != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(c.Cgroup.dir.Fd())
	}
	p.os, err = c.Children.start(func() (*os.Process, error) {
		return os.StartProcess(path, c.Argv, &os.ProcAttr{Env: env, Files: files, Sys: attr})
	})
	return err
}

// wait notes how the process ended.
func (p *Process) wait(children *Children) {
	state, err := p.os.Wait()
	children.ended(p.PID())
	if err == nil {
		p.state = state
	}
	close(p.ended)
}

// settle is how long a process has to end after it has closed the descriptor that
// it should have told on.
const settle = 50 * time.Millisecond

// watch waits for a byte, or for the end, on the descriptor of readiness. An end
// because the process is gone tells of nothing.
func (p *Process) watch(r *os.File) {
	defer r.Close()
	n, err := r.Read(make([]byte, 1))
	if p.os == nil {
		return
	}
	if n == 0 && errors.Is(err, io.EOF) {
		select {
		case <-p.ended:
			return
		case <-time.After(settle):
		}
	}
	p.isReady()
}

func (p *Process) isReady() { p.tell.Do(func() { close(p.ready) }) }

// PID is its number.
func (p *Process) PID() int { return p.os.Pid }

// Ready is closed when the process has told that it is ready.
func (p *Process) Ready() <-chan struct{} { return p.ready }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Status is what the process says of itself by sd_notify(3).
func (p *Process) Status() string { return p.notify.said() }

// Exit is how the process ended; after Ended is closed.
func (p *Process) Exit() (code int, signal syscall.Signal) {
	if p.state == nil {
		return -1, 0 // somebody else has reaped it
	}
	if ws, ok := p.state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 0, ws.Signal()
	}
	return p.state.ExitCode(), 0
}

// Signal sends a signal to the process alone, by its name ("SIGTERM"). A process
// that has ended gets none.
func (p *Process) Signal(name string) error {
	n := unix.SignalNum(name)
	if n == 0 {
		return fmt.Errorf("there is no signal %q", name)
	}
	if err := p.os.Signal(n); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to process %d: %w", name, p.PID(), err)
	}
	return nil
}

// Kill ends the process and what came from it.
func (p *Process) Kill() error {
	err := p.os.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return errors.Join(err, p.killRest())
}

// killRest ends the process group and the cgroup.
func (p *Process) killRest() error {
	select {
	case <-p.ended:
		return errors.Join(killGroup(p.PID()), p.cgroup.kill())
	default:
	}
	err := unix.Kill(-p.PID(), unix.SIGKILL)
	if errors.Is(err, unix.ESRCH) { // it is about to be seen that it has ended
		err = nil
	}
	return errors.Join(err, p.cgroup.kill())
}

// Sweep ends what the process has left behind after it has ended itself.
func (p *Process) Sweep() error {
	p.notify.close()
	return p.killRest()
}

// Release frees what was kept for a process that was swept. It waits until all of
// it is gone.
func (p *Process) Release() error { return p.cgroup.remove() }

// lookUp finds a program.
func lookUp(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, v := range env {
		list, is := strings.CutPrefix(v, "PATH=")
		if !is {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && unix.Access(path, unix.X_OK) == nil && filepath.IsAbs(path) {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("there is no program %q in PATH", name)
}
