// SPDX-License-Identifier: GPL-3.0-or-later

package service

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/testkit"
)

// newRoot makes a root with unit files (names without a slash are vendor
// units; "-> x" is a link).
func newRoot(t *testing.T, units map[string]string) (FS, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range units {
		if !strings.Contains(name, "/") {
			name = "usr/lib/systemd/system/" + name
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return open(t, dir), dir
}

func open(t *testing.T, dir string) FS {
	t.Helper()
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.WithoutSync()
}

// links lists the links below etc/systemd/system with their targets, as on a
// system whose /lib is /usr/lib: Debian's systemctl writes the older path.
func links(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	base := filepath.Join(dir, configDir)
	err := filepath.WalkDir(base, func(path string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || e.Type()&os.ModeSymlink == 0 {
			return err
		}
		target, err := os.Readlink(path)
		name, _ := filepath.Rel(base, path)
		if strings.HasPrefix(target, "/lib/") {
			target = "/usr" + target
		}
		out = append(out, name+" -> "+target)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

func installing(lines ...string) string {
	return "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n[Install]\n" + strings.Join(lines, "\n") + "\n"
}

// tricky are units with everything that [Install] can say.
func tricky() map[string]string {
	return map[string]string{
		"plain.service":                       installing("WantedBy=multi-user.target"),
		"two.service":                         installing("WantedBy=multi-user.target graphical.target", "RequiredBy=network.target"),
		"list.service":                        installing("WantedBy=a.target", "WantedBy=b.target", "WantedBy=", "WantedBy=c.target \\", "# between", "  d.target"),
		"alias.service":                       installing("Alias=other.service dbus-x.service", "WantedBy=multi-user.target"),
		"onlyalias.service":                   installing("Alias=display-manager.service"),
		"rival.service":                       installing("Alias=display-manager.service"),
		"badalias.service":                    installing("Alias=x.socket", "WantedBy=multi-user.target"),
		"also.service":                        installing("Also=plain.service also.socket absent.service", "WantedBy=multi-user.target"),
		"also.socket":                         "[Socket]\nListenStream=1\n[Install]\nWantedBy=sockets.target\nAlso=also.service\n",
		"onlyalso.service":                    installing("Also=plain.service"),
		"static.service":                      "[Service]\nExecStart=/bin/true\n",
		"empty.service":                       "",
		"tpl@.service":                        installing("WantedBy=multi-user.target", "DefaultInstance=one"),
		"nest@.service":                       installing("WantedBy=tpl@.service"),
		"half@.service":                       installing("WantedBy=tpl@.service multi-user.target"),
		"bare@.service":                       installing("WantedBy=multi-user.target"),
		"spec@.service":                       installing("WantedBy=%p-%i.target", "RequiredBy=x@%i.target", "Alias=%p-alias@.service", "DefaultInstance=def"),
		"a-b-c.service":                       installing("WantedBy=%N.target %j.target", "Also=%p.socket"),
		"link.service":                        "-> plain.service",
		"abslink.service":                     "-> /usr/lib/systemd/system/two.service",
		"tlink@.service":                      "-> tpl@.service",
		"masked.service":                      "-> /dev/null",
		"etc/systemd/system/own.service":      installing("WantedBy=multi-user.target"),
		"etc/systemd/system/override.service": installing("WantedBy=local.target"),
		"override.service":                    installing("WantedBy=vendor.target"),
		"usr/local/lib/systemd/system/local.service": installing("WantedBy=multi-user.target"),
		"drop.service": "[Service]\nExecStart=/bin/true\n",
		"etc/systemd/system/drop.service.d/install.conf": "[Install]\nWantedBy=multi-user.target\n",
		"two.service.d/20-more.conf":                     "[Install]\nWantedBy=more.target\n",
		"etc/systemd/system/two.service.d/20-more.conf":  "[Install]\nWantedBy=evenmore.target\n",
		"etc/systemd/system/tpl@odd.service.d/x.conf":    "[Install]\nRequiredBy=odd.target\n",
		"multi-user.target":                              "[Unit]\nDescription=m\n", "graphical.target": "[Unit]\nDescription=g\n", "sockets.target": "[Unit]\nDescription=s\n",
	}
}

// both runs one verb in two roots, theirs by systemctl, and compares the links.
func both(t *testing.T, systemctl, theirs, ours string, verb string, names ...string) {
	t.Helper()
	out, theirErr := exec.Command(systemctl, append([]string{"--root=" + theirs, verb}, names...)...).CombinedOutput()
	root := open(t, ours)
	run := map[string]func(FS, ...string) ([]Change, error){"enable": Enable, "disable": Disable, "mask": Mask, "unmask": Unmask, "preset": Preset}[verb]
	_, err := run(root, names...)
	var wrong *Error
	// systemctl says so and succeeds where there is nothing to install: for us it is a mistake.
	nothing := errors.As(err, &wrong) && strings.Contains(wrong.Reason, "no [Install] section") && strings.Contains(string(out), "no installation config")
	// An alias that cannot be is the packager's mistake; the rest of the unit is done in both.
	nothing = nothing || strings.Contains(string(out), "cannot alias")
	if (err == nil) != (theirErr == nil) && !nothing {
		t.Errorf("%s %v: ours %v, systemctl %v\n%s", verb, names, err, theirErr, out)
	}
	if diff := cmp.Diff(links(t, theirs), links(t, ours)); diff != "" {
		t.Errorf("%s %v (-systemctl +ours):\n%s\nsystemctl said:\n%s\nours: %v", verb, names, diff, out, err)
	}
}

// TestLikeSystemctl does the same to each unit, here and by systemctl.
func TestLikeSystemctl(t *testing.T) {
	testkit.Integration(t)
	systemctl := testkit.NeedTool(t, "systemctl")
	units := tricky()
	var names []string
	for name := range units {
		if name == "half@.service" {
			continue // systemctl does the half that it can; we do nothing and say why
		}
		if !strings.Contains(strings.TrimPrefix(name, "etc/systemd/system/"), "/") {
			names = append(names, filepath.Base(name))
		}
	}
	names = append(names, "tpl@x.service", "tpl@odd.service", "spec@y.service", "tlink@z.service", "bare@q.service", "nest@q.service", "half@q.service", "local.service", "plain", "absent.service")
	sort.Strings(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			_, theirs := newRoot(t, units)
			_, ours := newRoot(t, units)
			for _, verb := range []string{"enable", "enable", "disable", "mask", "enable", "unmask"} {
				both(t, systemctl, theirs, ours, verb, name)
			}
		})
	}
}

func TestTogetherLikeSystemctl(t *testing.T) {
	systemctl := testkit.NeedTool(t, "systemctl")
	units := tricky()
	_, theirs := newRoot(t, units)
	_, ours := newRoot(t, units)
	both(t, systemctl, theirs, ours, "enable", "onlyalias.service", "tpl@a.service", "tpl@b.service", "spec@.service", "alias.service", "list.service")
	both(t, systemctl, theirs, ours, "enable", "rival.service")
	both(t, systemctl, theirs, ours, "disable", "tpl@a.service")
	both(t, systemctl, theirs, ours, "disable", "tpl@.service", "onlyalias.service")
	both(t, systemctl, theirs, ours, "enable", "rival.service")
	both(t, systemctl, theirs, ours, "disable", "spec@def.service", "other.service")
}

// TestHostUnitsLikeSystemctl takes all units of this machine.
func TestHostUnitsLikeSystemctl(t *testing.T) {
	testkit.Integration(t)
	systemctl := testkit.NeedTool(t, "systemctl")
	const host = "/usr/lib/systemd/system"
	entries, err := os.ReadDir(host)
	if err != nil {
		t.Fatal(err)
	}
	units := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(host, e.Name())
		if e.Type()&os.ModeSymlink != 0 {
			target, _ := os.Readlink(path)
			units[e.Name()] = "-> " + target
		} else if e.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			units[e.Name()] = string(data)
		}
	}
	_, theirs := newRoot(t, units)
	_, ours := newRoot(t, units)
	states := exec.Command(systemctl, "--root="+theirs, "list-unit-files", "--no-legend", "--no-pager")
	out, err := states.Output()
	if err != nil {
		t.Fatal(err)
	}
	enabled := 0
	for l := range strings.Lines(string(out)) {
		fields := strings.Fields(l)
		if len(fields) < 2 || fields[1] != "disabled" && fields[1] != "indirect" && fields[1] != "enabled" {
			continue
		}
		both(t, systemctl, theirs, ours, "enable", fields[0])
		enabled++
	}
	if enabled < 5 {
		t.Errorf("only %d units to enable", enabled)
	}
	for name := range units {
		both(t, systemctl, theirs, ours, "disable", name)
		if t.Failed() {
			break
		}
	}
}

func TestStateLikeSystemctl(t *testing.T) {
	systemctl := testkit.NeedTool(t, "systemctl")
	root, dir := newRoot(t, tricky())
	if _, err := Enable(root, "two.service", "alias.service", "tpl@x.service", "also.service"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"two.service", "alias.service", "other.service", "tpl@x.service", "tpl@y.service", "plain.service", "static.service", "masked.service",
		"link.service", "list.service", "onlyalso.service", "absent.service", "own.service", "drop.service", "also.socket"} {
		out, _ := exec.Command(systemctl, "--root="+dir, "is-enabled", name).Output()
		want := strings.TrimSpace(string(out))
		if want == "" {
			want = "not-found"
		}
		if got, err := State(root, name); err != nil || got != want {
			t.Errorf("%s: %s, %v; systemctl says %s", name, got, err, want)
		}
	}
}

func TestPresetLikeSystemctl(t *testing.T) {
	systemctl := testkit.NeedTool(t, "systemctl")
	for name, presets := range map[string]map[string]string{
		"none": {},
		"arch": {"usr/lib/systemd/system-preset/99-default.preset": "disable *\n", "usr/lib/systemd/system-preset/10-x.preset": "# x\nenable plain.service\nenable tpl@.service a b\nenable onlyal*\n"},
		"own": {"usr/lib/systemd/system-preset/90-x.preset": "disable *\n", "etc/systemd/system-preset/90-x.preset": "ignore two.service\ndisable p*\n",
			"etc/systemd/system-preset/10-y.preset": "enable plain.service\n; comment\nrubbish\n"},
	} {
		t.Run(name, func(t *testing.T) {
			units := tricky()
			delete(units, "rival.service") // which of two rivals wins depends on the order of the directory
			for file, content := range presets {
				units[file] = content
			}
			_, theirs := newRoot(t, units)
			_, ours := newRoot(t, units)
			both(t, systemctl, theirs, ours, "enable", "list.service", "two.service", "local.service")
			exec.Command(systemctl, "--root="+theirs, "preset-all").Run() // it fails for what is wrong in some unit, and goes on
			if _, err := Preset(open(t, ours)); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(links(t, theirs), links(t, ours)); diff != "" {
				t.Errorf("preset-all (-systemctl +ours):\n%s", diff)
			}
			both(t, systemctl, theirs, ours, "preset", "two.service", "tpl@.service")
		})
	}
}
