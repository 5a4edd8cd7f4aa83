// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/internal/host/mount"
)

// apartMark is set in the environment of the second process, to the first
// one's process id.
const apartMark = "RASTOS_APART"

// lifelineFD is a pipe whose other end only the first process holds: its end
// tells the second that the first is gone. The kernel's parent-death signal
// will not do: it comes once for each thread of the parent, and the second
// signal would cut off the clean-up that the first one asked for.
const lifelineFD = 3

// ApartError is a kernel, or a container around us, that gives no mount
// namespace.
type ApartError struct{ Err error }

func (e *ApartError) Error() string {
	return fmt.Sprintf("go on in a mount namespace of its own: %v", e.Err)
}
func (e *ApartError) Unwrap() error { return e.Err }

// ExitCode is the class "missing privilege".
func (e *ApartError) ExitCode() int {
	if errors.Is(e.Err, fs.ErrPermission) {
		return 8
	}
	return 1
}

// Hint says what to do.
func (e *ApartError) Hint() string {
	if errors.Is(e.Err, fs.ErrPermission) {
		return "run as root; inside a container it needs CAP_SYS_ADMIN (docker/podman: --privileged)"
	}
	return ""
}

// Apart runs this very command line again in a mount namespace of its own and
// passes signals on to it. What is mounted there never shows on the host, and
// the kernel takes it away with the last process in it, even after a kill;
// what the host mounts and unmounts meanwhile is seen there. Below the root of
// a chroot, os.Executable is right only before this call.
//
// In the first process it returns when the second has ended: ran is true and
// code is the exit code to end with. In the second it returns at once, and
// ran is false: the caller goes on.
func Apart() (code int, ran bool, err error) {
	if os.Getenv(apartMark) == strconv.Itoa(os.Getppid()) {
		return 0, false, enterApart()
	}
	lifeline, mine, err := os.Pipe()
	if err != nil {
		return 0, false, &ApartError{err}
	}
	defer mine.Close()
	defer lifeline.Close()
	cmd := exec.Command(self(), os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), apartMark+"="+strconv.Itoa(os.Getpid()))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{lifeline} // lifelineFD there
	// In a process group of its own, ^C reaches it once, through the first.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Setpgid: true}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn()...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, false, &ApartError{err}
	}
	ended := make(chan struct{})
	go passOn(signals, cmd.Process, ended)
	err = cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitCode(exit.Sys().(syscall.WaitStatus)), true, nil
	}
	return 0, true, err
}

// self is this program's file. In the new namespace /proc/self/exe still names
// one of the old, whose path means nothing there below the root of a chroot;
// but only that finds a program that was replaced since it began.
func self() string {
	const link = "/proc/self/exe"
	path, err := os.Executable()
	if err != nil {
		return link
	}
	mine, err := os.Stat(link)
	if err != nil {
		return path
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
		return link
	}
	return path
}

// enterApart is the second process's part.
func enterApart() error {
	// For what it runs the mark means nothing.
	if err := os.Unsetenv(apartMark); err != nil {
		return &ApartError{err}
	}
	if err := mount.KeepOwn(unix.MS_SLAVE); err != nil {
		return &ApartError{err}
	}
	unix.CloseOnExec(lifelineFD)
	lifeline := os.NewFile(lifelineFD, "lifeline")
	go func() {
		if _, err := lifeline.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
			_ = unix.Kill(os.Getpid(), unix.SIGTERM)
		}
	}()
	return nil
}

// passedOn lists the signals that are for the second process. One that was
// ignored from the start (nohup) stays ignored, in both.
func passedOn() []os.Signal {
	list := []os.Signal{syscall.SIGTERM, syscall.SIGTSTP, syscall.SIGCONT}
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// passOn sends signals on until the second process has ended. ^Z stops both,
// as the person who typed it knows of one only.
func passOn(signals <-chan os.Signal, second *os.Process, ended <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if s != syscall.SIGTSTP {
				_ = second.Signal(s)
				continue
			}
			_ = second.Signal(syscall.SIGSTOP)
			_ = unix.Kill(os.Getpid(), unix.SIGSTOP) // until SIGCONT, which is passed on, too
		case <-ended:
			return
		}
	}
}
