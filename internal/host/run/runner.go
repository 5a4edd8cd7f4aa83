// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// defaultGrace is how long a program has between TERM and KILL.
const defaultGrace = 5 * time.Second

// Runner runs host programs. The zero value is ready for use.
type Runner struct {
	// Env is the environment of all programs; nil means this process's own.
	Env []string
	// KeepLocale leaves LC_ALL as it is. Without it, LC_ALL=C is set, so
	// that output can be parsed and messages read the same everywhere.
	KeepLocale bool
	// Grace is the time between TERM and KILL after a cancel; 0 means 5 s.
	Grace time.Duration
}

// Command is one program to run.
type Command struct {
	Argv []string
	Dir  string
	// Env is added to (and overrides) the runner's environment.
	Env    []string
	Stdin  io.Reader // nil: /dev/null
	Stdout io.Writer // nil: captured into Result.Stdout
	Stderr io.Writer // nil: only the last lines are kept, for the error
	// ExtraFiles become descriptors 3, 4, … of the program.
	ExtraFiles []*os.File
}

// Result is what a program left behind.
type Result struct {
	Stdout  []byte // empty when Command.Stdout was given
	Code    int    // exit code; 128+n when signal n ended it
	Elapsed time.Duration
}

// Run runs a program and waits for it. A program that ends with another code
// than 0 is an *ExitError, one that is not there a *MissingError. When ctx
// ends first, the process group gets TERM, after the grace KILL, and the error
// is the context's cause.
func (r Runner) Run(ctx context.Context, c Command) (Result, error) {
	p, err := r.Start(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return p.Wait()
}

// Output runs a program and returns what it wrote to its standard output.
func (r Runner) Output(ctx context.Context, argv ...string) ([]byte, error) {
	res, err := r.Run(ctx, Command{Argv: argv})
	return res.Stdout, err
}

// Process is a program that runs.
type Process struct {
	argv    []string
	cmd     *exec.Cmd
	ctx     context.Context
	stdout  *bytes.Buffer
	stderr  *tail
	grace   time.Duration
	started time.Time

	done chan struct{} // closed when err and code are set
	err  error
}

// Start starts a program and returns at once; Wait must be called. The program
// also ends (TERM) when this process dies.
func (r Runner) Start(ctx context.Context, c Command) (*Process, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("run: an empty argument vector")
	}
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("run %s: %w", c.Argv[0], err)
	}
	env := r.environ(c.Env)
	path, err := lookPath(c.Argv[0], env)
	if err != nil {
		return nil, err
	}
	p := &Process{argv: c.Argv, ctx: ctx, stderr: &tail{}, grace: r.Grace, done: make(chan struct{})}
	if p.grace == 0 {
		p.grace = defaultGrace
	}
	p.cmd = exec.Command(path)
	p.cmd.Args = c.Argv
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdin, p.cmd.ExtraFiles = c.Dir, env, c.Stdin, c.ExtraFiles
	p.cmd.Stdout = c.Stdout
	if c.Stdout == nil {
		p.stdout = &bytes.Buffer{}
		p.cmd.Stdout = p.stdout
	}
	p.connectStderr(c)
	p.cmd.WaitDelay = p.grace
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	startErr := make(chan error)
	go p.run(startErr)
	if err := <-startErr; err != nil {
		return nil, fmt.Errorf("run %s: %w", c.Argv[0], err)
	}
	return p, nil
}

// connectStderr keeps the last lines for the error beside the caller's writer.
// The same writer for both streams stays one pipe, so that their order is kept.
func (p *Process) connectStderr(c Command) {
	switch {
	case c.Stderr == nil:
		p.cmd.Stderr = p.stderr
	case c.Stdout != nil && sameWriter(c.Stdout, c.Stderr):
		both := io.MultiWriter(c.Stderr, p.stderr)
		p.cmd.Stdout, p.cmd.Stderr = both, both
	default:
		p.cmd.Stderr = io.MultiWriter(c.Stderr, p.stderr)
	}
}

// sameWriter compares without the panic that uncomparable types give.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return a == b
}

// run starts the program and waits for it on one locked thread: the kernel
// sends the parent-death signal when the thread that forked ends, not the process.
func (p *Process) run(startErr chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		startErr <- err
		return
	}
	startErr <- nil
	ended := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { p.watch(ended) })
	p.err = p.cmd.Wait()
	close(ended)
	watcher.Wait()
	close(p.done)
}

// watch ends the process group when the context ends.
func (p *Process) watch(ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-p.ctx.Done():
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	timer := time.NewTimer(p.grace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
	// Also after the leader is gone: a child of it may have ignored TERM.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
}

// Pid is the process id, which is also the process group's.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process alone.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end. It may be called more than once.
func (p *Process) Wait() (Result, error) {
	<-p.done
	res := Result{Elapsed: time.Since(p.started)}
	if p.stdout != nil {
		res.Stdout = p.stdout.Bytes()
	}
	if p.cmd.ProcessState != nil {
		res.Code = exitCode(p.cmd.ProcessState.Sys().(syscall.WaitStatus))
	}
	if p.err == nil {
		return res, nil
	}
	if cause := context.Cause(p.ctx); cause != nil {
		return res, fmt.Errorf("run %s: %w", p.argv[0], cause)
	}
	if res.Code != 0 {
		return res, &ExitError{Argv: p.argv, Code: res.Code, Stderr: p.stderr.String()}
	}
	// The program itself was well; a child that it left kept the pipe open.
	if errors.Is(p.err, exec.ErrWaitDelay) {
		return res, nil
	}
	return res, fmt.Errorf("run %s: %w", p.argv[0], p.err)
}

func exitCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

func (r Runner) environ(extra []string) []string {
	env := r.Env
	if env == nil {
		env = os.Environ()
	}
	env = append([]string(nil), env...)
	if !r.KeepLocale {
		env = append(env, "LC_ALL=C", "LANGUAGE=")
	}
	return append(env, extra...) // exec keeps the last of equal names
}

// LookPath finds a host program as Run would, or returns a *MissingError.
func (r Runner) LookPath(name string) (string, error) { return lookPath(name, r.environ(nil)) }

// lookPath searches the PATH of env and then the sbin directories, which a
// plain `su` on Debian leaves out of PATH although mkfs and sgdisk live there.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if err := executable(name); err != nil {
			return "", &MissingError{Program: name, Err: err}
		}
		return name, nil
	}
	path := ""
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	dirs := append(filepath.SplitList(path), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue
		}
		if full := filepath.Join(dir, name); executable(full) == nil {
			return full, nil
		}
	}
	return "", &MissingError{Program: name, Err: exec.ErrNotFound}
}

func executable(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.IsDir() || st.Mode()&0o111 == 0 {
		return os.ErrPermission
	}
	return nil
}
