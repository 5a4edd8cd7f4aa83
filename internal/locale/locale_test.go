// SPDX-License-Identifier: GPL-3.0-or-later

package locale

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/testkit"
)

func newRoot(t *testing.T, files map[string]string) (FS, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.WithoutSync(), dir
}

func system() map[string]string {
	return map[string]string{
		"usr/share/zoneinfo/Europe/Berlin":                   "TZif2",
		"usr/share/zoneinfo/UTC":                             "TZif2",
		"usr/share/zoneinfo/zone.tab":                        "# table",
		"usr/share/zoneinfo/right/Europe/Berlin":             "TZif2",
		"usr/share/kbd/keymaps/i386/qwertz/de-latin1.map.gz": "",
		"usr/share/kbd/keymaps/i386/qwerty/us.map.gz":        "",
		"etc/locale.gen":                                     "# Configuration file for locale-gen\n#\n#de_AT.UTF-8 UTF-8  \n#de_DE.UTF-8 UTF-8  \n#de_DE@euro ISO-8859-15  \nen_US.UTF-8 UTF-8\n",
		"etc/hosts":                                          "# hosts\n127.0.0.1 localhost\n10.0.0.9 printer\n",
		"etc/x":                                              "",
	}
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestApply(t *testing.T) {
	root, dir := newRoot(t, system())
	os.WriteFile(filepath.Join(dir, "etc/vconsole.conf"), []byte("FONT=eurlatgr\nKEYMAP=us\n"), 0o644)
	for range 2 {
		result, err := Apply(root, Settings{"atlas.example.org", "Europe/Berlin", "de_DE.UTF-8", "de-latin1"})
		if err != nil {
			t.Fatal(err)
		}
		if !result.LocaleGen {
			t.Error("nobody compiled the locale")
		}
		for name, want := range map[string]string{
			"etc/hostname":      "atlas.example.org\n",
			"etc/hosts":         "# hosts\n127.0.0.1 localhost\n10.0.0.9 printer\n::1 localhost\n127.0.1.1 atlas.example.org atlas\n",
			"etc/locale.conf":   "LANG=de_DE.UTF-8\n",
			"etc/locale.gen":    "# Configuration file for locale-gen\n#\n#de_AT.UTF-8 UTF-8  \nde_DE.UTF-8 UTF-8\n#de_DE@euro ISO-8859-15  \nen_US.UTF-8 UTF-8\n",
			"etc/vconsole.conf": "FONT=eurlatgr\nKEYMAP=de-latin1\n",
		} {
			if diff := cmp.Diff(want, content(t, dir, name)); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
		if target, err := os.Readlink(filepath.Join(dir, "etc/localtime")); err != nil || target != "../usr/share/zoneinfo/Europe/Berlin" {
			t.Errorf("localtime: %q, %v", target, err)
		}
	}
	if _, err := Apply(root, Settings{Hostname: "other", Timezone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "etc/hosts"); !strings.HasSuffix(got, "\n127.0.1.1 other\n") {
		t.Errorf("hosts:\n%s", got)
	}
	if target, _ := os.Readlink(filepath.Join(dir, "etc/localtime")); target != "../usr/share/zoneinfo/UTC" {
		t.Errorf("localtime: %q", target)
	}
}

func TestCompiledAndBuiltInLocales(t *testing.T) {
	files := system()
	files["usr/lib/locale/de_AT.utf8/LC_CTYPE"] = ""
	files["usr/lib/locale/locale-archive"] = "head\x00en_US.utf8\x00tail"
	root, _ := newRoot(t, files)
	for locale, gen := range map[string]bool{"C.UTF-8": false, "C": false, "POSIX": false, "de_AT.UTF-8": false, "en_US.UTF-8": false, "de_DE.UTF-8": true, "de_DE.utf8": true} {
		if result, err := Apply(root, Settings{Locale: locale}); err != nil || result.LocaleGen != gen {
			t.Errorf("%s: %+v, %v", locale, result, err)
		}
	}
}

func TestAnEmptySystem(t *testing.T) {
	root, dir := newRoot(t, nil)
	if _, err := Apply(root, Settings{"atlas", "UTC", "C.UTF-8", "us"}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "etc/hosts"); got != "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 atlas\n" {
		t.Errorf("hosts:\n%s", got)
	}
	if _, err := os.Lstat(filepath.Join(dir, "etc/localtime")); err == nil {
		t.Error("a link to a zone that is not there")
	}
	for _, s := range []Settings{{Timezone: "Europe/Berlin"}, {Locale: "de_DE.UTF-8"}, {Keymap: "de"}} {
		var e *Error
		if _, err := Apply(root, s); !errors.As(err, &e) || e.Hint() == "" || e.ExitCode() != 3 {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	root, dir := newRoot(t, system())
	for _, c := range []struct {
		s    Settings
		hint string
	}{
		{Settings{Timezone: "Europe/Berln"}, "did you mean Europe/Berlin?"},
		{Settings{Timezone: "berlin"}, "did you mean Europe/Berlin?"},
		{Settings{Timezone: "zone.tab"}, ""},
		{Settings{Timezone: "../../../etc/passwd"}, "write it like Europe/Berlin"},
		{Settings{Timezone: "Europe"}, "did you mean Europe/Berlin?"},
		{Settings{Locale: "de_DE.UTF8x"}, "did you mean de_DE.UTF-8?"},
		{Settings{Locale: "de DE\nX=1"}, "write it like de_DE.UTF-8"},
		{Settings{Keymap: "de-latin"}, "did you mean de-latin1?"},
		{Settings{Keymap: "../x"}, ""},
		{Settings{Hostname: "-atlas"}, "letters, digits and -, at most 63 between dots and 64 in all"},
		{Settings{Hostname: "a\nb"}, "letters, digits and -, at most 63 between dots and 64 in all"},
	} {
		_, err := Apply(root, c.s)
		var e *Error
		if !errors.As(err, &e) || e.Hint() != c.hint {
			t.Errorf("%+v: %v, hint %q", c.s, err, e.Hint())
		}
	}
	_, err := Apply(root, Settings{"-", "x", "x y", "x y"})
	if n := len(strings.Split(err.Error(), "\n")); n != 4 {
		t.Errorf("%d mistakes: %v", n, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "etc/hostname")); err == nil {
		t.Error("something was written")
	}
}

// TestFirstbootWritesTheSame lets systemd-firstboot make the same settings.
func TestFirstbootWritesTheSame(t *testing.T) {
	firstboot := testkit.NeedTool(t, "systemd-firstboot")
	files := system()
	files["usr/lib/locale/de_DE.utf8/LC_CTYPE"] = ""
	root, ours := newRoot(t, files)
	_, theirs := newRoot(t, files)
	if _, err := Apply(root, Settings{"atlas", "Europe/Berlin", "de_DE.UTF-8", "de-latin1"}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(firstboot, "--root="+theirs, "--hostname=atlas", "--timezone=Europe/Berlin", "--locale=de_DE.UTF-8", "--keymap=de-latin1").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Debian's writes the locale where Debian's systemd reads it.
	if data, err := os.ReadFile(filepath.Join(theirs, "etc/default/locale")); err == nil {
		os.WriteFile(filepath.Join(theirs, "etc/locale.conf"), data, 0o644)
	}
	for _, name := range []string{"etc/hostname", "etc/locale.conf", "etc/vconsole.conf"} {
		if diff := cmp.Diff(content(t, theirs, name), content(t, ours, name)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	a, _ := os.Readlink(filepath.Join(theirs, "etc/localtime"))
	b, _ := os.Readlink(filepath.Join(ours, "etc/localtime"))
	if a == "" || a != b {
		t.Errorf("localtime: %q, systemd-firstboot makes %q", b, a)
	}
}
