// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
)

// started is a build that has come to the middle of its work.
type started struct {
	*exec.Cmd
	end   func(error) outcome
	lines chan string // the rest of its standard error
}

// start runs a build until it prints a line that begins with until.
func (w *world) start(until string, args ...string) *started {
	w.t.Helper()
	cmd, end := w.buildCommand(args...)
	r, out := io.Pipe()
	cmd.Stderr = io.MultiWriter(cmd.Stderr, out)
	s := &started{Cmd: cmd, end: end, lines: make(chan string, 1000)}
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			s.lines <- lines.Text()
		}
		close(s.lines)
	}()
	w.must(cmd.Start())
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = out.Close()
	})
	for {
		select {
		case line := <-s.lines:
			if strings.HasPrefix(line, until) {
				return s
			}
		case <-time.After(time.Minute):
			w.t.Fatalf("the build does not come to %q", until)
		}
	}
}

// second is the process in the private mount namespace.
func (s *started) second(w *world) int {
	w.t.Helper()
	pid := s.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	w.must(err)
	// The thread that forked need not be the first.
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	w.must(err)
	for _, task := range tasks {
		more, _ := os.ReadFile(task)
		text = append(append(text, ' '), more...)
	}
	for word := range strings.FieldsSeq(string(text)) {
		if child, err := strconv.Atoi(word); err == nil {
			return child
		}
	}
	w.t.Fatal("there is no second process")
	return 0
}

// settled waits for what the kernel frees in the background.
func (w *world) settled() {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); w.devices() != nil && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
}

func TestInterrupts(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal syscall.Signal
		until  string
	}{
		{"INT while hooks run", syscall.SIGINT, "hook 3 of"},
		{"TERM while packages are installed", syscall.SIGTERM, "install packages"},
		{"HUP while the disk is made", syscall.SIGHUP, "partition and format"},
		{"INT while the node is sealed", syscall.SIGINT, "seal node"},
	} {
		if signal.Ignored(c.signal) {
			continue // under nohup, and what is ignored stays so
		}
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.system()
			w.must(os.WriteFile(w.path("out", "atlas.raw"), []byte("mine"), 0o644))
			before := w.snapshot()
			s := w.start(c.until, "--force")
			w.must(s.Process.Signal(c.signal))
			began := time.Now()
			o := s.end(s.Wait())
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v to stop", took)
			}
			w.refused(before, o, 130, "interrupted", "")
		})
	}
}

func TestInterruptAtATerminalReachesTheBuildOnce(t *testing.T) {
	testkit.NeedTool(t, "script")
	w := newWorld(t)
	w.system()
	before := w.snapshot()
	// script(1) gives it a terminal; ^C typed there is a signal to the group.
	line := fmt.Sprintf("stty cols 100 rows 30; exec %s image build %s --output %s", w.binary, w.manifest(), w.path("out", "atlas"))
	cmd := exec.Command("script", "--quiet", "--return", "--command", line, os.DevNull)
	cmd.Env = append(slices.Clone(w.env), "TERM=xterm")
	keys, err := cmd.StdinPipe()
	w.must(err)
	screen, err := cmd.StdoutPipe()
	w.must(err)
	w.must(cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var text strings.Builder
	typed := false
	buf := make([]byte, 4096)
	for {
		n, err := screen.Read(buf)
		text.Write(buf[:n])
		if !typed && strings.Contains(text.String(), "install packages") {
			typed = true
			_, err := keys.Write([]byte{3})
			w.must(err)
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	plain := regexp.MustCompile("\x1b\\[[0-9;]*[a-zA-Z]").ReplaceAllString(text.String(), "")
	for _, want := range []string{"✓ partition and format", "install packages  [", "%", "error: ", "interrupted"} {
		if !strings.Contains(plain, want) {
			t.Errorf("the terminal shows no %q:\n%q", want, text.String())
		}
	}
	if strings.Count(text.String(), "interrupted") != 1 {
		t.Errorf("more than one says that it was interrupted:\n%q", text.String())
	}
	if after := w.snapshot(); !slices.Equal(before, after) {
		t.Errorf("left: %v", after)
	}
}

// TestKilledBuild: a kill cannot be answered. No mount and no loop device stay
// all the same, and the next build clears the files away.
func TestKilledBuild(t *testing.T) {
	w := newWorld(t)
	w.system()
	w.formats = []string{"raw", "qcow2"}
	s := w.start("install packages")
	second := s.second(w)
	w.must(syscall.Kill(second, syscall.SIGKILL))
	if o := s.end(s.Wait()); o.code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d:\n%s", o.code, o.stderr)
	}
	w.settled()
	w.nothingLeft()
	if len(w.snapshot()) <= 2 {
		t.Fatal("the kill came too late to test anything")
	}

	// A working folder that somebody else holds is not touched.
	foreign := w.path("work", "rastos-build-held")
	w.must(os.Mkdir(foreign, 0o700))
	lock, err := os.Create(filepath.Join(foreign, "lock"))
	w.must(err)
	defer lock.Close()
	w.must(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	// Nor is one that anybody could have put there.
	w.must(os.Mkdir(w.path("work", "rastos-build-others"), 0o700))
	w.must(os.Chown(w.path("work", "rastos-build-others"), 65534, 65534))
	w.must(os.Symlink(w.path("cache"), w.path("work", "rastos-build-link")))

	w.packages = append(w.packages, "nothing-like-it")
	o := w.build()
	if o.code != 4 || !strings.Contains(o.stderr, "which a killed build left") {
		t.Errorf("exit code %d:\n%s", o.code, o.stderr)
	}
	var left []string
	for _, pattern := range []string{"work/*", "out/*", "out/.*"} {
		found, err := filepath.Glob(w.path(pattern))
		w.must(err)
		for _, f := range found {
			left = append(left, filepath.Base(f))
		}
	}
	if want := []string{"rastos-build-held", "rastos-build-link", "rastos-build-others"}; !slices.Equal(left, want) {
		t.Errorf("there are %v, want %v", left, want)
	}
}

// TestKilledFirstProcess: the second one cleans up when the first is gone.
func TestKilledFirstProcess(t *testing.T) {
	w := newWorld(t)
	w.system()
	before := w.snapshot()
	s := w.start("install packages")
	second := s.second(w)
	w.must(s.Process.Kill())
	for end := time.Now().Add(20 * time.Second); syscall.Kill(second, 0) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the second process goes on")
		}
	}
	w.settled()
	if after := w.snapshot(); !slices.Equal(before, after) {
		t.Errorf("left: %v", after)
	}
}

// TestOneBuildOfAnImageAtATime also looks that its mounts do not show outside.
func TestOneBuildOfAnImageAtATime(t *testing.T) {
	w := newWorld(t)
	w.system()
	s := w.start("install packages")
	mine, err := os.ReadFile("/proc/self/mountinfo")
	w.must(err)
	its, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", s.second(w)))
	w.must(err)
	if strings.Contains(string(mine), w.path("work")) || !strings.Contains(string(its), w.path("work")) {
		t.Errorf("mounts here:\n%s\nand there:\n%s", mine, its)
	}
	o := w.build()
	if o.code != 10 || !strings.Contains(o.stderr, fmt.Sprintf("held by process %d", s.second(w))) || !strings.Contains(o.stderr, "hint: ") {
		t.Errorf("a second build: exit code %d:\n%s", o.code, o.stderr)
	}
	// Another image is no matter, and nor is the first one's folder.
	w.packages = append(w.packages, "nothing-like-it")
	if o := w.build("--output", w.path("out", "other")); o.code != 4 {
		t.Errorf("another image: exit code %d:\n%s", o.code, o.stderr)
	}
	if o := s.end(s.Wait()); o.code != 0 {
		t.Errorf("the first build: exit code %d:\n%s", o.code, o.stderr)
	}
	if found, _ := filepath.Glob(w.path("out", "*")); len(found) != 1 {
		t.Errorf("there are %v", found)
	}
	if found, _ := filepath.Glob(w.path("out", ".*")); len(found) != 0 {
		t.Errorf("there are %v", found)
	}
}
