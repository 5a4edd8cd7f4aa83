// SPDX-License-Identifier: GPL-3.0-or-later

package apply_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// byLibalpm makes the manifest choose the host's libalpm.
func (w *world) byLibalpm() {
	w.t.Helper()
	helper := testkit.NeedLibalpm(w.t)
	if filepath.Dir(helper) != filepath.Dir(w.binary) {
		w.must(copyTo(helper, w.dir))
		w.must(copyTo(w.binary, w.dir))
		w.binary = filepath.Join(w.dir, filepath.Base(w.binary))
	}
	w.extra = "engine = \"libalpm\"\n"
}

func TestASystemByTheHostsLibalpm(t *testing.T) {
	w := newWorld(t)
	w.byLibalpm()
	w.manifest(`"app", "tool", "old"`)
	w.ok("apply", "--sync", "--yes")
	w.has("app 1-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "old 1-1", "shell 5-1", "tool 1-1")
	w.explicit("app", "linux", "old", "tool")
	w.nothingToDo()
	w.publish(
		pkg("tool", "2-1", "depends=lib"), pkg("app", "2-1", "depends=lib", "depends=shell"),
		pkg("new", "1-1", "replaces=old", "conflicts=old"))
	w.remove("old")
	w.ok("apply", "--sync", "--upgrade", "--yes")
	w.has("app 2-1", "filesystem 1-1", "lib 1-1", "linux 6-1", "new 1-1", "shell 5-1", "tool 2-1")
	w.manifest(`"tool"`)
	w.ok("apply", "--yes")
	w.has("lib 1-1", "linux 6-1", "tool 2-1")
	w.explicit("linux", "tool")
	w.sound()
}

func TestASystemWithoutTheHelper(t *testing.T) {
	w := newWorld(t)
	w.must(copyTo(w.binary, w.dir))
	w.binary = filepath.Join(w.dir, filepath.Base(w.binary))
	w.extra = "engine = \"libalpm\"\n"
	w.manifest(`"app"`)
	t.Setenv("PATH", "/usr/bin:/bin")
	out, code := w.run("apply", "--sync", "--yes")
	if code != 9 || !strings.Contains(out, "rastos-libalpm cannot be started") || !strings.Contains(out, `hint: build it with "make libalpm"`) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if out, err := w.pacman("-Q"); err == nil && out != "" {
		t.Errorf("installed: %s", out)
	}
}

// copyTo puts a copy of a program into a folder.
func copyTo(program, dir string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, filepath.Base(program)), data, 0o755)
}
