// SPDX-License-Identifier: GPL-3.0-or-later

package run_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/host/mount"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

// helperApart is the variable that makes this test program run itself apart.
const helperApart = "RASTOS_TEST_APART"

// apartHelper mounts a tmpfs on dir where the host does not see it, and ends
// with 40 and the number of the signal that it got.
func apartHelper(dir string) int {
	exe, _ := os.Executable()
	code, ran, err := run.Apart()
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	if ran {
		return code
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := mount.Mount("apart", dir, "tmpfs", ""); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	_, marked := os.LookupEnv("RASTOS_APART")
	fmt.Println("ready", os.Getpid(), marked, exe)
	n := int((<-signals).(syscall.Signal))
	select {
	case <-signals:
		fmt.Println("error: a second signal")
		return 2
	case <-time.After(200 * time.Millisecond):
	}
	_ = os.WriteFile(dir+".end", nil, 0o600)
	return 40 + n
}

func startApart(t *testing.T, dir string) (first *exec.Cmd, second int) {
	t.Helper()
	first = exec.Command("/proc/self/exe")
	first.Env = append(os.Environ(), helperApart+"="+dir)
	second, _ = await(t, first)
	return first, second
}

// await starts the first process; once the second one is ready it returns its
// id and the path that it has for its program.
func await(t *testing.T, first *exec.Cmd) (second int, exe string) {
	t.Helper()
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Process.Kill(); _ = first.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	marked := true
	if _, err := fmt.Sscanf(line, "ready %d %t %s", &second, &marked, &exe); err != nil || marked {
		t.Fatalf("it says %q, %v", line, err)
	}
	return second, exe
}

func TestApartPassesOnSignalsAndTheExitCode(t *testing.T) {
	testkit.NeedRoot(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(s) {
			continue // under nohup, and what is ignored stays so
		}
		dir := t.TempDir()
		first, second := startApart(t, dir)
		if is, err := mount.IsMountPoint(dir); err != nil || is {
			t.Errorf("the mount shows here: %v, %v", is, err)
		}
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", second))
		if err != nil || !strings.Contains(string(table), " "+dir+" ") {
			t.Errorf("there is no mount there: %v", err)
		}
		if err := first.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = first.Wait()
		if code := first.ProcessState.ExitCode(); code != 40+int(s) {
			t.Errorf("signal %v: exit code %d", s, code)
		}
	}
}

func TestApartTellsOfAKill(t *testing.T) {
	testkit.NeedRoot(t)
	first, second := startApart(t, t.TempDir())
	if err := syscall.Kill(second, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	if code := first.ProcessState.ExitCode(); code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d", code)
	}
}

// TestApartEndsOnceWithTheFirst: one TERM, not one for each thread of the
// parent, or a clean-up would be cut off.
func TestApartEndsOnceWithTheFirst(t *testing.T) {
	testkit.NeedRoot(t)
	for range 3 {
		dir := filepath.Join(t.TempDir(), "mnt")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		first, second := startApart(t, dir)
		if err := first.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(dir + ".end")
		for began := time.Now(); err != nil; _, err = os.Stat(dir + ".end") {
			if time.Since(began) > 5*time.Second {
				t.Fatalf("process %d did not come to its end: %v", second, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func TestApartStopsAndContinues(t *testing.T) {
	testkit.NeedRoot(t)
	first, second := startApart(t, t.TempDir())
	state := func(pid int) string {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(text), ") ")
		return rest[:1]
	}
	until := func(want string) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			stopped := state(first.Process.Pid) == "T" && state(second) == "T"
			running := state(first.Process.Pid) != "T" && state(second) != "T"
			if want == "stopped" && stopped || want == "running" && running {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("they are not %s: %s and %s", want, state(first.Process.Pid), state(second))
			}
		}
	}
	_ = first.Process.Signal(syscall.SIGTSTP)
	until("stopped")
	_ = first.Process.Signal(syscall.SIGCONT)
	until("running")
	_ = first.Process.Signal(syscall.SIGTERM)
	_ = first.Wait()
	if code := first.ProcessState.ExitCode(); code != 40+int(syscall.SIGTERM) {
		t.Errorf("exit code %d", code)
	}
}

// TestApartInAPlainChroot: the root of a chroot is no mount point, and what
// the kernel says of a program's path there leads outside.
func TestApartInAPlainChroot(t *testing.T) {
	testkit.NeedRoot(t)
	root, name := t.TempDir(), "program"
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, name), self, 0o755); err != nil {
		t.Fatal(err)
	}
	mounts := 0
	on := func(dir, source, fstype, options string) {
		t.Helper()
		mounts++
		dir = filepath.Join(root, dir)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := mount.Mount(source, dir, fstype, options); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := mount.Release(dir, time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	on("proc", "proc", "proc", "")
	for _, dir := range []string{"usr", "lib", "lib64"} { // its libraries
		if target, err := os.Readlink("/" + dir); err == nil {
			_ = os.Symlink(target, filepath.Join(root, dir))
		} else if _, err := os.Stat("/" + dir); err == nil {
			on(dir, "/"+dir, "", "bind,ro")
		}
	}
	if err := os.Mkdir(filepath.Join(root, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	first := exec.Command("/" + name)
	first.Dir = "/dir"
	first.Env = append(os.Environ(), helperApart+"=/dir")
	first.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if _, exe := await(t, first); exe != "/"+name {
		t.Errorf("it runs %q", exe)
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Count(string(table), " "+root) != mounts {
		t.Errorf("its mounts show here: %v\n%s", err, table)
	}
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	if code := first.ProcessState.ExitCode(); code != 40+int(syscall.SIGTERM) {
		t.Errorf("exit code %d", code)
	}
}
