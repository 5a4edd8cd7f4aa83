// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestEntryAsWritten(t *testing.T) {
	e := Entry{
		Title: "rastOS 3", Version: "3", SortKey: "rastos", Linux: "/rastos/aa/linux",
		Initrd: []string{"/rastos/bb/initrd", "/ucode"}, Options: "root=UUID=1 ro",
		Extra: []Field{{"architecture", "x64"}, {"empty", ""}},
	}
	data, err := EncodeEntry(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `title      rastOS 3
version    3
sort-key   rastos
linux      /rastos/aa/linux
initrd     /rastos/bb/initrd
initrd     /ucode
options    root=UUID=1 ro
architecture x64
empty
`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Fatal(diff)
	}
	back, err := DecodeEntry(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, back); diff != "" {
		t.Fatal(diff)
	}
}

func TestEntryOfAnotherHand(t *testing.T) {
	e, err := DecodeEntry([]byte("# comment\r\n\r\ntitle\tArch  Linux \r\noptions a\n  options\tb c\nlinux /vmlinuz\nlinux /vmlinuz2\nx-own y"))
	if err != nil {
		t.Fatal(err)
	}
	want := Entry{Title: "Arch  Linux", Linux: "/vmlinuz2", Options: "a b c", Extra: []Field{{"x-own", "y"}}}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Fatal(diff)
	}
}

func TestEntryThatCannotBeWritten(t *testing.T) {
	for _, e := range []Entry{
		{Options: "quiet\nlinux /evil"}, {Title: " x"}, {Title: "\xff"},
		{Extra: []Field{{"linux", "/evil"}}}, {Extra: []Field{{"a b", "c"}}}, {Extra: []Field{{"#a", "c"}}},
		{Initrd: []string{""}}, {Options: strings.Repeat("x", maxEntry)},
	} {
		if data, err := EncodeEntry(e); err == nil {
			t.Errorf("%+v was written as %q", e, data)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte("title x\nlinux /a\ninitrd /b\ninitrd /c\noptions d\noptions e\nfoo bar\n#c\n"))
	f.Add([]byte("\r\n \t\nlinux\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEntry(data)
		if err != nil {
			return
		}
		again, err := EncodeEntry(e)
		if err != nil {
			if strings.Contains(err.Error(), "more than") {
				return // padding of the columns
			}
			t.Fatalf("%+v: %v", e, err)
		}
		back, err := DecodeEntry(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestNames(t *testing.T) {
	for file, want := range map[string]Name{
		"rastos-3+2-1.conf":    {Base: "rastos-3", Left: 2, Done: 1, Counted: true},
		"rastos-3+3.conf":      {Base: "rastos-3", Left: 3, Counted: true},
		"rastos-3.conf":        {Base: "rastos-3"},
		"rastos-3+0-3.conf":    {Base: "rastos-3", Done: 3, Counted: true},
		"a+b+1.conf":           {Base: "a+b", Left: 1, Counted: true},
		"a+b.conf":             {Base: "a+b"},
		"a+1-x.conf":           {Base: "a+1-x"},
		"a+-1.conf":            {Base: "a+-1"},
		"a+1-.conf":            {Base: "a+1-"},
		"a+.conf":              {Base: "a+"},
		"RASTOS-3+1.CONF":      {Base: "RASTOS-3", Left: 1, Counted: true},
		"a+99999999999.conf":   {Base: "a+99999999999"},
		"+1.conf":              {Base: "+1"},
		"6.1.0-x+deb12-1.conf": {Base: "6.1.0-x+deb12-1"},
	} {
		got, ok := ParseName(file)
		if !ok || got != want {
			t.Errorf("%s: %+v, %v; want %+v", file, got, ok, want)
		}
		if file == strings.ToLower(file) && got.String() != file {
			t.Errorf("%s is written as %s", file, got)
		}
	}
	for _, file := range []string{"", ".conf", "a.cfg", "a", "d/a.conf", ".a.conf", "rastos-3.tmp"} {
		if n, ok := ParseName(file); ok {
			t.Errorf("%q is taken for %+v", file, n)
		}
	}
	if n := Armed("a", 3); n.Bad() || n.Good() || n.String() != "a+3.conf" {
		t.Errorf("armed: %+v", n)
	}
	if n, _ := ParseName("a+0-3.conf"); !n.Bad() || n.Good() {
		t.Errorf("bad: %+v", n)
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"rastos-3+2-1.conf", "a+0.conf", "+.conf", "a+01-00.conf"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		n, ok := ParseName(file)
		if !ok {
			return
		}
		// Numbers lose leading zeros; after that it is a fixed point.
		again, ok := ParseName(n.String())
		if !ok || again.Counted != n.Counted || again.Left != n.Left || again.Base != n.Base {
			t.Fatalf("%q: %+v, again %+v", file, n, again)
		}
	})
}
