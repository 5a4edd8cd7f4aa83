// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// apartMark is set in the environment of the second process.
const apartMark = "RASTOS_APART=1"

// Apart runs this very command line again in a mount namespace of its own and
// passes signals on to it. What is mounted there never shows on the host, and
// the kernel takes it away with the process, even after a kill. again is false
// in that second process, which goes on as usual; in the first one code is the
// exit code to end with.
//
// The second process is in a process group of its own, so that ^C reaches it
// once, through the first.
func Apart() (code int, again bool, err error) {
	for _, e := range os.Environ() {
		if e == apartMark {
			return 0, false, nil
		}
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), apartMark)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Setpgid: true, Pdeathsig: syscall.SIGTERM}
	// The parent-death signal is the forking thread's: keep it to the end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, false, fmt.Errorf("start again in a private mount namespace: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s)
			case <-ended:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if st, ok := exit.Sys().(syscall.WaitStatus); ok && st.Signaled() {
			return 128 + int(st.Signal()), true, nil
		}
		return exit.ExitCode(), true, nil
	}
	return 0, true, err
}
