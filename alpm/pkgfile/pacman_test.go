// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile_test

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

var epoch = time.Unix(1643730617, 0)

func sampleInfo() *desc.Package {
	return &desc.Package{
		Name: "sample", Base: "sample-base", Version: "1:2.0-3", Description: "A package with a bit of everything",
		URL: "https://example.org/sample", Arch: "any", Packager: "Nobody <nobody@example.org>",
		Licenses: []string{"MIT", "custom:x"}, Groups: []string{"g1", "g2"}, Conflicts: []string{"other<2"},
		Provides: []string{"virtual=1"}, Replaces: []string{"old"},
		OptDepends: []string{"extra: for more"}, MakeDepends: []string{"make"}, CheckDepends: []string{"check"},
		Backup: []desc.Backup{{Path: "etc/sample.conf"}},
	}
}

// netRaw is cap_net_raw=ep as the kernel keeps it.
const netRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

type entry struct {
	h    tar.Header
	data string
}

func sampleEntries() []entry {
	return []entry{
		{h: tar.Header{Typeflag: tar.TypeDir, Name: "usr/", Mode: 0o755}},
		{h: tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/tool", Mode: 0o4755}, data: "#!/bin/sh\nexit 0\n"},
		{h: tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/ping", Mode: 0o755,
			PAXRecords: map[string]string{"SCHILY.xattr.security.capability": netRaw}}, data: "ping\n"},
		{h: tar.Header{Typeflag: tar.TypeLink, Name: "usr/bin/another", Linkname: "usr/bin/tool"}},
		{h: tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/alias", Linkname: "tool"}},
		{h: tar.Header{Typeflag: tar.TypeReg, Name: "etc/sample.conf", Mode: 0o640, Gid: 7, Gname: "lp"}, data: "key = value\n"},
		{h: tar.Header{Typeflag: tar.TypeReg, Name: "usr/share/sample/with space #1=[ü]", Mode: 0o644}, data: "x"},
		{h: tar.Header{Typeflag: tar.TypeReg, Name: "usr/share/sample/empty", Mode: 0o600}},
		{h: tar.Header{Typeflag: tar.TypeDir, Name: "var/lib/sample/", Mode: 0o1770, Uid: 3, Gid: 4}},
	}
}

func writeSample(t *testing.T, info *desc.Package, entries []entry, opt pkgfile.WriterOptions) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := pkgfile.NewWriter(&buf, info, opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		h := e.h
		h.Size = int64(len(e.data))
		if err := w.Add(&h, strings.NewReader(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// pacman runs the real one on an empty root of its own.
func pacman(t *testing.T, root string, args ...string) (string, error) {
	t.Helper()
	db := filepath.Join(root, "var/lib/pacman")
	if err := os.MkdirAll(db, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(root, "pacman.conf")
	if err := os.WriteFile(conf, []byte("[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--noconfirm", "--config", conf, "--root", root, "--dbpath", db,
		"--cachedir", filepath.Join(root, "cache"), "--hookdir", filepath.Join(root, "hooks"),
		"--logfile", filepath.Join(root, "log")}, args...)
	cmd := exec.Command("pacman", args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestRealPacmanTakesOurPackage(t *testing.T) {
	testkit.NeedTool(t, "pacman")
	testkit.NeedRoot(t)
	for _, compression := range []string{"zst", "gz", "tar"} {
		t.Run(compression, func(t *testing.T) {
			root := t.TempDir()
			opt := pkgfile.WriterOptions{
				Compression: compression, Epoch: epoch,
				Install:   []byte("post_install() {\n  :\n}\n"),
				Changelog: []byte("nothing changed\n"),
			}
			file := filepath.Join(t.TempDir(), "sample.pkg.tar."+compression)
			if err := os.WriteFile(file, writeSample(t, sampleInfo(), sampleEntries(), opt), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := pacman(t, root, "-U", file); err != nil {
				t.Fatalf("pacman -U: %v\n%s", err, out)
			}
			out, err := pacman(t, root, "-Qkk", "sample")
			if err != nil || !strings.Contains(out, "0 altered files") || strings.Contains(out, "warning") {
				t.Errorf("pacman -Qkk is not clean: %v\n%s", err, out)
			}
			a, err := os.Stat(filepath.Join(root, "usr/bin/another"))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.Stat(filepath.Join(root, "usr/bin/tool"))
			if err != nil {
				t.Fatal(err)
			}
			if !os.SameFile(a, b) {
				t.Error("the hard link was installed as a file of its own")
			}
			value := make([]byte, 64)
			n, err := syscall.Getxattr(filepath.Join(root, "usr/bin/ping"), "security.capability", value)
			if err != nil || string(value[:n]) != netRaw {
				t.Errorf("capabilities: %q, %v", value[:max(n, 0)], err)
			}
			if b.Mode()&os.ModeSetuid == 0 {
				t.Errorf("setuid was lost: mode %v", b.Mode())
			}
		})
	}
}
