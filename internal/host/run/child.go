// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/internal/host/mount"
)

// Descriptors that the parent hands over.
const (
	specFD     = 3
	statusFD   = 4
	terminalFD = 5 // only where the program gets a terminal
)

// childFailed is the exit code of a child that could not set the tree up; the
// parent goes by the status pipe, not by this.
const childFailed = 125

// MaybeChild must be the first call of main, and of TestMain where InRoot is
// tested. In the process that InRoot started it takes over and never returns;
// everywhere else it does nothing.
func MaybeChild() {
	if len(os.Args) == 0 || os.Args[0] != childName {
		return
	}
	// Capabilities, signal mask and the fork belong to one thread.
	runtime.LockOSThread()
	unix.CloseOnExec(specFD)
	unix.CloseOnExec(statusFD)
	unix.CloseOnExec(terminalFD)
	code, err := childMain()
	if err != nil {
		reportFailure(err)
		code = childFailed
	}
	os.Exit(code)
}

// Names of steps that errors are told apart by.
const (
	execOp       = "exec"
	mountPointOp = "make the mount point "
)

// stepError is a failed step of the child.
type stepError struct {
	op  string
	err error
}

func (e *stepError) Error() string { return fmt.Sprintf("%s: %v", e.op, e.err) }

func step(op string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{op, err}
}

func reportFailure(err error) {
	f := failure{Op: "set up", Text: err.Error()}
	var se *stepError
	if errors.As(err, &se) {
		f.Op, f.Text = se.op, se.err.Error()
		errors.As(se.err, &f.Errno)
	}
	w := os.NewFile(statusFD, "status")
	_ = json.NewEncoder(w).Encode(f)
}

// childMain is PID 1 of the new namespaces. Everything else in them dies with it.
func childMain() (int, error) {
	var s spec
	in := os.NewFile(specFD, "spec")
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return 0, step("read the specification", err)
	}
	in.Close()
	syscall.Umask(0) // modes below are meant as written
	// From the start, so that a cancel during the set-up is not lost. Notify
	// also takes signals over that were ignored at start, and the runtime
	// resets all handled signals to their default in the forked child.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	if err := mount.KeepOwn(unix.MS_PRIVATE); err != nil {
		return 0, step("keep mounts apart", err)
	}
	t := &tree{spec: s}
	defer t.leave()
	if err := t.enter(); err != nil {
		return 0, err
	}
	if s.Hostname != "" {
		if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
			return 0, step("set host name", err)
		}
	}
	if !s.Network {
		loopbackUp()
	}
	dropKernelCapabilities()
	return superviseArgv(s, signals)
}

// superviseArgv runs the program as PID 2, passes TERM on, and reaps whatever
// ends meanwhile. From outside comes TERM alone; another signal is of a script
// that means its parent, which to it is the package manager, and that goes on.
func superviseArgv(s spec, signals <-chan os.Signal) (int, error) {
	path, err := lookInTree(s.Argv[0])
	if err != nil {
		return 0, step(execOp, err)
	}
	files, sys := []uintptr{0, 1, 2}, &syscall.SysProcAttr{Setpgid: true}
	if s.Terminal {
		slave, err := openTerminal(terminalFD, s.Size)
		if err != nil {
			return 0, err
		}
		defer unix.Close(slave)
		files = []uintptr{uintptr(slave), uintptr(slave), uintptr(slave)}
		sys = &syscall.SysProcAttr{Setsid: true, Setctty: true} // descriptor 0 is its terminal
	}
	var none unix.Sigset_t
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil)
	syscall.Umask(0o022)
	pid, err := syscall.ForkExec(path, s.Argv, &syscall.ProcAttr{
		Dir: "/", Env: s.Env, Files: files, Sys: sys,
	})
	if err != nil {
		return 0, step(execOp, err)
	}
	unix.Close(statusFD)
	go func() {
		for sig := range signals {
			if sig == syscall.SIGTERM {
				_ = syscall.Kill(-1, syscall.SIGTERM) // all but PID 1 itself
			}
		}
	}()
	return reap(pid)
}

// reap waits for the program, and for every orphan that ends before it.
func reap(main int) (int, error) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, step("wait", err)
		case pid == main:
			return exitCode(ws), nil
		}
	}
}

// lookInTree resolves a bare name by the tree's PATH.
func lookInTree(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(defaultPath) {
		if full := filepath.Join(dir, name); executable(full) == nil {
			return full, nil
		}
	}
	return "", syscall.ENOENT
}

// dropKernelCapabilities takes away, from everything that is executed from
// here on, what would change the running kernel of the host. A package's
// script may do anything to its tree and nothing to the machine.
func dropKernelCapabilities() {
	for _, c := range []uintptr{
		unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_SYS_BOOT, unix.CAP_SYS_TIME, unix.CAP_SYSLOG,
		unix.CAP_WAKE_ALARM, unix.CAP_AUDIT_CONTROL, unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE,
		unix.CAP_PERFMON, unix.CAP_BPF,
	} {
		// Refused without CAP_SETPCAP, unknown to an old kernel: then there is less to drop.
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
	}
}

// loopbackUp makes 127.0.0.1 work in the empty network; nothing depends on it
// strongly enough to fail for it.
func loopbackUp() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return
	}
	ifr.SetUint16(unix.IFF_UP)
	_ = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}
