// SPDX-License-Identifier: GPL-3.0-or-later

package selfpkg

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

func build(t *testing.T, version string) string {
	t.Helper()
	var out bytes.Buffer
	err := Write(&out, Content{Version: version, Tool: []byte("tool"), Init: []byte("init"), Epoch: time.Unix(1700000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rastos.pkg.tar.zst")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPackageHoldsToolInitAndUnits(t *testing.T) {
	info, err := pkgfile.LoadInfo(build(t, "v0.1.0-14-g1a2b3c4-dirty"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Name != Name || info.Version != "0.1.0.14.g1a2b3c4.dirty-1" {
		t.Errorf("%s %s", info.Name, info.Version)
	}
	want := append([]string{"usr/bin/rastos", "usr/lib/rastos/rastos-init", "usr/lib/systemd/system/rastos-complete.service"}, AgentFiles()...)
	for _, f := range want {
		if !slices.Contains(info.Files, f) {
			t.Errorf("the package lacks %s", f)
		}
	}
}

func TestPacmanReadsThePackage(t *testing.T) {
	pacman := testkit.NeedTool(t, "pacman")
	out, err := exec.Command(pacman, "-Qip", build(t, "0.1.0")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "0.1.0-1") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestUnitsAreWellFormed(t *testing.T) {
	verify := testkit.NeedTool(t, "systemd-analyze")
	for _, name := range []string{"rastos-complete.service", "rastos-fold.service", "rastos-agent.service"} {
		data, err := tree.ReadFile("tree/usr/lib/systemd/system/" + name)
		if err != nil {
			t.Fatal(err)
		}
		// The programs are not on this machine; what is asked is the grammar.
		for _, p := range []string{"/usr/bin/rastos", "/usr/lib/rastos/rastos-init"} {
			data = bytes.ReplaceAll(data, []byte(p), []byte("/bin/true"))
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(verify, "verify", "--man=no", path).CombinedOutput()
		if strings.Contains(string(out), name+":") || strings.Contains(string(out), "Unknown") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
