// SPDX-License-Identifier: GPL-3.0-or-later

package apply_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestASystemBecomesWhatItsManifestSays(t *testing.T) {
	w := newWorld(t)
	w.manifest(`"app"`)
	out := w.ok("apply", "--sync", "--yes")
	if !strings.Contains(out, "is what its manifest says") {
		t.Errorf("output:\n%s", out)
	}
	w.has("app 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1")
	w.explicit("app", "linux")
	w.nothingToDo()
	w.sound()

	// More, less, and what is needed changes with it.
	w.manifest(`"app", "tool"`)
	w.ok("apply", "--yes")
	w.has("app 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1", "tool 1-1")
	w.explicit("app", "linux", "tool")
	w.manifest(`"tool", "lib"`)
	w.ok("apply", "--yes")
	w.has("filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1", "tool 1-1")
	w.explicit("lib", "linux", "tool")
	w.nothingToDo()
	w.sound()
	if out, err := w.pacman("-Qdtq"); err == nil { // it fails where there are none
		t.Errorf("pacman finds unneeded packages: %q", out)
	}

	// What a person did by hand goes again, and what broke comes back.
	w.mustPacman("-S", "app")
	w.mustPacman("-Rdd", "lib")
	w.mustPacman("-D", "--asdeps", "tool")
	plan := w.plan()
	if got := plan.installs(); !slices.Equal(got, []string{"lib"}) {
		t.Errorf("to install: %v", got)
	}
	if got := plan.removes(); !slices.Equal(got, []string{"app"}) {
		t.Errorf("to remove: %v", got)
	}
	if len(plan.Reasons) != 1 || plan.Reasons[0].Package != "tool" || plan.Reasons[0].New != "explicit" {
		t.Errorf("reasons: %+v", plan.Reasons)
	}
	w.ok("apply", "--yes")
	w.explicit("lib", "linux", "tool")
	w.nothingToDo()
	w.sound()
}

func TestVersionsStayUntilAnUpgradeIsAskedFor(t *testing.T) {
	w := newWorld(t)
	w.manifest(`"app", "tool", "old"`)
	w.ok("apply", "--sync", "--yes")
	w.publish(
		pkg("tool", "2-1", "depends=lib"), pkg("app", "2-1", "depends=lib", "depends=shell"),
		pkg("new", "1-1", "replaces=old", "conflicts=old"))
	w.remove("old")
	w.ok("apply", "--sync", "--yes")
	w.has("app 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "old 1-1", "shell 5-1", "tool 1-1")
	w.extra = "ignore = [\"to*\"]\n"
	w.manifest(`"app", "tool", "old"`)
	w.ok("apply", "--upgrade", "--yes")
	w.has("app 2-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "new 1-1", "shell 5-1", "tool 1-1")
	w.explicit("app", "linux", "new", "tool")
	w.nothingToDo() // old means new now
	w.sound()
}

func TestHeldAndForeignPackagesStay(t *testing.T) {
	w := newWorld(t)
	w.extra = "aur = [\"paru\", \"yay\"]\nhold = [\"to*\"]\n"
	w.manifest(`"app"`)
	w.ok("apply", "--sync", "--yes")
	w.mustPacman("-U", w.archive(pkg("paru", "1-1", "depends=extra")), w.archive(pkg("extra", "1-1")))
	w.mustPacman("-S", "tool")
	out := w.ok("apply", "--yes")
	for _, want := range []string{"yay is declared as from the AUR", "tool is not declared and stays: it is held"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing like %q in:\n%s", want, out)
		}
	}
	w.has("app 1-1", "extra 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "paru 1-1", "shell 5-1", "tool 1-1")
	w.explicit("app", "linux", "paru", "tool")
	w.nothingToDo()
	w.extra = ""
	w.manifest(`"app"`)
	w.ok("apply", "--yes")
	w.has("app 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "shell 5-1")
	w.sound()
}

func TestSettingsAreMadeSoAndDriftBack(t *testing.T) {
	w := newWorld(t)
	w.more = `
[[user]]
name = "anna"
groups = ["wheel"]
ssh_keys = ["` + annasKey + `"]

[[service]]
name = "app"
enable = true

[[service]]
name = "greet"
command = "/usr/bin/shell -c hello"
`
	w.manifest(`"app"`)
	w.ok("apply", "--sync", "--yes")
	w.file("etc/hostname", "atlas\n")
	w.file("home/anna/.ssh/authorized_keys", annasKey+"\n")
	w.file("etc/rastos/rastos.toml", w.read(filepath.Join(w.dir, "machine.toml")))
	if !strings.Contains(w.read(w.at("etc/group")), "wheel:x:998:anna") {
		t.Errorf("groups:\n%s", w.read(w.at("etc/group")))
	}
	const wants = "etc/systemd/system/multi-user.target.wants/"
	for _, unit := range []string{"app.service", "greet.service"} {
		if _, err := os.Readlink(w.at(wants + unit)); err != nil {
			t.Errorf("%s is not enabled: %v", unit, err)
		}
	}
	w.nothingToDo()

	// By hand …
	w.must(os.WriteFile(w.at("etc/hostname"), []byte("other\n"), 0o644))
	w.must(os.Remove(w.at(wants + "app.service")))
	w.must(os.WriteFile(w.at("home/anna/.ssh/authorized_keys"), []byte("# none\n"), 0o600))
	var differing []string
	for _, s := range w.plan().Settings {
		differing = append(differing, s.Kind+" "+s.Name)
	}
	if want := []string{"setting hostname", "service app.service", "user anna"}; !slices.Equal(differing, want) {
		t.Errorf("settings %q, want %q", differing, want)
	}
	w.ok("apply", "--yes")
	w.file("etc/hostname", "atlas\n")
	w.file("home/anna/.ssh/authorized_keys", "# none\n"+annasKey+"\n")
	w.nothingToDo()

	// What the manifest no longer says of services is taken back.
	w.more = ""
	w.manifest(`"app"`)
	w.ok("apply", "--yes")
	for _, name := range []string{wants + "app.service", wants + "greet.service", "etc/systemd/system/greet.service"} {
		if _, err := os.Lstat(w.at(name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	w.nothingToDo()
	w.sound()
}

// TestAPlanIsRefused: what cannot be is told, and nothing is changed.
func TestAPlanIsRefused(t *testing.T) {
	w := newWorld(t)
	w.manifest(`"app"`)
	w.ok("apply", "--sync", "--yes")
	before := w.mustPacman("-Q")
	for name, c := range map[string]struct {
		packages, more string
		args           []string
		code           int
		want           string
	}{
		"a name that means nothing": {`"apps"`, "", nil, 4, "apps"},
		"two that exclude":          {`"new", "old"`, "", nil, 4, "conflict"},
		"an unknown group":          {`"app"`, "[[user]]\nname = \"bo\"\ngroups = [\"nope\"]\n", nil, 3, "there is no group nope"},
		"an unknown unit":           {`"app"`, "[[service]]\nname = \"nope\"\nenable = true\n", nil, 3, "nope.service"},
		"a mistake":                 {`"app"`, "[[user]]\nnmae = \"bo\"\n", nil, 3, `did you mean "name"`},
		"two flags":                 {`"app"`, "", []string{"--locked", "--upgrade"}, 2, "locked"},
		"nobody to ask":             {`"tool"`, "", nil, 2, "nobody can be asked here"},
	} {
		w.more = c.more
		w.manifest(c.packages)
		out, code := w.run(append([]string{"apply"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %d, and %q in:\n%s", name, code, c.code, c.want, out)
		}
	}
	if after := w.mustPacman("-Q"); after != before {
		t.Errorf("packages before:\n%s\nafter:\n%s", before, after)
	}
}

func TestTheLockIsWritten(t *testing.T) {
	w := newWorld(t)
	w.manifest(`"app"`)
	w.ok("apply", "--sync", "--yes")
	beside := w.read(filepath.Join(w.dir, "machine.lock"))
	w.file("etc/rastos/rastos.lock", beside)
	for _, want := range []string{"name = \"app\"\nversion = \"1-1\"\nrepository = \"core\"\nfilename = \"app-1-1-any.pkg.tar.zst\"\n", "[users]\n", "wheel = 998"} {
		if !strings.Contains(beside, want) {
			t.Errorf("the lock has no %q:\n%s", want, beside)
		}
	}
	// It is state, too: without it something is to be done.
	w.must(os.Remove(w.at("etc/rastos/rastos.lock")))
	if p := w.plan(); !p.Pins {
		t.Error("a missing lock is not told")
	}
	w.ok("apply", "--yes")
	w.nothingToDo()
	w.file("etc/rastos/rastos.lock", beside)
}

// planned is what plan --json tells.
type planned struct {
	Packages struct {
		Install []struct {
			Package struct{ Name, Version string }
		}
		Remove []struct{ Package struct{ Name string } }
	}
	Reasons  []struct{ Package, New string }
	Settings []struct{ Kind, Name, Waits string }
	Pins     bool
}

func (p planned) installs() (out []string) {
	for _, st := range p.Packages.Install {
		out = append(out, st.Package.Name)
	}
	return out
}

func (p planned) removes() (out []string) {
	for _, rm := range p.Packages.Remove {
		out = append(out, rm.Package.Name)
	}
	return out
}

func (w *world) plan(args ...string) planned {
	w.t.Helper()
	lines := strings.Split(strings.TrimSpace(w.ok(append([]string{"plan", "--json"}, args...)...)), "\n")
	var p planned
	w.must(json.Unmarshal([]byte(lines[len(lines)-1]), &p))
	return p
}
