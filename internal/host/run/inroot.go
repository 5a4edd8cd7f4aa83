// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childName is the argv[0] that makes this program the PID 1 of InRoot.
const childName = "rastos-inroot"

// defaultPath is the PATH inside a tree.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// InRoot runs programs inside a system tree. The zero value is ready for use.
type InRoot struct {
	// Network leaves the program in the host's network, with the host's
	// resolv.conf. Without it there is a loopback interface and nothing else.
	Network bool
	// Hostname is what the program sees; empty leaves the host's.
	Hostname string
	// Env is added to the clean environment (PATH, HOME, LC_ALL=C).
	Env []string
	// Grace is the time between TERM and KILL after a cancel; 0 means 5 s.
	Grace time.Duration
}

// spec is what the parent tells the child.
type spec struct {
	Root     string
	Argv     []string
	Env      []string
	Network  bool
	Hostname string
	Files    map[string][]byte // absolute path → content
	Keep     bool              // the root is the running system's own: no pivot, no fresh mounts
	Terminal bool              // the program gets one of its own, whose master goes to the parent
	Size     *unix.Winsize     // of that; nil: unknown
}

// streams are what a program is spoken to by.
type streams struct {
	stdin    io.Reader
	output   io.Writer
	terminal *os.File // where the master of a terminal is to be sent; nil: none is made
	size     *unix.Winsize
}

// failure is what the child tells the parent when a step failed.
type failure struct {
	Op    string
	Errno syscall.Errno
	Text  string
}

func (f failure) err() error {
	if f.Errno != 0 {
		return f.Errno
	}
	return errors.New(f.Text)
}

// Run runs argv inside root and waits until it and everything that it started
// is gone. Both output streams go to output (nil: nowhere). The exit code is
// the program's (128+n after signal n); err is for what kept it from running
// or cut it off: *NamespaceError, *SetupError, *ExecError, the context's cause.
//
// A tree that lacks a mount point (/proc, /sys, /dev, /run, /tmp) gets it for
// the time of the run; only such a tree must not be used by two runs at once.
func (c InRoot) Run(ctx context.Context, root string, argv []string, stdin io.Reader, output io.Writer) (int, error) {
	return c.RunWithFiles(ctx, root, nil, argv, stdin, output)
}

// RunWithFiles is Run with files put at /tmp/<dir>/<name> or /run/<dir>/<name>
// first. Both are fresh
// in every run, so that a scriptlet can be handed over without a trace in the tree.
func (c InRoot) RunWithFiles(ctx context.Context, root string, files map[string][]byte, argv []string, stdin io.Reader, output io.Writer) (int, error) {
	return c.run(ctx, root, files, argv, streams{stdin: stdin, output: output})
}

func (c InRoot) run(ctx context.Context, root string, files map[string][]byte, argv []string, with streams) (int, error) {
	if len(argv) == 0 {
		return -1, errors.New("run: an empty argument vector")
	}
	if os.Args[0] == childName {
		// The child came past MaybeChild: stop here, or it goes on for ever.
		return -1, errors.New("run: this program does not call run.MaybeChild first in main (or TestMain)")
	}
	if err := context.Cause(ctx); err != nil {
		return -1, fmt.Errorf("run %s in %s: %w", argv[0], root, err)
	}
	dir, err := filepath.Abs(root)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return -1, fmt.Errorf("run %s in %s: %w", argv[0], root, err)
	}
	s := spec{
		Root: dir, Argv: argv, Network: c.Network, Hostname: c.Hostname, Files: files, Keep: dir == "/", Terminal: with.terminal != nil, Size: with.size,
		Env: append([]string{"PATH=" + defaultPath, "HOME=/root", "LC_ALL=C", "SHLVL=1"}, c.Env...),
	}
	grace := c.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	type outcome struct {
		code int
		err  error
	}
	ended := make(chan outcome)
	go func() {
		// The parent-death signal belongs to the forking thread: keep it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		code, err := s.run(ctx, grace, with)
		ended <- outcome{code, err}
	}()
	o := <-ended
	return o.code, o.err
}

func (s spec) run(ctx context.Context, grace time.Duration, with streams) (int, error) {
	specR, specW, err := os.Pipe()
	if err != nil {
		return -1, fmt.Errorf("run in %s: %w", s.Root, err)
	}
	defer specW.Close()
	statusR, statusW, err := os.Pipe()
	if err != nil {
		specR.Close()
		return -1, fmt.Errorf("run in %s: %w", s.Root, err)
	}
	defer statusR.Close()

	cmd := s.command(ctx, grace)
	cmd.ExtraFiles = []*os.File{specR, statusW}
	if with.terminal != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, with.terminal)
	}
	cmd.Stdin = with.stdin
	if output := with.output; output != nil {
		// Never the caller's own descriptor: what runs in the tree shall not
		// hold (or, being a terminal, type into) anything of the host.
		w := struct{ io.Writer }{output}
		cmd.Stdout, cmd.Stderr = &w, &w
	}
	err = cmd.Start()
	specR.Close()
	statusW.Close()
	if err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) {
			return -1, &NamespaceError{Root: s.Root, Err: err}
		}
		return -1, fmt.Errorf("run in %s: %w", s.Root, err)
	}
	sent := make(chan error, 1)
	go func() {
		err := json.NewEncoder(specW).Encode(s)
		specW.Close()
		sent <- err
	}()
	failed := make(chan []failure, 1)
	go func() {
		var all []failure
		for dec := json.NewDecoder(statusR); ; {
			var f failure
			if dec.Decode(&f) != nil {
				failed <- all
				return
			}
			all = append(all, f)
		}
	}()
	waitErr := cmd.Wait()
	<-sent
	return s.result(ctx, cmd, waitErr, <-failed)
}

func (s spec) command(ctx context.Context, grace time.Duration) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{childName}
	cmd.Env = []string{"GOTRACEBACK=none"}
	cmd.Dir = "/"
	flags := uintptr(syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS)
	if !s.Network {
		flags |= syscall.CLONE_NEWNET
	}
	// A session of its own: Ctrl-C at the terminal is for rastOS to handle,
	// and nothing inside gets a controlling terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Setsid: true, Pdeathsig: syscall.SIGKILL}
	// TERM reaches everything inside through PID 1; the KILL after WaitDelay
	// takes PID 1, and the kernel the rest of its namespace.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	return cmd
}

func (s spec) result(ctx context.Context, cmd *exec.Cmd, waitErr error, failed []failure) (int, error) {
	if cause := context.Cause(ctx); cause != nil && waitErr != nil {
		return -1, fmt.Errorf("run %s in %s: %w", s.Argv[0], s.Root, cause)
	}
	if len(failed) > 0 {
		f := failed[0]
		return -1, s.setupError(f)
	}
	if cmd.ProcessState == nil {
		return -1, fmt.Errorf("run %s in %s: %w", s.Argv[0], s.Root, waitErr)
	}
	code := exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus))
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) && !errors.Is(waitErr, exec.ErrWaitDelay) {
		return code, fmt.Errorf("run %s in %s: %w", s.Argv[0], s.Root, waitErr)
	}
	return code, nil
}

func (s spec) setupError(f failure) error {
	err := f.err()
	switch {
	case f.Op == execOp:
		return &ExecError{Root: s.Root, Program: s.Argv[0], Err: err}
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return &NamespaceError{Root: s.Root, Err: fmt.Errorf("%s: %w", f.Op, err)}
	default:
		return &SetupError{Root: s.Root, Op: f.Op, Err: err}
	}
}
