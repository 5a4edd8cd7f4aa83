// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/testkit"
)

// testTree is a Tree over a directory of the test.
type testTree struct{ testkit.DirFiles }

func (t testTree) at(name string) string                     { return filepath.Join(t.Dir, name) }
func (t testTree) Symlink(target, name string) error         { return os.Symlink(target, t.at(name)) }
func (t testTree) Readlink(name string) (string, error)      { return os.Readlink(t.at(name)) }
func (t testTree) Remove(name string) error                  { return os.Remove(t.at(name)) }
func (t testTree) Chown(string, int, int) error              { return nil }
func (t testTree) Chmod(name string, mode fs.FileMode) error { return os.Chmod(t.at(name), mode) }
func (t testTree) Close() error                              { return nil }
func newTree(t *testing.T) testTree                          { return testTree{testkit.DirFiles{Dir: t.TempDir()}} }
func put(t *testing.T, tree testTree, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(tree.at(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tree.at(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheDatabaseLinkLeadsIntoTheNodeFromAnyRoot(t *testing.T) {
	tree := newTree(t)
	if err := skeleton(tree); err != nil {
		t.Fatal(err)
	}
	put(t, tree, nodeDB+"/ALPM_DB_VERSION", "9\n")
	got, err := os.ReadFile(tree.at(dbLink + "/ALPM_DB_VERSION"))
	if err != nil || string(got) != "9\n" {
		t.Fatalf("through the link: %q, %v", got, err)
	}
	if err := skeleton(tree); err != nil {
		t.Fatalf("a second time: %v", err)
	}
}

func TestEveryMountPointIsInTheTree(t *testing.T) {
	tree := newTree(t)
	put(t, tree, "usr/bin/x", "")
	if err := complete(tree); err != nil {
		t.Fatal(err)
	}
	for _, p := range append(mountPoints(), "swap") {
		if info, err := tree.Lstat(p); err != nil || !info.IsDir() {
			t.Errorf("/%s: %v", p, err)
		}
	}
	if info, _ := tree.Lstat("root"); info.Mode().Perm() != 0o700 {
		t.Errorf("/root has mode %v", info.Mode())
	}
	if info, _ := tree.Lstat("tmp"); info.Mode()&fs.ModeSticky == 0 {
		t.Errorf("/tmp has mode %v", info.Mode())
	}
}

func TestFstabNeverNamesTheRootOrEtc(t *testing.T) {
	mf := (&manifest.Manifest{}).WithDefaults()
	mf.Disk.Swap = 1 << 30
	text := string(fstab(disks{systemUUID: "S", espUUID: "E"}, mf))
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) > 1 && (fields[1] == "/" || fields[1] == "/etc") {
			t.Errorf("fstab pins %s", fields[1])
		}
	}
	for _, want := range []string{"UUID=S /var btrfs", "subvol=/@var", "PARTUUID=E /efi vfat", "/swap/swapfile none swap", "UUID=S /usr/local btrfs"} {
		if !strings.Contains(text, want) {
			t.Errorf("fstab lacks %q:\n%s", want, text)
		}
	}
}

func TestKernelOfAPackage(t *testing.T) {
	tree := newTree(t)
	if _, err := kernelRelease(tree, "linux"); err == nil {
		t.Error("a tree without kernels has one")
	}
	put(t, tree, modulesDir+"/6.1.0/pkgbase", "linux\n")
	put(t, tree, modulesDir+"/6.6.0/pkgbase", "linux-lts\n")
	put(t, tree, modulesDir+"/extra/readme", "")
	got, err := kernelRelease(tree, "linux")
	if err != nil || got != "6.1.0" {
		t.Errorf("%q, %v", got, err)
	}
	_, err = kernelRelease(tree, "linux-zen")
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "linux-lts") {
		t.Errorf("no hint at the kernels that are there: %v", err)
	}
	put(t, tree, modulesDir+"/6.1.1/pkgbase", "linux\n")
	if _, err := kernelRelease(tree, "linux"); err == nil {
		t.Error("two kernels of one package were accepted")
	}
}

func TestBootableNamesWhatIsMissing(t *testing.T) {
	tree := newTree(t)
	files := []string{modulesDir + "/6.1/vmlinuz", modulesDir + "/6.1/modules.dep", initPath}
	for _, missing := range files {
		if err := bootable(tree, "6.1"); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
		put(t, tree, missing, "x")
	}
	if err := bootable(tree, "6.1"); err != nil {
		t.Error(err)
	}
}

func TestCommandLineNamesTheNodeByItsPath(t *testing.T) {
	d := deploy.Deployment{Number: 7, Node: 3}
	got := commandLine("U", d, bootOptions{cmdline: []string{"console=ttyS0"}, compress: "zstd:1"})
	want := "root=UUID=U rootfstype=btrfs rootflags=subvol=/@rastos/nodes/3/root,compress=zstd:1 ro rastos.deploy=7 panic=10 systemd.gpt_auto=0 console=ttyS0"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func deployments(states string) (all []deploy.Deployment) {
	for i, c := range states {
		all = append(all, deploy.Deployment{Number: i + 1, Node: i + 1, State: map[rune]deploy.State{
			'g': deploy.Good, 'b': deploy.Bad, 'a': deploy.Armed,
		}[c]})
	}
	return all
}

func TestCollectKeepsWhatTheMachineMayBoot(t *testing.T) {
	for _, tt := range []struct {
		states       string
		booted, keep int
		want         []int
	}{
		{"ggggg", 5, 0, nil},
		{"ggggg", 5, 5, nil},
		{"ggggg", 5, 2, []int{1, 2, 3}},
		{"ggggg", 1, 1, []int{2, 3}},    // the booted one, the head and the one before stay
		{"gbbba", 1, 1, []int{2, 3, 4}}, // the only good one stays
		{"gggbb", 2, 1, []int{1, 4}},
	} {
		var got []int
		for _, d := range superfluous(deployments(tt.states), tt.booted, tt.booted, tt.keep) {
			got = append(got, d.Number)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s, booted %d, keep %d (-want +got):\n%s", tt.states, tt.booted, tt.keep, diff)
		}
	}
}

func TestRollbackSkipsDeploymentsOfTheSameNode(t *testing.T) {
	all := deployments("gggg")
	all[2].Node = 4 // deployments 3 and 4 run one node
	d, err := previousGood(all, 4)
	if err != nil || d.Number != 2 {
		t.Errorf("got %d, %v", d.Number, err)
	}
	if _, err := previousGood(deployments("bbg"), 3); !errors.Is(err, deploy.ErrNoGood) {
		t.Errorf("got %v", err)
	}
}

func TestFallbackIsToldWithItsReason(t *testing.T) {
	st := Status{}
	for i, d := range deployments("gbb") {
		d.Why = "no reason"
		s := DeploymentStatus{Deployment: d}
		st.Deployments = append([]DeploymentStatus{s}, st.Deployments...)
		if i == 0 {
			st.Booted = s
		}
	}
	if got := fallback(st); !strings.Contains(got, "deployment 3") || !strings.Contains(got, "no reason") {
		t.Errorf("got %q", got)
	}
	if also := st.AlsoFailed(); len(also) != 1 || also[0].Number != 2 {
		t.Errorf("also failed: %+v", also)
	}
	st.Deployments[0].State = deploy.Armed
	if got := fallback(st); got != "" {
		t.Errorf("an upgrade that waits for its reboot is called a fallback: %q", got)
	}
}
