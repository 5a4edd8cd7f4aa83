// SPDX-License-Identifier: GPL-3.0-or-later

package run_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

// newTree makes a system tree out of nothing but a static busybox.
func newTree(t testing.TB) string {
	t.Helper()
	testkit.NeedRoot(t)
	box := testkit.NeedTool(t, "busybox")
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("usr/bin", filepath.Join(root, "bin")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(box)
	if err != nil {
		t.Fatal(err)
	}
	if bin, err := elf.NewFile(bytes.NewReader(data)); err != nil || bin.Section(".interp") != nil {
		t.Fatalf("%s is no static program (Debian: busybox-static): %v", box, err)
	}
	if err := os.WriteFile(filepath.Join(root, "usr/bin/busybox"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, applet := range strings.Fields("sh cat ls mount umount id env ps sleep wc grep ip hostname readlink stat date kill setsid touch mkdir") {
		if err := os.Symlink("busybox", filepath.Join(root, "usr/bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func sh(t *testing.T, c run.InRoot, root, script string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code, err := c.Run(t.Context(), root, []string{"/bin/sh", "-c", script}, nil, &out)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out.String())
	}
	return out.String(), code
}

func TestProgramSeesItsOwnSystem(t *testing.T) {
	root := newTree(t)
	for _, c := range []struct{ name, script, want string }{
		{"working directory", "pwd", "/\n"},
		{"umask", "umask", "0022\n"},
		{"it is not PID 1", "test $$ -gt 1 && test $PPID -eq 1 && echo so", "so\n"},
		{"only it and PID 1 in /proc", "set -- /proc/[0-9]*; echo $#", "2\n"},
		{"standard input is empty", "cat; echo end", "end\n"},
		{"both streams are read", "echo a; echo b >&2", "a\nb\n"},
		{"null", "echo x > /dev/null; cat /dev/null", ""},
		{"no disk in /dev", "ls /dev", "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n"},
		{"run and tmp are empty", "ls -A /run /tmp", "/run:\n\n/tmp:\n"},
		{"sys is read-only", "touch /sys/kernel/x 2>/dev/null || echo refused", "refused\n"},
		{"sysctls are read-only", "(echo 1 > /proc/sys/vm/drop_caches) 2>/dev/null || echo refused", "refused\n"},
		{"PATH finds programs", "id -u", "0\n"},
		{"only the loopback is there", "ip -o link | wc -l", "1\n"},
		{"the loopback is up", "ip -o link show lo | grep -c 'LOOPBACK,UP'", "1\n"},
		{"environment", "env | grep -v SHLVL", "HOME=/root\nLC_ALL=C\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\n"},
		{"old root is gone", "grep -c ' / / ' /proc/self/mountinfo; ls / ", "0\nbin\ndev\nproc\nrun\nsys\ntmp\nusr\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := sh(t, run.InRoot{}, root, c.script); sorted(got) != sorted(c.want) {
				t.Errorf("%s:\ngot  %q\nwant %q", c.script, got, c.want)
			}
		})
	}
	if names := entries(t, root); names != "bin usr" {
		t.Errorf("the tree has %q afterwards; want it as it was", names)
	}
}

func sorted(s string) string {
	lines := strings.Split(s, "\n")
	// env prints in no fixed order
	for i := range lines {
		for j := i + 1; j < len(lines); j++ {
			if lines[j] < lines[i] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestExitCodes(t *testing.T) {
	root := newTree(t)
	for script, want := range map[string]int{"true": 0, "exit 7": 7, "kill -9 $$": 137,
		// To a script, its parent is the package manager, which goes on.
		"kill -INT $PPID; sleep 0.1; exit 3": 3, "kill -HUP $PPID; sleep 0.1; exit 3": 3} {
		if _, code := sh(t, run.InRoot{}, root, script); code != want {
			t.Errorf("%s: exit code %d, want %d", script, code, want)
		}
	}
}

func TestStandardInputReachesTheProgram(t *testing.T) {
	root := newTree(t)
	var out bytes.Buffer
	_, err := run.InRoot{}.Run(t.Context(), root, []string{"cat"}, strings.NewReader("usr/bin/a\nusr/bin/b"), &out)
	if err != nil || out.String() != "usr/bin/a\nusr/bin/b" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestProgramThatReadsNothingFromABigStandardInput(t *testing.T) {
	root := newTree(t)
	in := io.LimitReader(zeros{}, 8<<20)
	if code, err := (run.InRoot{}).Run(t.Context(), root, []string{"/bin/sh", "-c", "exit 3"}, in, nil); code != 3 || err != nil {
		t.Errorf("got %d, %v; want 3", code, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestDaemonsEndWithTheProgram(t *testing.T) {
	root := newTree(t)
	start := time.Now()
	sh(t, run.InRoot{}, root, "setsid sleep 97.131 >/dev/null 2>&1 & setsid sleep 97.131 & exit 0")
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("it took %v: a daemon kept it", d)
	}
	if pids := procsWith("97.131"); len(pids) > 0 {
		t.Errorf("processes %v survived", pids)
	}
}

// TestReadOnlyTree is a sealed node: it has its mount points and takes nothing.
func TestReadOnlyTree(t *testing.T) {
	root := newTree(t)
	at := t.TempDir()
	bind := func() {
		for _, flags := range []uintptr{unix.MS_BIND, unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY} {
			if err := unix.Mount(root, at, "", flags, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	bind()
	_, err := run.InRoot{}.Run(t.Context(), at, []string{"true"}, nil, nil)
	var se *run.SetupError
	if !errors.As(err, &se) || !errors.Is(err, unix.EROFS) || se.Hint() == "" {
		t.Errorf("without mount points: %v", err)
	}
	for _, name := range []string{"proc", "sys", "dev", "run", "tmp"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := sh(t, run.InRoot{}, at, "touch /tmp/x && echo x > /dev/null && (touch /x 2>/dev/null || echo refused)"); got != "refused\n" {
		t.Errorf("got %q", got)
	}
}

func TestFilesOfARunAreGoneAfterIt(t *testing.T) {
	root := newTree(t)
	var out bytes.Buffer
	files := map[string][]byte{"/tmp/alpm_abc/.INSTALL": []byte("echo sourced")}
	_, err := run.InRoot{}.RunWithFiles(t.Context(), root, files, []string{"/bin/sh", "-c", ". /tmp/alpm_abc/.INSTALL"}, nil, &out)
	if err != nil || out.String() != "sourced\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if names := entries(t, root); names != "bin usr" {
		t.Errorf("the tree has %q afterwards", names)
	}
}

func TestNetworkIsTheHostsWhenAllowed(t *testing.T) {
	root := newTree(t)
	want, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := sh(t, run.InRoot{Network: true}, root, "readlink /proc/self/ns/net"); strings.TrimSpace(got) != want {
		t.Errorf("network namespace %q, want the host's %q", got, want)
	}
	if got, _ := sh(t, run.InRoot{}, root, "readlink /proc/self/ns/net"); strings.TrimSpace(got) == want {
		t.Errorf("the host's network without asking for it")
	}
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	host, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Logf("not all is tested: %v", err)
		return
	}
	for _, link := range []string{"", "../run/systemd/resolve/stub-resolv.conf", "/run/x/resolv.conf"} {
		conf := filepath.Join(root, "etc/resolv.conf")
		if link != "" {
			if err := os.Symlink(link, conf); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := sh(t, run.InRoot{Network: true}, root, "cat /etc/resolv.conf"); got != string(host) {
			t.Errorf("link %q: resolv.conf is %q", link, got)
		}
		if link != "" {
			if err := os.Remove(conf); err != nil {
				t.Fatal(err)
			}
		} else if _, err := os.Lstat(conf); err == nil {
			t.Error("an empty resolv.conf was left in the tree")
		}
	}
}

func TestMissingProgramInTree(t *testing.T) {
	root := newTree(t)
	_, err := run.InRoot{}.Run(t.Context(), root, []string{"/usr/bin/nothing"}, nil, nil)
	var ee *run.ExecError
	if !errors.As(err, &ee) || !errors.Is(err, os.ErrNotExist) || ee.Hint() == "" {
		t.Errorf("error %v, want an ExecError with ENOENT and a hint", err)
	}
	if _, err := (run.InRoot{}).Run(t.Context(), filepath.Join(root, "nowhere"), []string{"sh"}, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a root that is not there: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	root := newTree(t)
	for _, name := range []string{"proc", "sys", "dev", "run", "tmp"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	errs := make(chan error)
	for range 6 {
		go func() {
			code, err := run.InRoot{}.Run(t.Context(), root, []string{"/bin/sh", "-c", "sleep 0.1"}, nil, nil)
			if err == nil && code != 0 {
				err = errors.New("exit code")
			}
			errs <- err
		}()
	}
	for range 6 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkInRoot(b *testing.B) {
	root := newTree(b)
	for b.Loop() {
		if _, err := (run.InRoot{}).Run(b.Context(), root, []string{"/bin/sh", "-c", ":"}, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
