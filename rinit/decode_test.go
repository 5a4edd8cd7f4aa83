// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDecode(t *testing.T) {
	f, err := Decode("testdata/sshd.system", read(t, "testdata/sshd.system"))
	if err != nil {
		t.Fatal(err)
	}
	want := NewService("sshd", Longrun)
	want.Run = NewScript("bash", "\tif [ -e /etc/ssh/sshd_config ]; then\n\t\texec /usr/bin/sshd -D -e\n\tfi\n  )\n")
	want.Run.Timeout, want.Run.DownSignal, want.Run.User = 5*time.Second, "SIGTERM", "root"
	want.Finish = NewScript("sh", "rm -f /run/sshd.pid\n")
	want.Dependencies = []string{"network", "sshd-keys"}
	want.Env = []Variable{{"LANG", "en_US.UTF-8"}, {"GREETING", "good \"day\"\t$x"}}
	if diff := cmp.Diff(want, f.Service); diff != "" {
		t.Error(diff)
	}
	if len(f.Warnings) > 0 {
		t.Error(f.Warnings)
	}
	golden(t, "testdata/sshd.system.golden", string(f.Format()))
}

func TestEveryMistakeAtOnce(t *testing.T) {
	f, err := Decode("bad.system", read(t, "testdata/bad.system"))
	var wrong Mistakes
	if !errors.As(err, &wrong) {
		t.Fatalf("error = %v", err)
	}
	var out strings.Builder
	for _, m := range wrong {
		fmt.Fprintf(&out, "%s\n", m)
	}
	for _, m := range f.Warnings {
		fmt.Fprintf(&out, "warning: %s\n", m)
	}
	golden(t, "testdata/bad.mistakes", out.String())
}

// file makes a longrun of lines for [options] and [env].
func file(lines ...string) []byte {
	return []byte("name = a\ntype = longrun\n[run]\nprefix = sh\nexecute = (\ntrue\n)\n" + strings.Join(lines, "\n") + "\n")
}

// TestRinitsBugsAreMended reads what rinit means to read and cannot.
func TestRinitsBugsAreMended(t *testing.T) {
	for name, c := range map[string]struct {
		data  []byte
		check func(Service) bool
	}{
		"options of bundles":       {[]byte("name = a\ntype = bundle\n[options]\ncontents = [ b ]\nautostart = no\nrunlevel = boot\n"), func(s Service) bool { return !s.Autostart && s.Runlevel == Boot }},
		"comments in env":          {file("[env]", "# x = y", "A = b"), func(s Service) bool { return cmp.Equal(s.Env, []Variable{{"A", "b"}}) }},
		"a bracket in a value":     {file("[env]", "A = x[1]", "B=[ y ]", "[options]", "description = a [ b"), func(s Service) bool { return s.Env[1].Value == "[ y ]" && s.Description == "a [ b" }},
		"a bracket before =":       {file("[env]", "A[0 = x"), func(s Service) bool { return s.Env[0].Name == "A[0" }},
		"a program's path":         {[]byte("name = a\ntype = longrun\n[run]\nprefix = path\nexecute = (\n/usr/bin/x  -y\n z\n)\n"), func(s Service) bool { return cmp.Equal(s.Run.Argv(), []string{"/usr/bin/x", "-y", "z"}) }},
		"several blanks in a list": {file("[options]", "after = [ b  c\t d", "", "  e", "]"), func(s Service) bool { return cmp.Equal(s.After, []string{"b", "c", "d", "e"}) }},
		"a dot in a name":          {[]byte("name = a.b\ntype = bundle\n[options]\ncontents = [ c.d ]\n"), func(s Service) bool { return s.Name == "a.b" && s.Contents[0] == "c.d" }},
		"one line":                 {[]byte("name = a"), nil},
		"nothing":                  {nil, nil},
	} {
		f, err := Decode("", c.data)
		if (err == nil) != (c.check != nil) || err == nil && !c.check(f.Service) {
			t.Errorf("%s: %v: %+v", name, err, f.Service)
		}
	}
}

func TestValuesAreRinits(t *testing.T) {
	f, err := Decode("", file("[options]", "autostart=no", "requires = [", "c b ]", "", "[finish]", "execute=(", "x", " )", ")", "prefix = bash", "max_deaths = +0",
		"timeout = 0007", "notify = 255", "timeout_kill = 4294967295", "[env]", "A = ' x '", "B = a\\nb", "C =", `D = "\u{1f41a}\e\$\'"`, "E = 'open"))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Service
	finish := Script{Prefix: "bash", Execute: "x\n )\n", Timeout: 7 * time.Millisecond, TimeoutKill: 4294967295 * time.Millisecond, DownSignal: "SIGHUP", Notify: 255}
	if diff := cmp.Diff(&finish, s.Finish); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Variable{{"A", " x "}, {"B", `a\nb`}, {"C", ""}, {"D", "\U0001f41a\x1b$'"}, {"E", "open"}}, s.Env); diff != "" {
		t.Error(diff)
	}
	if s.Autostart || !cmp.Equal(s.Requires, []string{"b", "c"}) || s.Run.Notify != NoNotify || !cmp.Equal(s.Run.Argv(), []string{"sh", "-c", "true\n"}) {
		t.Errorf("%+v", s)
	}
	if len(f.Warnings) != 2 { // it is never tried; the quote is open
		t.Error(f.Warnings)
	}
}

func TestNamesOfFiles(t *testing.T) {
	for path, want := range map[string]string{"/etc/rinit/system/a.b.system": "a.b", "x.user": "x", ".user": "", "x.service": "", "system": ""} {
		if name, ok := NameOf(path); name != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", path, name, ok)
		}
	}
	if _, err := Decode("other.user", file()); err == nil || !strings.Contains(err.Error(), `other.user:1:8: the service is named "a" and its file is not (write name = other, or rename the file)`) {
		t.Error(err)
	}
}

func TestUnreadable(t *testing.T) {
	for _, data := range []string{"name = a\x00\n", "name = \xff\n", strings.Repeat("#\n", MaxSize)} {
		if f, err := Decode("x", []byte(data)); err == nil || f == nil {
			t.Errorf("%.20q: %v", data, err)
		}
	}
}

// TestEveryFieldIsDocumented keeps docs/services.md to the table of keys.
func TestEveryFieldIsDocumented(t *testing.T) {
	doc := string(read(t, filepath.Join("..", "docs", "services.md")))
	for _, f := range fields {
		row := ""
		for line := range strings.Lines(doc) {
			if strings.HasPrefix(line, "| `"+f.key+"` |") {
				row = line
			}
		}
		switch {
		case row == "":
			t.Errorf("docs/services.md has no row for %q", f.key)
		case f.initial != "" && !strings.Contains(row, "| "+f.initial+" |"):
			t.Errorf("docs/services.md does not say that %q is %s by itself: %s", f.key, f.initial, row)
		case f.ours != strings.Contains(row, "(ours)"):
			t.Errorf("docs/services.md is wrong about whose key %q is: %s", f.key, row)
		}
	}
}
