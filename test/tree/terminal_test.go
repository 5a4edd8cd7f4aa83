// SPDX-License-Identifier: GPL-3.0-or-later

package tree_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// person sits at a terminal at which a program runs.
type person struct {
	*os.File
	t    *testing.T
	seen strings.Builder
}

// sit starts a program at a terminal.
func sit(t *testing.T, cmd *exec.Cmd) *person {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { stop.Stop(); master.Close() })
	return &person{File: master, t: t}
}

// types waits for a text and then answers it.
func (p *person) types(after, answer string) {
	p.t.Helper()
	buf := make([]byte, 4096)
	for !strings.Contains(p.seen.String(), after) {
		n, err := p.Read(buf)
		p.seen.Write(buf[:n])
		if err != nil {
			p.t.Fatalf("waiting for %q: %v, after\n%s", after, err, p.seen.String())
		}
	}
	p.seen.Reset()
	if _, err := p.WriteString(answer); err != nil {
		p.t.Fatal(err)
	}
}

func TestAPersonIsAskedWhatBecomesOfAFailedShell(t *testing.T) {
	m := newMachine(t)
	for _, answer := range []string{"n\n", "y\n"} {
		cmd := m.command(t.Context(), "snapshot", "shell", "1")
		p := sit(t, cmd)
		p.types("#", "test -t 0 && hostname && echo asked > /etc/typed\n")
		p.types("node-1", "exit 3\n")
		p.types("it ended with exit code 3. Keep the changes all the same? [y/N]", answer)
		code := map[string]int{"n\n": 3, "y\n": 0}[answer]
		go func() { _, _ = p.WriteTo(&p.seen) }() // until its end
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("answered %q it ends with %d", answer, got)
		}
	}
	m.wantShape("1(0) 2(1)")
	m.want(2, "etc/typed", "asked\n")
	m.sound()
}
