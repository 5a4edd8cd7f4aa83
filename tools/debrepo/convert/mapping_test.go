// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/version"
	"github.com/rastos/rastos/tools/debrepo/debian"
)

func TestVersion(t *testing.T) {
	for from, want := range map[string]string{
		"5.2.15-2+b7":         "5.2.15-2+b7",
		"1:2.38.1-5+deb12u3":  "1:2.38.1-5+deb12.u3",
		"0:1.0-1":             "1.0-1",
		"3.134":               "3.134-1",
		"1.0~rc1-1":           "1.0rc1-1",
		"1.0~2023-1":          "1.0a2023-1",
		"9.2p1-2":             "9.2.p1-2",
		"252.39-1~deb12u2":    "252.39-1deb12.u2",
		"3.1-20221030-2":      "3.1.20221030-2",
		"2.37~":               "2.37a-1",
		"1.2+dfsg~ds1-3.1+b2": "1.2+dfsgds1-3.1+b2",
	} {
		if got := Version(from); got != want {
			t.Errorf("Version(%q) = %q, want %q", from, got, want)
		}
		if desc.CheckVersion(Version(from)) != nil {
			t.Errorf("Version(%q) is not valid", from)
		}
	}
}

// Pairs where a careless mapping turns the order.
func TestVersionKeepsTheOrder(t *testing.T) {
	for _, pair := range []string{
		"1.0-5 1.0.1-1", "1.0~rc1-1 1.0-1", "1.0~rc1-9 1.0.1-1", "9.2-1 9.2p1-1", "9.2p1-1 9.2.1-1",
		"1.0-1 1.0+dfsg-1", "1.0-1~deb12u1 1.0-1", "1.0-1 1.0-1+deb12u1", "1.0-1+deb12u2 1.0-1+deb12u10",
		"1.0-1+b1 1.0-1.1", "9.0-1 1:0.1-1", "1.9-1 1.10-1", "2024a-1 2024b-1",
	} {
		older, newer, _ := strings.Cut(pair, " ")
		if debian.Compare(older, newer) >= 0 {
			t.Errorf("dpkg does not think that %s < %s", older, newer)
		}
		if version.Compare(Version(older), Version(newer)) >= 0 {
			t.Errorf("%s < %s, but not %s < %s", older, newer, Version(older), Version(newer))
		}
	}
}

// Versions of the usual shape keep their order whatever the numbers are.
func TestVersionKeepsTheOrderOfOrdinaryVersions(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, 12)
		s := fmt.Sprintf("%d.%d", n.Draw(t, "major"), n.Draw(t, "minor"))
		if rapid.Bool().Draw(t, "patch") {
			s += fmt.Sprintf(".%d", n.Draw(t, "patch level"))
		}
		s += rapid.SampledFrom([]string{"", "~rc1", "~rc2", "~beta1", "+dfsg", "+dfsg1"}).Draw(t, "suffix")
		s += fmt.Sprintf("-%d", n.Draw(t, "revision"))
		s += rapid.SampledFrom([]string{"", "+b1", "+deb12u1", "+deb12u2", "~deb12u1", ".1"}).Draw(t, "tail")
		if rapid.Bool().Draw(t, "with epoch") {
			s = fmt.Sprintf("%d:", n.Draw(t, "epoch")) + s
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := one.Draw(t, "a"), one.Draw(t, "b")
		want, got := debian.Compare(a, b), version.Compare(Version(a), Version(b))
		if want < 0 != (got < 0) || want > 0 != (got > 0) {
			t.Errorf("dpkg compares %s and %s as %d, vercmp %s and %s as %d", a, b, want, Version(a), Version(b), got)
		}
	})
}

func TestBound(t *testing.T) {
	for _, c := range []struct{ op, version, want string }{
		{">=", "2.36", "2.36"}, {">=", "2.36-9", "2.36-9"}, {"=", "1.0", "1.0-1"}, {">>", "1.0", "1.0-0"},
		{"<<", "2.37~", "2.37a"}, {"<=", "1.0", "1.0-0"}, {"<<", "1:9.2-1", "1:9.2-1"},
	} {
		if got := Bound(c.op, c.version); got != c.want {
			t.Errorf("Bound(%q, %q) = %q, want %q", c.op, c.version, got, c.want)
		}
	}
}

func TestPlace(t *testing.T) {
	for from, want := range map[string]string{
		"./bin/ls":                            "usr/bin/ls",
		"./sbin/init":                         "usr/bin/init",
		"./usr/sbin/sshd":                     "usr/bin/sshd",
		"./lib/x86_64-linux-gnu/libc.so.6":    "usr/lib/x86_64-linux-gnu/libc.so.6",
		"./lib64/ld-linux-x86-64.so.2":        "usr/lib/ld-linux-x86-64.so.2",
		"./usr/lib64":                         "usr/lib",
		"./libexec/x":                         "libexec/x",
		"./boot/vmlinuz-6.1.0-1-cloud-amd64":  "usr/lib/modules/6.1.0-1-cloud-amd64/vmlinuz",
		"./boot/System.map-6.1":               "usr/lib/modules/6.1/System.map",
		"./boot/grub/x":                       "",
		"./boot/":                             "boot",
		"./var/run/x":                         "",
		"./run/lock":                          "",
		"./etc/passwd":                        "etc/passwd",
		"./":                                  "",
		"./usr/share/doc/../../../etc/shadow": "etc/shadow",
		"../../etc/shadow":                    "etc/shadow",
	} {
		if got := Place(from); got != want {
			t.Errorf("Place(%q) = %q, want %q", from, got, want)
		}
	}
}

func TestPlaceLink(t *testing.T) {
	for _, c := range []struct{ name, target, wantName, wantTarget string }{
		{"./bin/sh", "dash", "usr/bin/sh", "dash"},
		{"./sbin/init", "/lib/systemd/systemd", "usr/bin/init", "/lib/systemd/systemd"},
		{"./usr/sbin/x", "../bin/x", "", ""},           // would lead to itself
		{"./sbin/x", "/bin/x", "", ""},                 // the same, absolute
		{"./usr/sbin/y", "../bin/x", "usr/bin/y", "x"}, // both in one directory now
		{"./lib64/ld.so.2", "/lib/x/ld.so.2", "usr/lib/ld.so.2", "/lib/x/ld.so.2"},
		{"./lib64/ld.so.2", "../lib/x/ld.so.2", "usr/lib/ld.so.2", "x/ld.so.2"},
		{"./usr/lib/x/a.so", "../../../lib/x/a.so.1", "usr/lib/x/a.so", "a.so.1"},
		{"./usr/share/a", "b", "usr/share/a", "b"},
		{"./etc/mtab", "../proc/mounts", "etc/mtab", "../proc/mounts"},
	} {
		name, target := placeLink(c.name, c.target)
		if name != c.wantName || target != c.wantTarget {
			t.Errorf("placeLink(%q, %q) = %q, %q; want %q, %q", c.name, c.target, name, target, c.wantName, c.wantTarget)
		}
	}
}

func TestReadAlternatives(t *testing.T) {
	got := readAlternatives(`#!/bin/sh
# update-alternatives --install /usr/bin/no no /usr/bin/never 1
if [ "$1" = configure ]; then
	update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/mawk 5 \
	    --slave /usr/share/man/man1/awk.1.gz awk.1.gz \
	        /usr/share/man/man1/mawk.1.gz
	update-alternatives --install /usr/bin/pager pager /bin/more 50; true
	update-alternatives --install "$BIN"/w w /usr/bin/w.procps 50
	update-alternatives --remove rcp /usr/bin/scp
fi
`)
	want := []alternative{
		{5, []Link{{"usr/bin/awk", "usr/bin/mawk"}, {"usr/share/man/man1/awk.1.gz", "usr/share/man/man1/mawk.1.gz"}}},
		{50, []Link{{"usr/bin/pager", "usr/bin/more"}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(alternative{})); diff != "" {
		t.Error(diff)
	}
}

func TestAlternativesChoosesThePriority(t *testing.T) {
	script := func(name, target, priority string) *Source {
		return source(t, "Package: "+name+"\nVersion: 1\n",
			"update-alternatives --install /usr/bin/editor editor "+target+" "+priority+"\n")
	}
	got := Alternatives([]*Source{script("vim", "/usr/bin/vim", "30"), script("nano", "/bin/nano", "40"), script("joe", "/usr/bin/joe", "40")})
	want := map[string][]Link{"joe": {{"usr/bin/editor", "usr/bin/joe"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDisputes(t *testing.T) {
	result := func(name string, paths map[string]Claim) *Result {
		return &Result{Info: &desc.Package{Name: name}, Paths: paths}
	}
	got := Disputes([]*Result{
		result("b", map[string]Claim{"usr": ByDirectory, "usr/bin/x": ByFile, "usr/y": ByFile, "etc/z": ByFile}),
		result("a", map[string]Claim{"usr": ByDirectory, "usr/bin/x": ByFile, "usr/y": ByDirectory}),
		result("ours", map[string]Claim{"etc/z": ByAddition}),
		result("alternative", map[string]Claim{"usr/bin/x": ByAlternative}),
	})
	want := map[int][]Dispute{
		0: {{"etc/z", "ours"}, {"usr/bin/x", "a"}, {"usr/y", "a"}},
		3: {{"usr/bin/x", "a"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
