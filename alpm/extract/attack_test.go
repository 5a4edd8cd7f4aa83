// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"archive/tar"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/extract"
)

// arena is a root with a sentinel beside it that no archive may touch.
func arena(t *testing.T) (root, outside string) {
	t.Helper()
	base := t.TempDir()
	root, outside = filepath.Join(base, "root"), filepath.Join(base, "outside")
	write(t, "old", root, "etc/shadow")
	write(t, "untouched", outside, "sentinel")
	return root, outside
}

func TestRefusedArchives(t *testing.T) {
	deep := strings.Repeat("d/", 2048) + "f"
	for name, entries := range map[string][]entry{
		"path goes up":                      {file("../outside/evil", "x")},
		"path goes up in the middle":        {file("usr/../../outside/evil", "x")},
		"path goes up at the end":           {dirEntry("usr/..")},
		"hidden file goes up":               {file(".x/../../outside/evil", "x")},
		"absolute path":                     {file("/outside/evil", "x")},
		"absolute directory":                {dirEntry("/")},
		"empty name":                        {file("", "x")},
		"root itself":                       {dirEntry("./")},
		"dot component evades conflicts":    {file("etc/./shadow", "x")},
		"double slash evades conflicts":     {file("etc//shadow", "x")},
		"NUL in the name":                   {file("etc/a\x00b", "x")},
		"line break forges database lines":  {file("etc/a\nb", "x")},
		"overlong name":                     {file("etc/"+strings.Repeat("n", 256), "x")},
		"overlong path":                     {file(deep, "x")},
		"character device":                  {{name: "dev/mem", typ: tar.TypeChar, mode: 0o666}},
		"block device":                      {{name: "etc/sda", typ: tar.TypeBlock, mode: 0o666}},
		"FIFO":                              {{name: "etc/fifo", typ: tar.TypeFifo, mode: 0o666}},
		"unknown type":                      {{name: "etc/odd", typ: 'Z'}},
		"file through a link of its own":    {symlink("d", "../outside"), file("d/evil", "x")},
		"file through an absolute link":     {symlink("d", "/etc"), file("d/shadow", "x")},
		"file through a deep link":          {dirEntry("a/"), symlink("a/l", ".."), file("a/l/a/l/evil", "x")},
		"link through a link":               {symlink("d", "etc"), symlink("d/evil", "x")},
		"directory through a link":          {symlink("d", "../outside"), dirEntry("d/evil")},
		"hard link through a link":          {file("f", "x"), symlink("d", "etc"), hardlink("d/evil", "f")},
		"second name of a link":             {symlink("d", "/etc"), hardlink("e", "d"), file("e/shadow", "x")},
		"link that replaces a link":         {symlink("d", "etc"), symlink("d", "../outside"), file("d/evil", "x")},
		"hard link goes up":                 {hardlink("h", "../outside/sentinel")},
		"hard link to an absolute path":     {hardlink("h", "/etc/shadow")},
		"hard link to a file of the system": {hardlink("h", "etc/shadow")},
		"hard link to nothing":              {hardlink("h", "")},
		"hard link to a directory":          {dirEntry("d"), hardlink("h", "d")},
		"hard link to itself":               {hardlink("h", "h")},
		"symbolic link to nothing":          {symlink("l", "")},
		"symbolic link with NUL":            {symlink("l", "a\x00b")},
		"metadata that is a link":           {symlink(".INSTALL", "/etc/shadow")},
		"metadata twice":                    {file(".PKGINFO", "a"), file(".PKGINFO", "b")},
	} {
		t.Run(name, func(t *testing.T) {
			root, outside := arena(t)
			before := listing(t, outside)
			r := openRoot(t, root)
			_, err := r.Package(t.Context(), &headers{list: entries}, nil)
			var he *extract.HostileError
			if !errors.As(err, &he) {
				t.Fatalf("error %v, want a HostileError", err)
			}
			if he.ExitCode() != 5 || he.Hint() == "" {
				t.Errorf("exit code %d, hint %q", he.ExitCode(), he.Hint())
			}
			if after := listing(t, outside); after != before {
				t.Errorf("outside is now\n%s", after)
			}
			if got := read(t, root, "etc/shadow"); got != "old" {
				t.Errorf("etc/shadow is now %q", got)
			}
		})
	}
}

func TestLinksOfTheRootAreFollowedInsideIt(t *testing.T) {
	for name, target := range map[string]string{
		"relative": "usr/lib", "absolute": "/usr/lib", "going up": "../../../../usr/lib",
	} {
		t.Run(name, func(t *testing.T) {
			root, outside := arena(t)
			if err := os.MkdirAll(filepath.Join(root, "usr/lib"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, filepath.Join(root, "lib")); err != nil {
				t.Fatal(err)
			}
			before := listing(t, outside)
			mustUnpack(t, openRoot(t, root), dirEntry("lib/"), dirEntry("lib/modules/"), file("lib/modules/x", "new"))
			if got := read(t, root, "usr/lib/modules/x"); got != "new" {
				t.Errorf("got %q", got)
			}
			if to, _ := os.Readlink(filepath.Join(root, "lib")); to != target {
				t.Errorf("the link is now %q", to)
			}
			if after := listing(t, outside); after != before {
				t.Errorf("outside is now\n%s", after)
			}
		})
	}
}

func TestLinkOfTheRootToTheOutsideLeadsNowhere(t *testing.T) {
	root, outside := arena(t)
	if err := os.Symlink(outside, filepath.Join(root, "d")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "sentinel"), filepath.Join(root, "f")); err != nil {
		t.Fatal(err)
	}
	before := listing(t, outside)
	r := openRoot(t, root)
	if _, err := unpack(t, r, nil, file("d/sentinel", "evil")); err == nil {
		t.Error("a file was written through a link to the outside")
	}
	mustUnpack(t, r, file("f", "replaced, not followed"))
	if after := listing(t, outside); after != before {
		t.Errorf("outside is now\n%s", after)
	}
	if got := read(t, root, "f"); got != "replaced, not followed" {
		t.Errorf("f is %q", got)
	}
}

func TestProcLinksAreNotFollowed(t *testing.T) {
	root, outside := arena(t)
	out, err := os.Open(outside)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := os.Symlink("/proc/self/root", filepath.Join(root, "r")); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(t, openRoot(t, root), nil, file("r/"+outside[1:]+"/evil", "x")); err == nil {
		t.Error("it was written")
	}
	if exists(filepath.Join(outside, "evil")) {
		t.Error("the outside was reached")
	}
}

func TestTruncatedArchiveLeavesNoHalfFile(t *testing.T) {
	root, _ := arena(t)
	whole := archive(t, file("etc/new", strings.Repeat("x", 5000)), file("etc/shadow", strings.Repeat("y", 5000)))
	for _, n := range []int{100, 1024, 3000, 5632 + 1024, 5632 + 3000, len(whole) - 1500} {
		r := openRoot(t, root)
		_, err := r.Package(t.Context(), tar.NewReader(strings.NewReader(string(whole[:n]))), nil)
		if err == nil && n < len(whole)-1024 {
			t.Errorf("%d bytes: no error", n)
		}
		if got := read(t, root, "etc/shadow"); got != "old" && len(got) != 5000 {
			t.Errorf("%d bytes: etc/shadow has %d bytes", n, len(got))
		}
		if list := listing(t, root); strings.Contains(list, ".rastos-") {
			t.Errorf("%d bytes: a temporary file is left:\n%s", n, list)
		}
	}
}
