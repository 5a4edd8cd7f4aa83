// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/testkit"
)

// compare runs a program of pacman's and our personality of that name.
func (w *world) compare(argv ...string) {
	w.t.Helper()
	theirs, ours := w.program("", argv...), w.run("", argv...)
	if diff := cmp.Diff(theirs, ours, cmp.AllowUnexported(outcome{})); diff != "" {
		w.t.Errorf("%s (-theirs +ours):\n%s", strings.Join(argv, " "), diff)
	}
}

func newPlainWorld(t *testing.T, tool string) *world {
	testkit.Integration(t)
	testkit.NeedTool(t, tool)
	w := &world{t: t, dir: t.TempDir(), env: []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}}
	t.Chdir(w.dir)
	return w
}

// TestConfAsPacmanConf compares with pacman-conf on generated configurations,
// good ones and such with a mistake. Since the default of SigLevel differs
// (ours is that of pacman 7.1), the first line sets it.
func TestConfAsPacmanConf(t *testing.T) {
	w := newPlainWorld(t, "pacman-conf")
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	several := func(list ...string) string {
		var out []string
		for range 1 + r.IntN(3) {
			out = append(out, pick(list...))
		}
		return strings.Join(out, pick(" ", "  "))
	}
	level := func() string {
		return several("Never", "Optional", "Required", "TrustedOnly", "TrustAll", "PackageNever", "PackageOptional", "PackageRequired",
			"PackageTrustAll", "DatabaseNever", "DatabaseRequired", "DatabaseOptional", "DatabaseTrustedOnly", "DatabaseTrustAll")
	}
	option := func() string {
		return pick("RootDir = /r", "DBPath = /db", "CacheDir = /c /d", "HookDir = /h", "GPGDir=/g", "LogFile = /l l", "HoldPkg = a b", "IgnorePkg = x*",
			"IgnoreGroup = g", "NoUpgrade = etc/a  etc/b", "NoExtract = !x", "Architecture = auto", "Architecture = i686 any", "XferCommand = get %u \"a b\" -o %o",
			"CleanMethod = KeepCurrent", "CleanMethod = KeepInstalled KeepCurrent", "UseSyslog", "NoProgressBar", "CheckSpace", "VerbosePkgLists",
			"DisableDownloadTimeout", "ILoveCandy", "Color", "ParallelDownloads = 3", "SigLevel = "+level(), "LocalFileSigLevel = "+level(), "RemoteFileSigLevel = "+level(),
			"  # nothing", "", "Unknown", "Unknown = 1", "Color = x", "SigLevel", "Include = part*.conf", "Include = part1.conf")
	}
	wrong := func() string {
		return pick("SigLevel = Sometimes", "CleanMethod = None", "ParallelDownloads = -1", "ParallelDownloads = 3x", "Include", "Include = nope.conf", "XferCommand = 'x",
			"LocalFileSigLevel = x y", "ParallelDownloads = 99999999999")
	}
	setting := func() string {
		return pick("Server = http://a/$repo/os", "Server = file:///x/$arch", "SigLevel = "+level(), "Usage = "+several("Sync", "Search", "Install", "Upgrade", "All"),
			"Unknown = 2", "Include = part2.conf", "Server", "Usage = Some")
	}
	must(t, os.WriteFile("part1.conf", []byte("IgnorePkg = from-part1\nCheckSpace\n"), 0o644))
	must(t, os.WriteFile("part2.conf", []byte("[part2]\nServer = http://part2\n"), 0o644))
	must(t, os.WriteFile(".part3.conf", []byte("[hidden]\n"), 0o644))
	for i := range 150 {
		var text strings.Builder
		text.WriteString("[options]\nSigLevel = Optional\n")
		for range r.IntN(12) {
			text.WriteString(option() + "\n")
		}
		if r.IntN(5) == 0 {
			text.WriteString(wrong() + "\n")
		}
		for n := range r.IntN(4) {
			fmt.Fprintf(&text, "[repo%d]\n", n)
			for range r.IntN(4) {
				text.WriteString(setting() + "\n")
			}
		}
		name := fmt.Sprintf("c%d", i)
		must(t, os.WriteFile(name, []byte(text.String()), 0o644))
		w.compare("pacman-conf", "-c", name)
		w.compare("pacman-conf", "--config", name, "--rootdir", "/mnt", "--verbose", pick("SigLevel", "DBPath", "cachedir", "Architecture", "Include", "Nope", "Color", "NoProgressBar"))
		w.compare("pacman-conf", "-c"+name, "-r", "repo1", pick("Server", "usage", "SigLevel", "Include", "Nope"), pick("Server", "SigLevel"))
		if t.Failed() {
			t.Fatalf("%s:\n%s", name, text.String())
		}
	}
	for _, line := range []string{"-c c0 -l", "-c c3 -l", "-c c3 --repo=repo0", "-c c3 --repo nope", "-l Server -c c3", "--help", "-V", "-c nope", "-x", "--re", "-c c3 -r", "-c c5 --repo-list -r repo0",
		"-c c3 LogFile HoldPkg IgnorePkg IgnoreGroup NoUpgrade NoExtract XferCommand CheckSpace ParallelDownloads CleanMethod LocalFileSigLevel RemoteFileSigLevel"} {
		w.compare(append([]string{"pacman-conf"}, strings.Fields(line)...)...)
	}
}

// TestVercmpAsVercmp compares the versions of pacman's own test of it, and
// wrong calls.
func TestVercmpAsVercmp(t *testing.T) {
	w := newPlainWorld(t, "vercmp")
	parts := []string{"1", "1.0", "1.0-1", "1.0-2", "1.0rc1", "1.0.rc1", "1.0a", "1.0.a", "1:1.0", "0:1.0-1", "1.10", "1.9", "1.0_1", "1..0", "a", "", "1.0-", "01.0", "2.0alpha"}
	for _, a := range parts {
		for _, b := range parts {
			w.compare("vercmp", a, b)
		}
	}
	w.compare("vercmp", "1")
	w.compare("vercmp", "1", "2", "3")
	if out, err := exec.Command("vercmp").CombinedOutput(); err == nil || len(out) == 0 {
		t.Error("vercmp alone")
	}
	if got := w.run("", "vercmp"); got.code != 2 || !strings.Contains(got.err, "Usage: vercmp <ver1> <ver2>") {
		t.Errorf("ours alone: %+v", got)
	}
}
