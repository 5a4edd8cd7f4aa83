// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/tools/debrepo/aptget"
	"github.com/rastos/rastos/tools/debrepo/pkglist"
)

// deb makes a Debian package with dpkg-deb.
func deb(t *testing.T, control string, files map[string]string, links map[string]string) aptget.Deb {
	t.Helper()
	program := testkit.NeedTool(t, "dpkg-deb")
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	at := func(name string) string {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := control + "Architecture: amd64\nMaintainer: A <a@b>\nDescription: a sample\n"
	files["DEBIAN/control"] = text
	for name, content := range files {
		mode := os.FileMode(0o644)
		if strings.Contains(name, "bin/") || name == "DEBIAN/postinst" {
			mode = 0o755
		}
		if err := os.WriteFile(at(name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "x.deb")
	if text, err := exec.Command(program, "--root-owner-group", "--build", tree, out).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v: %s", err, text)
	}
	return aptget.Deb{Name: control, Path: out}
}

// samples are packages whose files meet after the merge of /usr.
func samples(t *testing.T) []aptget.Deb {
	return []aptget.Deb{
		deb(t, "Package: tools\nVersion: 1:1.0~rc1-2\nDepends: editor-a | editor, gone | shell\nReplaces: editor-b\n", map[string]string{
			"bin/tool": "#!/bin/sh\n", "usr/sbin/admin": "#!/bin/sh\n", "etc/tools.conf": "x=1\n",
			"DEBIAN/conffiles": "/etc/tools.conf\n", "usr/share/doc/tools/README": "read me\n", "lib/tools/data": "d\n",
			"usr/bin/shared": "tools\n",
		}, map[string]string{"sbin/tool": "../bin/tool", "usr/bin/adm": "../sbin/admin", "lib64/data": "/lib/tools/data"}),
		deb(t, "Package: editor-b\nVersion: 2.0-1+b1\nProvides: editor\nConflicts: editor-b\n", map[string]string{
			"usr/bin/ed-b": "#!/bin/sh\n", "usr/bin/shared": "editor\n",
			"DEBIAN/postinst": "#!/bin/sh\nupdate-alternatives --install /usr/bin/editor editor /usr/bin/ed-b 10\n",
		}, nil),
		deb(t, "Package: shell\nVersion: 0.5\n", map[string]string{"usr/bin/shell": "#!/bin/sh\n"}, map[string]string{"bin/sh": "shell"}),
		deb(t, "Package: linux-image-6.1.0-1-cloud-amd64\nVersion: 6.1.5-1\n", map[string]string{
			"boot/vmlinuz-6.1.0-1-cloud-amd64": "kernel", "boot/config-6.1.0-1-cloud-amd64": "CONFIG=y\n",
			"lib/modules/6.1.0-1-cloud-amd64/kernel/a.ko": "module",
		}, nil),
	}
}

// assemble converts packages without asking apt for them.
func assemble(t *testing.T, debs []aptget.Deb, list *pkglist.List, opt options) string {
	t.Helper()
	opt.out, opt.jobs = filepath.Join(t.TempDir(), "repo"), 2
	opt.key = filepath.Join(t.TempDir(), "test.key")
	if opt.name == "" {
		opt.name = "test"
	}
	b := &build{options: opt, list: list, log: io.Discard}
	if err := os.MkdirAll(opt.out, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if opt.sign {
		if b.signer, err = b.loadKey(); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []func() error{
		b.prepare,
		func() error { return b.convert(t.Context(), debs) },
		b.locals,
		func() error { return b.publish(t.Context()) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return opt.out
}

// guest is an empty root with a pacman that knows one repository.
type guest struct {
	t      *testing.T
	root   string
	config []string
}

func newGuest(t *testing.T, root, repository, name string) *guest {
	t.Helper()
	testkit.NeedRoot(t)
	testkit.NeedTool(t, "pacman")
	dir := t.TempDir()
	level := "Never"
	if _, err := os.Stat(filepath.Join(repository, name+".pub")); err == nil {
		level = "Required"
	}
	config := fmt.Sprintf("[options]\nArchitecture = x86_64\nSigLevel = %s\n[%s]\nServer = file://%s\n", level, name, repository)
	file := filepath.Join(dir, "pacman.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, root: root, config: []string{
		"--root", root, "--config", file, "--cachedir", filepath.Join(dir, "cache"), "--gpgdir", filepath.Join(dir, "gnupg"), "--noconfirm",
	}}
	for _, sub := range []string{"cache", "gnupg"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib/pacman"), 0o755); err != nil {
		t.Fatal(err)
	}
	if level == "Required" {
		g.trust(filepath.Join(dir, "gnupg"), filepath.Join(repository, name+".pub"))
	}
	return g
}

// trust enters the repository's key into a keyring as a person would.
func (g *guest) trust(home, key string) {
	g.t.Helper()
	gpg := testkit.NeedTool(g.t, "gpg")
	run := func(stdin string, args ...string) string {
		cmd := exec.Command(gpg, append([]string{"--homedir", home, "--batch", "--no-autostart"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			g.t.Fatalf("gpg %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	run("", "--import", key)
	for _, line := range strings.Split(run("", "--with-colons", "--list-keys"), "\n") {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			run(fields[9]+":6:\n", "--import-ownertrust")
			return
		}
	}
	g.t.Fatal("the public key has no fingerprint")
}

// pacman runs pacman and returns its output without warnings.
func (g *guest) pacman(args ...string) string {
	g.t.Helper()
	var out, warnings strings.Builder
	cmd := exec.Command("pacman", append(args, g.config...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &out, &warnings
	if err := cmd.Run(); err != nil {
		g.t.Fatalf("pacman %v: %v\n%s%s", args, err, &out, &warnings)
	}
	return out.String()
}

// verify has pacman check what it installed: dependencies, and every file
// against .MTREE. Files that people change (backup) may differ.
func (g *guest) verify() {
	g.t.Helper()
	g.pacman("-Dk")
	for _, line := range strings.Split(g.pacman("-Qkk"), "\n") {
		if line != "" && !strings.HasSuffix(line, " 0 altered files") && !strings.HasPrefix(line, "backup file: ") {
			g.t.Error(line)
		}
	}
}

// TestPacmanInstallsSamples is the whole way with small packages.
func TestPacmanInstallsSamples(t *testing.T) {
	list := &pkglist.List{
		Packages: []string{"set, so that the folder is cleared"},
		Rename:   map[string]string{"linux-image-*-amd64": "linux"},
		Local: []pkglist.Local{{
			Name: "extra", Version: "1.0-1", Depends: []string{"tools"}, Install: "post_install() {\n\t:\n}\n",
			Files: []pkglist.File{{Path: "usr/bin/extra", Mode: "0755", Content: "#!/bin/sh\n"}, {Path: "usr/bin/more", Link: "extra"}},
		}},
	}
	repository := assemble(t, samples(t), list, options{sign: true, trim: true, level: "fast"})
	root := filepath.Join(t.TempDir(), "root")
	g := newGuest(t, root, repository, "test")
	g.pacman("-Sy")
	g.pacman("-S", "extra", "linux", "editor-b", "filesystem")
	g.verify()

	want := "editor-b 2.0-1+b1\nextra 1.0-1\nfilesystem 1.0-1\nlinux 6.1.5-1\nshell 0.5-1\ntools 1:1.0rc1-2\n"
	if got := g.pacman("-Q"); got != want {
		t.Errorf("installed:\n%swant:\n%s", got, want)
	}
	for name, target := range map[string]string{
		"usr/bin/sh": "shell", "usr/bin/adm": "admin", "usr/bin/editor": "ed-b", "usr/lib/data": "/lib/tools/data",
		"usr/sbin": "bin", "lib64": "usr/lib", "usr/bin/more": "extra",
	} {
		if got, err := os.Readlink(filepath.Join(root, name)); err != nil || got != target {
			t.Errorf("%s leads to %q, %v; want %q", name, got, err, target)
		}
	}
	for name, content := range map[string]string{
		"usr/lib/modules/6.1.0-1-cloud-amd64/vmlinuz": "kernel",
		"usr/lib/modules/6.1.0-1-cloud-amd64/pkgbase": "linux\n",
		"usr/bin/tool":   "#!/bin/sh\n",
		"usr/bin/shared": "editor\n", // the first by name of the two that have it
		"lib/tools/data": "d\n",
	} {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != content {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, content)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "usr/share/doc/tools/README")); err == nil {
		t.Error("documentation in a trimmed repository")
	}
	if info := g.pacman("-Qii", "tools"); !strings.Contains(info, "/etc/tools.conf") || !strings.Contains(info, "editor  shell") {
		t.Errorf("tools: %s", info)
	}
}

// TestAdditionsReplaceAPackage adds a newer version to a finished repository.
func TestAdditionsReplaceAPackage(t *testing.T) {
	out := filepath.Join(t.TempDir(), "repo")
	add := func(version int, more ...string) error {
		local := fmt.Sprintf("name=hello,version=%d.0-1,tree=%s", version, "../../profiles")
		return run(t.Context(), append([]string{"--local", local, "--out", out, "--name", "x", "--sign"}, more...), io.Discard)
	}
	for _, version := range []int{1, 2} {
		if err := add(version); err != nil {
			t.Fatal(err)
		}
		g := newGuest(t, filepath.Join(t.TempDir(), "root"), out, "x")
		g.pacman("-Sy")
		if got, want := g.pacman("-Sl", "x"), fmt.Sprintf("x hello %d.0-1\n", version); got != want {
			t.Errorf("the repository has %q, want %q", got, want)
		}
	}
	if err := add(3, "--key", filepath.Join(t.TempDir(), "other.key")); err == nil {
		t.Error("packages of another key were added")
	}
}

func TestSamePackagesGiveTheSameBytes(t *testing.T) {
	debs := samples(t)
	list := &pkglist.List{Packages: []string{"any"}, Local: []pkglist.Local{{Name: "extra", Version: "1-1", Tree: "convert/additions"}}}
	sums := make(map[string]string)
	for range 2 {
		out := assemble(t, debs, list, options{level: "fast"})
		names, err := filepath.Glob(filepath.Join(out, "*.pkg.tar.zst"))
		if err != nil || len(names) != len(debs)+2 {
			t.Fatalf("%v, %v", names, err)
		}
		for _, name := range append(names, filepath.Join(out, "test.db.tar.gz")) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sum := fmt.Sprintf("%x", sha256.Sum256(data))
			if last, ok := sums[filepath.Base(name)]; ok && last != sum {
				t.Errorf("%s differs", filepath.Base(name))
			}
			sums[filepath.Base(name)] = sum
		}
	}
}

// TestForeignDirectoriesStay makes sure that no packages of others are deleted.
func TestForeignDirectoriesStay(t *testing.T) {
	out := t.TempDir()
	foreign := filepath.Join(out, "mine-1-1-any.pkg.tar.zst")
	if err := os.WriteFile(foreign, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &build{options: options{out: out, name: "x"}, list: &pkglist.List{Packages: []string{"a"}}, log: io.Discard}
	if err := b.prepare(); err == nil {
		t.Error("a directory with packages of others was taken")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, args := range []string{
		"", "--out x", "--out x --list y", "--out x --local name=a,version=1-1", "--out x --list y --cache z --level best",
		"--out x --list y --cache z --jobs 0", "--out x --list y --cache z more", "--wrong",
	} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}
