// SPDX-License-Identifier: GPL-3.0-or-later

package hook_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/hook"
	"github.com/rastos/rastos/internal/testkit"
)

// chroot runs programs with chroot(8), as far from our own runner as can be.
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

// hooksOfThePeerTest write their name and targets to /log.
func hooksOfThePeerTest() map[string]string {
	action := func(extra string) string {
		return "[Action]\n" + extra + "\nExec = /bin/sh -c 'echo \"== $0\" >> /log; cat >> /log' NAME\n"
	}
	trigger := func(kind, ops string, targets ...string) string {
		s := "[Trigger]\nType = " + kind + "\n"
		for _, op := range strings.Fields(ops) {
			s += "Operation = " + op + "\n"
		}
		for _, t := range targets {
			s += "Target = " + t + "\n"
		}
		return s
	}
	const pre, post = "When = PreTransaction\nNeedsTargets", "When = PostTransaction\nNeedsTargets"
	hooks := map[string]string{
		"10-files-in":     trigger("Path", "Install", "usr/*") + action(post),
		"20-files-up":     trigger("Path", "Upgrade", "usr/*") + action(post),
		"30-files-out":    trigger("Path", "Remove", "usr/*", "!usr/share/keep*") + action(post),
		"40-packages-in":  trigger("Package", "Install", "*") + action(post),
		"50-packages-up":  trigger("File", "Upgrade", "etc/*") + trigger("Package", "Upgrade", "*") + action(post),
		"60-packages-out": trigger("Package", "Remove", "*") + action(post),
		"70-pre":          trigger("Path", "Install Remove Upgrade", "*.so", "usr/share/?") + action(pre),
		"80-no-targets":   trigger("Package", "Install", "a") + action("When = PostTransaction"),
		"90-depends":      trigger("Package", "Install", "a") + action("Depends = absent\n"+post),
		"91-depends":      trigger("Package", "Install", "a") + action("Depends = a>=1\n"+post),
		"92-fails":        trigger("Package", "Install", "a") + "[Action]\nWhen = PostTransaction\nExec = /bin/false\n",
		"a-b":             trigger("Package", "Install Upgrade", "a") + action(post),
		"a":               trigger("Package", "Install Upgrade", "a") + action(post),
		"masked":          trigger("Package", "Install Upgrade", "a") + action(post),
	}
	for name, text := range hooks {
		hooks[name] = strings.ReplaceAll(text, "NAME", name)
	}
	return hooks
}

// hookRoot makes a tree with a shell and the hooks.
func hookRoot(t *testing.T) string {
	t.Helper()
	testkit.NeedTool(t, "chroot")
	box, err := os.ReadFile(testkit.NeedTool(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	put := func(name, content string, mode os.FileMode) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("bin/busybox", string(box), 0o755)
	for _, applet := range []string{"sh", "cat", "false"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range hooksOfThePeerTest() {
		put("usr/share/libalpm/hooks/"+name+".hook", text, 0o644)
	}
	put("etc/pacman.d/hooks/masked.hook", "", 0o644)
	put("var/lib/pacman/local/ALPM_DB_VERSION", "9\n", 0o644)
	put("pacman.conf", "[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n", 0o644)
	return root
}

type pkg struct {
	name, version, extra string
	files                []string
}

// build makes a package file that pacman takes.
func (p pkg) build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), p.name+"-"+p.version+"-any.pkg.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	add := func(name, body string) {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Mode, h.Typeflag = 0o755, tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	add(".PKGINFO", fmt.Sprintf("pkgname = %s\npkgver = %s\npkgdesc = x\narch = any\nsize = 1\n%s", p.name, p.version, p.extra))
	for _, name := range p.files {
		body := ""
		if !strings.HasSuffix(name, "/") {
			body = p.version
		}
		add(name, body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSameHooksAsPacman lets pacman make two transactions with hooks, and runs
// the same hooks by the lists of files.
func TestSameHooksAsPacman(t *testing.T) {
	testkit.NeedRoot(t)
	pacman := testkit.NeedTool(t, "pacman")
	a1 := pkg{"a", "1-1", "", []string{"etc/", "etc/a", "usr/", "usr/lib/", "usr/lib/liba.so", "usr/share/", "usr/share/m", "usr/share/keep-a"}}
	old := pkg{"old", "1-1", "", []string{"usr/", "usr/share/", "usr/share/o", "usr/share/given", "usr/share/keep-o"}}
	a2 := pkg{"a", "2-1", "", []string{"etc/", "etc/a", "usr/", "usr/lib/", "usr/lib/liba.so", "usr/lib/libb.so", "usr/share/", "usr/share/n"}}
	c1 := pkg{"c", "1-1", "conflict = old\nreplaces = old\n", []string{"usr/", "usr/share/", "usr/share/m", "usr/share/given", "usr/share/z"}}

	theirs, ours := hookRoot(t), hookRoot(t)
	for _, step := range []struct {
		pkgs      []pkg
		change    hook.Change
		installed string
	}{
		{[]pkg{a1, old}, hook.Change{Installed: []hook.PackageChange{{Name: "a", NewFiles: a1.files}, {Name: "old", NewFiles: old.files}}}, "a"},
		{[]pkg{a2, c1}, hook.Change{
			Installed: []hook.PackageChange{{Name: "c", NewFiles: c1.files}},
			Upgraded:  []hook.PackageChange{{Name: "a", OldFiles: a1.files, NewFiles: a2.files}},
			Removed:   []hook.PackageChange{{Name: "old", OldFiles: old.files}},
		}, "a"},
		{[]pkg{a2}, hook.Change{Upgraded: []hook.PackageChange{{Name: "a", OldFiles: a2.files, NewFiles: a2.files}}}, "a"},
	} {
		args := []string{"-U", "--noconfirm", "--ask=4", "--root", theirs, "--config", filepath.Join(theirs, "pacman.conf"), "--dbpath", filepath.Join(theirs, "var/lib/pacman"),
			"--logfile", "/dev/null", "--hookdir", filepath.Join(theirs, "etc/pacman.d/hooks"), "--cachedir", t.TempDir()}
		for _, p := range step.pkgs {
			args = append(args, p.build(t))
		}
		if out, err := exec.Command(pacman, args...).CombinedOutput(); err != nil {
			t.Fatalf("pacman: %v\n%s", err, out)
		}
		hooks, err := hook.Load(os.DirFS(ours), "usr/share/libalpm/hooks", "etc/pacman.d/hooks")
		if err != nil {
			t.Fatal(err)
		}
		e := hook.Executor{Chroot: chroot{}, Root: ours, Satisfied: func(dep string) bool { return strings.HasPrefix(dep, step.installed) && dep != "absent" }}
		for _, when := range []hook.When{hook.PreTransaction, hook.PostTransaction} {
			if _, err := e.Execute(t.Context(), hook.Select(hooks, when, step.change)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(takeLog(t, theirs), takeLog(t, ours)); diff != "" {
			t.Errorf("pacman (-) and ours (+):\n%s", diff)
		}
	}
}

func takeLog(t *testing.T, root string) string {
	t.Helper()
	path := filepath.Join(root, "log")
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		t.Fatalf("no hook wrote anything: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
