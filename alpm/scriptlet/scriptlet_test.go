// SPDX-License-Identifier: GPL-3.0-or-later

package scriptlet_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/scriptlet"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

func TestMain(m *testing.M) {
	run.MaybeChild()
	os.Exit(m.Run())
}

// chroot is a Chroot that knows nothing of files: the scriptlet has to be in the tree.
type chroot struct{}

func (chroot) Run(ctx context.Context, root string, argv []string, stdin io.Reader, output io.Writer) (int, error) {
	cmd := exec.CommandContext(ctx, "chroot", append([]string{root}, argv...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, output, output
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// script writes what it can see of how it is run.
const script = `
say() { echo "$@" >> /log; }
say "sourced in $(pwd) umask $(umask) args $#"
# pre_install() is only mentioned here
post_install() {
	say "post_install $# $*"
	cat > /dev/null
	say "stdin is empty"
	touch /made
	return 3
}
post_upgrade() { say "post_upgrade from $2 to $1"; }
`

func tree(t *testing.T) string {
	t.Helper()
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "chroot")
	box, err := os.ReadFile(testkit.NeedTool(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, dir := range []string{"bin", "dev", "proc", "sys", "run", "tmp", "var/lib/pacman/local"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string][]byte{"bin/busybox": box, "dev/null": nil, "var/lib/pacman/local/ALPM_DB_VERSION": []byte("9\n")} {
		if err := os.WriteFile(filepath.Join(root, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, applet := range []string{"sh", "cat", "touch"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestDefines(t *testing.T) {
	for fn, want := range map[string]bool{scriptlet.PostInstall: true, scriptlet.PostUpgrade: true, scriptlet.PreInstall: false, scriptlet.PreRemove: false} {
		if got := scriptlet.Defines([]byte(script), fn); got != want {
			t.Errorf("%s: %v", fn, got)
		}
	}
}

func TestFunctionThatIsNotThereIsNotRun(t *testing.T) {
	res, err := scriptlet.Run(t.Context(), nil, "/nowhere", []byte(script), nil, scriptlet.PreRemove, "1-1")
	if err != nil || res.Ran {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestExitCodeAndOutputAreReported(t *testing.T) {
	for name, c := range map[string]scriptlet.Chroot{"handed over": run.InRoot{}, "in the tree": chroot{}} {
		t.Run(name, func(t *testing.T) {
			root := tree(t)
			var out bytes.Buffer
			res, err := scriptlet.Run(t.Context(), c, root, []byte(script+"\nset -u; echo told; echo cried >&2\n"), &out, scriptlet.PostInstall, "1-1")
			if err != nil || !res.Ran || res.Code != 3 || out.String() != "told\ncried\n" {
				t.Errorf("%+v, %v, output %q", res, err, out.String())
			}
			if list, err := os.ReadDir(filepath.Join(root, "tmp")); err != nil || len(list) != 0 {
				t.Errorf("left in /tmp: %v, %v", list, err)
			}
		})
	}
}

func TestVersionsAreNoShell(t *testing.T) {
	root := tree(t)
	if _, err := scriptlet.Run(t.Context(), run.InRoot{}, root, []byte(script), nil, scriptlet.PostUpgrade, "1:2.0~rc1-1", "1; touch /evil; '$(touch /evil)"); err != nil {
		t.Fatal(err)
	}
	if got := takeLog(t, root); !strings.HasSuffix(got, "post_upgrade from 1; touch /evil; '$(touch /evil) to 1:2.0~rc1-1\n") {
		t.Errorf("log %q", got)
	}
	if _, err := os.Lstat(filepath.Join(root, "evil")); err == nil {
		t.Error("a version was executed")
	}
}

func TestTreeWithoutAShell(t *testing.T) {
	root := tree(t)
	if err := os.Remove(filepath.Join(root, "bin/sh")); err != nil {
		t.Fatal(err)
	}
	res, err := scriptlet.Run(t.Context(), run.InRoot{}, root, []byte(script), nil, scriptlet.PostInstall, "1-1")
	if err == nil || res.Ran || !strings.Contains(err.Error(), "post_install") {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestTmpThatLeadsOutIsRefused(t *testing.T) {
	root, outside := tree(t), t.TempDir()
	if err := os.Remove(filepath.Join(root, "tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "tmp")); err != nil {
		t.Fatal(err)
	}
	if _, err := scriptlet.Run(t.Context(), chroot{}, root, []byte(script), nil, scriptlet.PostInstall, "1-1"); err == nil {
		t.Error("it ran")
	}
	if list, err := os.ReadDir(outside); err != nil || len(list) != 0 {
		t.Errorf("outside: %v, %v", list, err)
	}
}

// TestSameAsPacman has pacman install and upgrade a package with the script.
func TestSameAsPacman(t *testing.T) {
	pacman := testkit.NeedTool(t, "pacman")
	root := tree(t)
	conf := filepath.Join(root, "pacman.conf")
	if err := os.WriteFile(conf, []byte("[options]\nArchitecture = x86_64\nLocalFileSigLevel = Never\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var theirs strings.Builder
	for _, version := range []string{"1.0-1", "1:0.5-2"} {
		cmd := exec.Command(pacman, "-U", "--noconfirm", "--root", root, "--config", conf, "--dbpath", filepath.Join(root, "var/lib/pacman"),
			"--logfile", "/dev/null", "--hookdir", t.TempDir(), "--cachedir", t.TempDir(), buildPackage(t, version))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("pacman: %v\n%s", err, out)
		}
		theirs.WriteString(takeLog(t, root))
	}
	for name, c := range map[string]scriptlet.Chroot{"handed over": run.InRoot{}, "in the tree": chroot{}} {
		ours := tree(t)
		for _, call := range [][]string{{scriptlet.PreInstall, "1.0-1"}, {scriptlet.PostInstall, "1.0-1"}, {scriptlet.PreUpgrade, "1:0.5-2", "1.0-1"}, {scriptlet.PostUpgrade, "1:0.5-2", "1.0-1"}} {
			if _, err := scriptlet.Run(t.Context(), c, ours, []byte(script), nil, call[0], call[1:]...); err != nil {
				t.Fatal(err)
			}
		}
		if got := takeLog(t, ours); got != theirs.String() {
			t.Errorf("%s:\npacman %q\nours   %q", name, theirs.String(), got)
		}
	}
}

func takeLog(t *testing.T, root string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "log")); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func buildPackage(t *testing.T, version string) string {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range [][2]string{{".PKGINFO", "pkgname = p\npkgver = " + version + "\npkgdesc = x\narch = any\nsize = 1\n"}, {".INSTALL", script}} {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "p-"+version+"-any.pkg.tar")
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
