// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/mtree"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

const pkgbuild = `pkgname=sample
pkgver=2.0
pkgrel=3
epoch=1
pkgdesc="A package with a bit of everything"
arch=(any)
url=https://example.org/sample
license=(MIT custom:x)
groups=(g1 g2)
conflicts=('other<2')
provides=(virtual=1)
replaces=(old)
optdepends=('extra: for more')
makedepends=()
backup=(etc/sample.conf)
install=sample.install
package() {
  install -Dm4755 /dev/stdin "$pkgdir/usr/bin/another" <<<'exit 0'
  ln "$pkgdir/usr/bin/another" "$pkgdir/usr/bin/tool"
  ln -s tool "$pkgdir/usr/bin/alias"
  install -Dm640 /dev/stdin "$pkgdir/etc/sample.conf" <<<'key = value'
  install -dm1770 "$pkgdir/var/lib/sample"
  install -Dm644 /dev/null "$pkgdir/usr/share/sample/with space #1=[x]"
}
`

// makepkgSample lets the real makepkg build a package and returns its path.
// makepkg refuses to run as root.
func makepkgSample(t *testing.T) string {
	t.Helper()
	testkit.NeedTool(t, "makepkg")
	testkit.NeedTool(t, "fakeroot")
	dir, err := os.MkdirTemp("", "makepkg-test-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.WriteFile(filepath.Join(dir, "PKGBUILD"), []byte(pkgbuild), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "sample.install"), []byte("post_install() { :; }\n"), 0o644))
	cmd := exec.Command("makepkg", "-d", "--nocolor")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=" + dir, "PKGEXT=.pkg.tar.gz", "SOURCE_DATE_EPOCH=1643730617", "PACKAGER=Nobody <nobody@example.org>"}
	if os.Geteuid() == 0 {
		const nobody = 65534
		must(t, os.Chown(dir, nobody, nobody))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("makepkg: %v\n%s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.pkg.tar.gz"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("makepkg made %v", paths)
	}
	return paths[0]
}

// TestMakepkgAndWeMakeTheSame reads what makepkg built, builds it again from
// that, and compares entry by entry.
func TestMakepkgAndWeMakeTheSame(t *testing.T) {
	path := makepkgSample(t)
	info, err := pkgfile.LoadInfo(path)
	must(t, err)
	if info.Name != "sample" || info.Version != "1:2.0-3" || !slices.Contains(info.Files, "usr/bin/tool") {
		t.Fatalf("%+v", info)
	}
	data, err := os.ReadFile(path)
	must(t, err)

	var again bytes.Buffer
	opt := pkgfile.WriterOptions{Compression: "gz", Epoch: epoch}
	w, err := pkgfile.NewWriter(&again, info, opt)
	must(t, err)
	r, err := pkgfile.NewReader(bytes.NewReader(data), pkgfile.Limits{})
	must(t, err)
	defer r.Close()
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		if !strings.HasPrefix(h.Name, ".") {
			must(t, w.Add(h, r))
		}
	}
	must(t, w.Close())

	theirs, theirText, theirOrder, err := readAll(data, pkgfile.Limits{})
	must(t, err)
	ours, ourText, ourOrder, err := readAll(again.Bytes(), pkgfile.Limits{})
	must(t, err)
	theirOrder = slices.DeleteFunc(theirOrder, func(s string) bool { return s == ".INSTALL" })
	if diff := cmp.Diff(theirOrder, ourOrder); diff != "" {
		t.Errorf("order (-makepkg +ours): %s", diff)
	}
	for name, want := range theirs {
		if strings.HasPrefix(name, ".") {
			continue
		}
		got := ours[name]
		if !sameHeader(want, got) || theirText[name] != ourText[name] {
			t.Errorf("%s: makepkg has %+v, we %+v", name, want, got)
		}
	}
	sameInfo(t, theirText[".PKGINFO"], ourText[".PKGINFO"])
	sameMtree(t, theirText[".MTREE"], ourText[".MTREE"])
}

func sameHeader(a, b tar.Header) bool {
	return a.Typeflag == b.Typeflag && a.Linkname == b.Linkname && a.Mode == b.Mode && a.Size == b.Size &&
		a.Uid == b.Uid && a.Gid == b.Gid && a.Uname == b.Uname && a.Gname == b.Gname && a.ModTime.Equal(b.ModTime)
}

func sameInfo(t *testing.T, theirs, ours string) {
	t.Helper()
	want, err := desc.DecodePKGINFO([]byte(theirs))
	must(t, err)
	got, err := desc.DecodePKGINFO([]byte(ours))
	must(t, err)
	want.XData, got.XData = nil, nil // makepkg 6 has none
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf(".PKGINFO (-makepkg +ours): %s", diff)
	}
}

func sameMtree(t *testing.T, theirs, ours string) {
	t.Helper()
	read := func(text string) map[string]mtree.Entry {
		entries, err := mtree.Decode(strings.NewReader(text))
		must(t, err)
		all := make(map[string]mtree.Entry)
		for _, e := range entries {
			if !strings.HasPrefix(e.Path, ".") {
				all[e.Path] = e
			}
		}
		return all
	}
	if diff := cmp.Diff(read(theirs), read(ours)); diff != "" {
		t.Errorf(".MTREE (-makepkg +ours): %s", diff)
	}
}
