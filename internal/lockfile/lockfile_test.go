// SPDX-License-Identifier: GPL-3.0-or-later

package lockfile

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden file")

var sum = strings.Repeat("0123456789abcdef", 4)

func sample() *Lock {
	return &Lock{
		Manifest: sum,
		Packages: []Package{
			{Name: "bash", Version: "5.2.015-1", Repository: "core", Filename: "bash-5.2.015-1-x86_64.pkg.tar.zst", Size: 1234, SHA256: sum},
			{Name: "gtk2+extra", Version: "2:1.0~rc1-1.1", Repository: "extra", Filename: "gtk2+extra-2:1.0~rc1-1.1-any.pkg.tar.zst", Size: 1, SHA256: sum},
			{Name: "rastos", Version: "0.1.0-1"},
		},
		Users:  map[string]int{"root": 0, "anna": 1000, `DOMAIN\x "y".z`: 70000},
		Groups: map[string]int{"root": 0, "wheel": 998},
	}
}

func TestGolden(t *testing.T) {
	got, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	const path = "testdata/rastos.lock"
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-update writes it):\n%s", diff)
	}
	back, err := Decode(path, want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), back); diff != "" || !back.Equal(sample()) {
		t.Error(diff)
	}
}

// TestRefuses has, for each mistake, what the message must say and where.
func TestRefuses(t *testing.T) {
	good, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, now, want string }{
		"an unknown key":            {"size = 1234", "size = 1234\nmd5 = \"x\"", `l:12:1: unknown key "package.md5"`},
		"a broken line":             {"size = 1234", "size = ", "l:11:8: "},
		"a wrong type":              {"size = 1234", `size = "1"`, "l:11:8: "},
		"a later format":            {"version = 1\n", "version = 2\n", "format version 2"},
		"no version":                {"version = 1\n", "", "format version 0"},
		"no digest of the manifest": {"manifest = \"" + sum, "manifest = \"", "not a SHA-256"},
		"packages out of order":     {`name = "bash"`, `name = "zsh"`, "sorted by name"},
		"a package twice":           {`name = "gtk2+extra"`, `name = "bash"`, "each once"},
		"a name with a slash":       {`name = "bash"`, `name = "../bash"`, "no name of a package"},
		"an archive with a slash":   {`filename = "bash`, `filename = "a/bash`, "no name of an archive"},
		"a hidden archive":          {`filename = "bash`, `filename = ".bash`, "no name of an archive"},
		"no size":                   {"size = 1234", "size = 0", "the size 0"},
		"a short checksum":          {"sha256 = \"0", "sha256 = \"", "no SHA-256"},
		"an archive from nowhere":   {`name = "rastos"`, "name = \"rastos\"\nsize = 7", "no repository"},
		"a negative number":         {"anna = 1000", "anna = -1", "no account with its number"},
		"a huge number":             {"anna = 1000", "anna = 4294967295", "no account with its number"},
	} {
		if !bytes.Contains(good, []byte(c.old)) {
			t.Fatalf("%s: the lock has no %q", name, c.old)
		}
		_, err := Decode("l", []byte(strings.Replace(string(good), c.old, c.now, 1)))
		var wrong *Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want) || wrong.ExitCode() != 3 || wrong.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode("l", make([]byte, MaxSize+1)); err == nil {
		t.Error("a huge file was read")
	}
	if _, err := Encode(&Lock{Manifest: sum, Packages: []Package{{Name: "b", Version: "1"}, {Name: "a", Version: "1"}}}); err == nil {
		t.Error("a lock that nobody could read was written")
	}
}

func TestDiff(t *testing.T) {
	old, now := sample(), sample()
	now.Packages[0].Version = "5.3-1"
	now.Packages[1].SHA256 = strings.Repeat("f", 64)
	now.Packages[2].Name = "zsh"
	var got []string
	for _, d := range Diff(old, now) {
		got = append(got, d.String())
	}
	want := []string{"bash: 5.2.015-1 is 5.3-1 now", "gtk2+extra 2:1.0~rc1-1.1 has another archive", "rastos 0.1.0-1 is gone", "zsh 0.1.0-1 is new"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d := Diff(old, sample()); d != nil {
		t.Errorf("no difference: %v", d)
	}
}

func TestPinsAreFoundByName(t *testing.T) {
	l := sample()
	if p, ok := l.Package("gtk2+extra"); !ok || p.Repository != "extra" {
		t.Errorf("%v, %v", p, ok)
	}
	if _, ok := l.Package("gtk"); ok {
		t.Error("a package that is not there was found")
	}
	if got := PathFor("/a/machine.toml"); got != "/a/machine.lock" {
		t.Error(got)
	}
}

// locks draws locks that may be written.
func locks(t *rapid.T) *Lock {
	name := rapid.StringMatching(`[a-z0-9@_+][A-Za-z0-9@._+"\\é-]{0,8}`)
	l := &Lock{Manifest: sum}
	for n := range rapid.MapOf(name, rapid.Just(0)).Draw(t, "names") {
		p := Package{Name: n, Version: rapid.StringMatching(`([0-9]:)?[a-z0-9.~]{1,6}-[0-9]{1,2}`).Draw(t, "version")}
		if rapid.Bool().Draw(t, "from a repository") {
			p.Repository, p.Filename, p.SHA256 = name.Draw(t, "repository"), name.Draw(t, "file"), sum
			p.Size = rapid.Int64Range(1, 1<<62).Draw(t, "size")
		}
		l.Packages = append(l.Packages, p)
	}
	l.Sort()
	numbers := rapid.MapOfN(rapid.StringMatching(`[A-Za-z0-9_. "\\ü-]{1,8}`), rapid.IntRange(0, 1<<32-2), 1, 5)
	l.Users, l.Groups = numbers.Draw(t, "users"), numbers.Draw(t, "groups")
	return l
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := locks(t)
		data, err := Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode("l", data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if !back.Equal(l) {
			t.Fatal(cmp.Diff(l, back))
		}
	})
}

// FuzzDecode: whatever is read can be written, and is then read as the same.
func FuzzDecode(f *testing.F) {
	good, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("version = 1\nmanifest = \"" + sum + "\"\n[users]\n\"a\\tb\" = 1\n"))
	f.Add([]byte("version = 1\npackage = [{name = \"a\"}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Decode("l", data)
		if err != nil {
			return
		}
		text, err := Encode(l)
		if err != nil {
			t.Fatalf("a lock that was read cannot be written: %v", err)
		}
		back, err := Decode("l", text)
		if err != nil || !back.Equal(l) {
			t.Fatalf("%v\n%s\n%s", err, text, cmp.Diff(l, back))
		}
	})
}
