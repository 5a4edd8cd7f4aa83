// SPDX-License-Identifier: GPL-3.0-or-later

package run_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

func procsWith(arg string) (pids []string) {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range list {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte("sleep\x00"+arg)) {
			pids = append(pids, filepath.Base(filepath.Dir(f)))
		}
	}
	return pids
}

func TestCancelEndsEverything(t *testing.T) {
	for name, script := range map[string]string{
		"willing": "sleep 96.132", "deaf": "trap '' TERM INT; sleep 96.132; sleep 96.132; sleep 96.132",
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t) // a killed run leaves its mount points
			cause := errors.New("the person pressed Ctrl-C")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(200*time.Millisecond, func() { cancel(cause) })
			start := time.Now()
			_, err := run.InRoot{Grace: 300 * time.Millisecond}.Run(ctx, root, []string{"/bin/sh", "-c", script}, nil, nil)
			if !errors.Is(err, cause) {
				t.Errorf("error %v, want the cause", err)
			}
			if d := time.Since(start); d > 4*time.Second {
				t.Errorf("it took %v", d)
			}
			if pids := procsWith("96.132"); len(pids) > 0 {
				t.Errorf("processes %v survived", pids)
			}
			if names := entries(t, root); names != "bin usr" && name == "willing" {
				t.Errorf("the tree has %q afterwards", names)
			}
		})
	}
}

// TestNothingSurvivesAKilledParent kills the process that called InRoot, as
// the kernel does when memory runs out: nobody is left to clean up.
func TestNothingSurvivesAKilledParent(t *testing.T) {
	root := newTree(t)
	before := mountinfo(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(exe)
	parent.Env = append(os.Environ(), helperRoot+"="+root)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if line := make([]byte, 6); true {
		if _, err := io.ReadFull(out, line); err != nil || string(line) != "ready\n" {
			t.Fatalf("the helper said %q, %v", line, err)
		}
	}
	if len(procsWith("94.134")) == 0 {
		t.Fatal("the program does not run: nothing would be tested")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(3 * time.Second); len(procsWith("94.134")) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("processes %v survived", procsWith("94.134"))
		}
	}
	if after := mountinfo(t); after != before {
		t.Errorf("mounts of the host changed:\n%s", after)
	}
}

func TestRefusedNamespacesAreNamed(t *testing.T) {
	root := newTree(t)
	setpriv := testkit.NeedTool(t, "setpriv")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(setpriv, "--bounding-set=-sys_admin", exe)
	cmd.Env = append(os.Environ(), helperRoot+"="+root)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "*run.NamespaceError" {
		t.Errorf("got %q, %v; want a NamespaceError", out, err)
	}
	ne := &run.NamespaceError{}
	if ne.ExitCode() != 8 || ne.Hint() == "" {
		t.Errorf("exit code %d, hint %q", ne.ExitCode(), ne.Hint())
	}
}

func TestMountsOfTheProgramStayInside(t *testing.T) {
	root := newTree(t)
	before := mountinfo(t)
	sh(t, run.InRoot{}, root, "mkdir /mnt && mount -t tmpfs none /mnt && mkdir /mnt/x && mount -t tmpfs none /mnt/x")
	if after := mountinfo(t); after != before {
		t.Errorf("mounts of the host changed:\n%s\nbefore:\n%s", after, before)
	}
	if names := entries(t, filepath.Join(root, "mnt")); names != "" {
		t.Errorf("/mnt holds %q", names)
	}
}

func mountinfo(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHostileTreeCannotDirectMountsToTheHost(t *testing.T) {
	root := newTree(t)
	outside := t.TempDir()
	for _, name := range []string{"proc", "sys", "dev", "run", "tmp"} {
		if err := os.Symlink(filepath.Join(outside, name), filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := run.InRoot{}.Run(t.Context(), root, []string{"/bin/sh", "-c", "true"}, nil, nil)
	var se *run.SetupError
	if !errors.As(err, &se) {
		t.Errorf("error %v, want a SetupError", err)
	}
	if names := entries(t, outside); names != "" {
		t.Errorf("outside now holds %q", names)
	}
}
