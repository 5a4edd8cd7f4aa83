// SPDX-License-Identifier: GPL-3.0-or-later

package service

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/testkit"
)

func TestDefine(t *testing.T) {
	root, dir := newRoot(t, map[string]string{"hello.service": installing("WantedBy=sockets.target"), "etc/systemd/system/hello.service": "-> /dev/null"})
	d := Definition{
		Name: "hello", Description: "Says 100 % hello", Command: `/bin/sh -c 'echo "$GREETING ${X}" 50%'`, Type: "oneshot", Restart: "on-failure", User: "anna",
		Environment: map[string]string{"GREETING": `good "day" \ 5%`, "A": ""}, After: []string{"network", "b.target"},
	}
	for range 2 {
		if err := Define(root, d); err != nil {
			t.Fatal(err)
		}
	}
	want := `# Written by rastos from the manifest: change it there.
[Unit]
Description=Says 100 %% hello
After=network.service
After=b.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "$$GREETING $${X}" 50%%'
Restart=on-failure
User=anna
Environment="A="
Environment="GREETING=good \"day\" \\ 5%%"

[Install]
WantedBy=multi-user.target
`
	got, err := os.ReadFile(filepath.Join(dir, configDir, "hello.service"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if got := links(t, dir); got != "multi-user.target.wants/hello.service -> /etc/systemd/system/hello.service" {
		t.Errorf("links:\n%s", got)
	}
}

// TestSystemdTakesOurUnit lets systemd read what Define writes.
func TestSystemdTakesOurUnit(t *testing.T) {
	analyze := testkit.NeedTool(t, "systemd-analyze")
	root, dir := newRoot(t, nil)
	d := Definition{Name: "hello", Description: "100 %", Command: `/bin/sh -c 'echo "$A ${A}" %'`, Type: "simple", Restart: "always", Environment: map[string]string{"A": `"\ %`}}
	if err := Define(root, d); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(dir, configDir, "hello.service")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "hello.service:") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUndefineTakesBackItsOwnOnly(t *testing.T) {
	root, dir := newRoot(t, map[string]string{"etc/systemd/system/theirs.service": "[Service]\nExecStart=/bin/true\n"})
	if err := Define(root, Definition{Name: "hello", Command: "/bin/true"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Disable(root, "hello"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hello", "theirs", "absent"} {
		if err := Undefine(root, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, configDir, "*.service")); len(left) != 1 || filepath.Base(left[0]) != "theirs.service" {
		t.Errorf("left: %v", left)
	}
}

func TestDefineRefuses(t *testing.T) {
	root, dir := newRoot(t, nil)
	for _, d := range []Definition{
		{Name: "../x", Command: "/bin/true"}, {Name: "x@.service", Command: "/bin/true"}, {Name: "x.socket", Command: "/bin/true"}, {Name: "", Command: "/bin/true"},
		{Name: "x", Command: "true"}, {Name: "x", Command: "/bin/true\nUser=root"}, {Name: "x", Command: "/bin/true", Description: "a\n[Service]"},
		{Name: "x", Command: `/bin/true \`}, {Name: "x", Command: "/bin/true", Environment: map[string]string{"A": "b\nc"}}, {Name: "x", Command: "/bin/true", After: []string{"a b"}},
	} {
		err := Define(root, d)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.ExitCode() != 3 {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("something was written: %v", entries)
	}
}

func TestHints(t *testing.T) {
	root, _ := newRoot(t, tricky())
	for name, hint := range map[string]string{
		"plian.service": "did you mean plain.service?", "nothing-like-it": "a package that is not installed may bring it",
		"masked": "unmask it first", "bare@": "", "static": "leave it out, or enable what wants it", "bare@.service": "enable an instance of it, like bare@NAME.service",
	} {
		_, err := Enable(root, name)
		var wrong *Error
		if !errors.As(err, &wrong) || hint != "" && wrong.Hint() != hint {
			t.Errorf("%s: %v, hint %q", name, err, wrong.Hint())
		}
	}
	if _, err := Enable(root, "plain", "absent", "masked"); err == nil || len(strings.Split(err.Error(), "\n")) != 2 {
		t.Errorf("not all mistakes: %v", err)
	}
}

func TestNeverStart(t *testing.T) {
	units := tricky()
	units["usr/lib/systemd/system/sysinit.target.wants/static.service"] = "-> ../static.service"
	root, dir := newRoot(t, units)
	if _, err := Enable(root, "plain", "two"); err != nil {
		t.Fatal(err)
	}
	if _, err := NeverStart(root, "plain", "static", "absent"); err != nil {
		t.Fatal(err)
	}
	want := `evenmore.target.wants/two.service -> /usr/lib/systemd/system/two.service
graphical.target.wants/two.service -> /usr/lib/systemd/system/two.service
multi-user.target.wants/two.service -> /usr/lib/systemd/system/two.service
network.target.requires/two.service -> /usr/lib/systemd/system/two.service
static.service -> /dev/null`
	if diff := cmp.Diff(want, links(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func FuzzInstall(f *testing.F) {
	f.Add([]byte("[Install]\nWantedBy=a b \\\n c\nAlias=%p@%i.service\n;x\nAlso=\n"), "a@b.service")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		var i install
		i.parse(data)
		if !validName(name) {
			return
		}
		for _, w := range i.wantedBy {
			if got, err := expand(w, name); err == nil && !strings.Contains(w, "%") && got != w {
				t.Errorf("%q became %q", w, got)
			}
		}
	})
}
