// SPDX-License-Identifier: GPL-3.0-or-later

package run_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/internal/host/run"
)

// newTerminal is a terminal with a person at its other end.
func newTerminal(t *testing.T) (at run.Terminal, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(person.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 99}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close(); person.Close() })
	return run.Terminal{In: tty, Out: tty}, person
}

func TestAPersonWorksInATree(t *testing.T) {
	root := newTree(t)
	at, person := newTerminal(t)
	before, err := unix.IoctlGetTermios(int(at.In.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 1)
	go func() {
		// What is typed when something has been seen.
		script := []struct{ seen, typed string }{{"ready", "hello\n"}, {"got hello", "\x03"}, {"caught", ""}}
		var all strings.Builder
		for buf := make([]byte, 4096); len(script) > 0; {
			n, err := person.Read(buf)
			if err != nil || strings.Contains(string(buf[:n]), "the end") {
				break
			}
			all.Write(buf[:n])
			if strings.Contains(all.String(), script[0].seen) {
				_, _ = person.WriteString(script[0].typed)
				script = script[1:]
			}
		}
		seen <- all.String()
	}()
	code, err := run.InRoot{Hostname: "node-7"}.OnTerminal(t.Context(), root, []string{"/bin/sh", "-c", `
		echo tty=$(busybox tty) size=$(busybox stty size) host=$(hostname) ready
		read line
		trap "echo caught; exit 3" INT
		echo got $line
		sleep 60 & wait`}, at)
	if err != nil || code != 3 {
		t.Errorf("exit code %d, %v", code, err)
	}
	_, _ = at.Out.WriteString("the end") // also for a reader that waits still
	if got := <-seen; !strings.Contains(got, "tty=/dev/pts/0 size=33 99 host=node-7") {
		t.Errorf("it showed %q", got)
	}
	after, err := unix.IoctlGetTermios(int(at.In.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %v", err)
	}
	// What is typed from now on is for whoever asks next.
	if _, err := person.WriteString("y\n"); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 16)
	if n, err := at.In.Read(line); err != nil || string(line[:n]) != "y\n" {
		t.Errorf("read %q, %v", line[:n], err)
	}
}

func TestAProgramThatIsNotThereLeavesTheTerminalAlone(t *testing.T) {
	root := newTree(t)
	at, _ := newTerminal(t)
	if _, err := (run.InRoot{}).OnTerminal(t.Context(), root, []string{"/bin/absent"}, at); err == nil {
		t.Error("a program that is not there ran")
	}
}
