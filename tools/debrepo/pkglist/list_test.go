// SPDX-License-Identifier: GPL-3.0-or-later

package pkglist

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadTakesPathsFromTheListsFolder(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x.packages")
	text := `
packages = ["a"]
[rename]
"linux-image-*-amd64" = "linux"
[[local]]
name = "hello"
version = "1:1.0-1"
tree = "tree"
[[local.file]]
path = "usr/bin/hello"
mode = "0755"
source = "hello.sh"
`
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Local[0].Tree; got != filepath.Join(dir, "tree") {
		t.Errorf("tree is %s", got)
	}
	if got := l.Local[0].Files[0].Source; got != filepath.Join(dir, "hello.sh") {
		t.Errorf("source is %s", got)
	}
	if perm, err := l.Local[0].Files[0].Perm(); perm != 0o755 || err != nil {
		t.Errorf("mode %v, %v", perm, err)
	}
	if got := l.NameOf("linux-image-6.1-amd64") + " " + l.NameOf("bash"); got != "linux bash" {
		t.Errorf("names are %s", got)
	}
}

func TestParseNamesEveryMistake(t *testing.T) {
	for text, want := range map[string][]string{
		`pakages = []`:             {"pakages"},
		`packages = "a"`:           {"packages"},
		`packages = ["a b", "-c"]`: {`"a b"`, `"-c"`},
		"[[local]]\nname = \"x\"\nversion = \"1\"\n[[local.file]]\npath = \"/etc/x\"\nmode = \"999\"":             {"version-release", `"/etc/x"`, `"999"`},
		"[[local]]\nname = \"x\"\nversion = \"1-1\"\n[[local.file]]\npath = \"e\"\ncontent = \"1\"\nlink = \"2\"": {"only one"},
	} {
		_, err := Parse([]byte(text))
		if err == nil {
			t.Errorf("%q was accepted", text)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q does not name %s", text, err, part)
			}
		}
	}
}

func TestParseLocal(t *testing.T) {
	got, err := ParseLocal("name=rastos,version=1.0-1,arch=x86_64,tree=out,depends=a b")
	if err != nil {
		t.Fatal(err)
	}
	want := &Local{Name: "rastos", Version: "1.0-1", Arch: "x86_64", Tree: "out", Depends: []string{"a", "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"name=x", "name=x,version=1-1,colour=red", "version=1-1"} {
		if _, err := ParseLocal(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// The lists of the project itself must be right.
func TestProfiles(t *testing.T) {
	names, err := filepath.Glob("../../../profiles/*.packages")
	if err != nil || len(names) == 0 {
		t.Fatalf("no lists: %v", err)
	}
	more, err := filepath.Glob("../../../profiles/demo/*.package")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, more...) {
		if _, err := Load(name); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("packages = [\"a\"]\n[[local]]\nname = \"x\"\nversion = \"1-1\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse([]byte(text))
		if err != nil {
			return
		}
		for _, p := range l.Local {
			for _, file := range p.Files {
				if _, err := file.Perm(); err != nil || filepath.IsAbs(file.Path) {
					t.Errorf("%q: a file that cannot be: %+v", text, file)
				}
			}
		}
	})
}
