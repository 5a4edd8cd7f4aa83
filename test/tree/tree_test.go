// SPDX-License-Identifier: GPL-3.0-or-later

package tree_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/testkit"
)

// TestLifeOfATree: one tree, shaped by every verb in turn.
func TestLifeOfATree(t *testing.T) {
	m := newMachine(t)
	m.ok("snapshot", "branch", "1", "--alias", "web", "--label", "the web server") // 2
	m.ok("snapshot", "branch", "1")                                                // 3
	m.publish("extra", "1-1", nil)
	m.ok("pkg", "install", "extra", "--node", "web", "--sync", "--yes") // 4 of 2
	m.want(4, "usr/share/extra/version", "1-1\n")
	m.want(2, "usr/share/extra/version", "")
	m.wantShape("1(0) 2(1) 3(1) 4(2)")
	m.sound()

	// A command sees its own host name and process table, and the machine nothing
	// of what it does.
	m.ok("snapshot", "run", "web", "--", "sh", "-c", "hostname > /etc/where; echo $$ > /etc/pid; echo x > /etc/typed; echo mine >> /etc/hosts; rm -f /run/x; touch /tmp/y") // 5 of 4
	m.want(5, "etc/where", "node-4\n")
	m.want(5, "etc/hosts", "127.0.0.1 localhost\n\n# more\nmine\n")
	m.want(4, "etc/where", "")
	if pid, err := strconv.Atoi(strings.TrimSpace(m.file(5, "etc/pid"))); err != nil || pid > 50 {
		t.Errorf("its process id was %d, %v", pid, err)
	}
	m.refused(3, "nothing was changed", "snapshot", "run", "web", "--", "sh", "-c", "echo y > /etc/typed; exit 3")
	shell := m.command(t.Context(), "snapshot", "shell", "web")
	shell.Stdin = strings.NewReader("echo typed in the shell > /etc/typed\nexit 0\n")
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.want(6, "etc/typed", "typed in the shell\n")
	m.wantShape("1(0) 2(1) 3(1) 4(2) 5(4) 6(5)")

	// An upgrade of everything: the head's new version boots next.
	m.publish("tool", "2-1", nil)
	done := m.ok("upgrade", "--tree", "--yes")
	if !strings.Contains(done, "node 7 is deployment 2 and boots next") {
		t.Errorf("it said\n%s", done)
	}
	m.wantShape("1(0) 2(1) 3(1) 4(2) 5(4) 6(5) 7(1) 8(7) 9(7)")
	for _, number := range []int{7, 8, 9} {
		m.want(number, "usr/share/tool/version", "2-1\n")
	}
	m.want(8, "etc/typed", "typed in the shell\n")
	m.sound()

	m.ok("snapshot", "tree-run", "7", "--", "sed", "-i", "s/localhost/localhost atlas/", "/etc/hosts") // 10, 11, 12
	m.want(11, "etc/hosts", "127.0.0.1 localhost atlas\n\n# more\nmine\n")
	m.refused(1, "exit code 1", "snapshot", "tree-run", "7", "--", "grep", "mine", "/etc/hosts")

	// What changes in one node is carried to those that came from it.
	m.ok("snapshot", "run", "10", "--", "sh", "-c", "echo new > /etc/new; sed -i s/127.0.0.1/127.0.0.2/ /etc/hosts") // 13 of 10
	m.publish("tool", "3-1", nil)
	m.ok("pkg", "install", "tool", "--node", "13", "--sync", "--yes") // 14
	m.publish("tool", "4-1", nil)
	m.ok("snapshot", "sync", "10", "--yes")
	m.wantShape("1(0) 2(1) 3(1) 4(2) 5(4) 6(5) 7(1) 8(7) 9(7) 10(7) 11(10) 12(10) 13(10) 14(13) 15(14) 16(14)")
	for _, number := range []int{15, 16} {
		m.want(number, "usr/share/tool/version", "3-1\n")
		m.want(number, "etc/new", "new\n")
	}
	m.want(15, "etc/hosts", "127.0.0.2 localhost atlas\n\n# more\nmine\n")
	m.sound()

	m.ok("snapshot", "create", "--label", "as it ran")                // 17
	m.ok("snapshot", "clone", "14", "--recursive", "--alias", "copy") // 18, 19, 20
	m.wantShape("1(0) 2(1) 3(1) 4(2) 5(4) 6(5) 7(1) 8(7) 9(7) 10(7) 11(10) 12(10) 13(10) 14(13) 15(14) 16(14) 17(1) 18(0) 19(18) 20(18)")
	m.refused(1, "deployment 1 runs", "snapshot", "delete", "1", "--yes")
	m.ok("snapshot", "delete", "copy", "--recursive", "--yes")
	sizesAgree(m)
	m.ok("snapshot", "pin", "13")
	m.ok("snapshot", "prune", "--yes")
	// Of what the rules decide on the newest two stay, and what is pinned, named or
	// deployed, and what nothing replaces.
	m.wantShape("1(0) 2(1) 7(1) 13(7) 14(13) 15(14) 16(14) 17(1)")
	m.sound()
	if n := decoded[flow.NodeRecord](m, "snapshot", "branch", "web"); n.Number != 21 || n.Parent != 15 {
		t.Errorf("%+v", n)
	}
}

// TestANewTreeIsWhatTheManifestSays: from scratch, with the machine's accounts.
func TestANewTreeIsWhatTheManifestSays(t *testing.T) {
	m := newMachine(t)
	m.ok("snapshot", "run", "1", "--", "touch", "/etc/since") // 2
	etc := filepath.Join(m.top, "@rastos/deploy/1/etc.0")
	if out, err := exec.Command("sh", "-c", "echo shop:x:990:990::/:/bin/sh >> "+etc+"/passwd; echo shop:x:990: >> "+etc+"/group").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n := decoded[flow.NodeRecord](m, "snapshot", "new", "--alias", "clean")
	if n.Number != 3 || n.Parent != 0 || n.Count != 4 || n.Kernel != "6" || n.Owned || n.Files {
		t.Errorf("%+v", n)
	}
	m.want(3, "etc/since", "")
	m.want(3, "etc/hostname", "atlas\n")
	m.want(3, "etc/passwd.pacnew", "")
	if got := m.file(3, "etc/passwd"); !strings.Contains(got, "shop:x:990:990") || !strings.Contains(got, "root:x:0:0") {
		t.Errorf("its accounts are\n%s", got)
	}
	if got := m.file(3, "etc/rastos/rastos.lock"); !strings.Contains(got, "tool") {
		t.Errorf("its lock is\n%s", got)
	}
	m.refused(3, "no/such", "snapshot", "new", "/no/such.toml")
	m.wantShape("1(0) 2(1) 3(0)")
	m.sound()
}

// sizesAgree holds our sizes against btrfs filesystem du.
func sizesAgree(m *machine) {
	m.t.Helper()
	u := decoded[flow.SpaceUse](m, "snapshot", "du")
	for _, n := range u.Nodes {
		out, err := exec.Command("btrfs", "filesystem", "du", "--raw", "-s", m.nodes.Root(n.Number)).Output()
		m.must(err)
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		fields := strings.Fields(lines[len(lines)-1])
		if fields[0] != strconv.FormatUint(n.Referenced, 10) || fields[1] != strconv.FormatUint(n.Exclusive, 10) {
			m.t.Errorf("node %d: %+v, btrfs filesystem du: %v", n.Number, n, fields)
		}
	}
}

// TestANodeThatSomebodyWorksOnStays: the system may be changed meanwhile.
func TestANodeThatSomebodyWorksOnStays(t *testing.T) {
	m := newMachine(t)
	m.ok("snapshot", "branch", "1") // 2
	m.ok("snapshot", "branch", "1") // 3
	shell := m.command(t.Context(), "snapshot", "run", "2", "--", "sh", "-c", "while ! grep -q go /etc/hosts; do sleep 0.1; done")
	m.must(shell.Start())
	work := m.workRoot("etc/hosts")
	m.refused(10, "works on it since", "snapshot", "delete", "2", "--yes")
	m.ok("snapshot", "delete", "3", "--yes")
	m.ok("snapshot", "branch", "1") // 4: recovery leaves the shell's work alone
	m.publish("extra", "1-1", nil)
	m.ok("pkg", "install", "extra", "--sync", "--yes") // 5, deployed
	if out, err := exec.Command("sh", "-c", "echo go >> "+work+"/etc/hosts").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.must(shell.Wait())
	m.wantShape("1(0) 2(1) 4(1) 5(1) 6(2)")
	m.ok("snapshot", "delete", "2", "--yes")
	m.wantShape("1(0) 4(1) 5(1) 6(1)")
	m.sound()
}

// TestTwoChangesAtOnce: the second says who is at work, and nothing is lost.
func TestTwoChangesAtOnce(t *testing.T) {
	m := newMachine(t)
	const each = 4
	made := make(chan int)
	for range each {
		go func() {
			cmd := m.command(context.Background(), "snapshot", "branch", "1")
			_ = cmd.Run()
			made <- cmd.ProcessState.ExitCode()
		}()
	}
	did, refused := 0, 0
	for range each {
		switch <-made {
		case 0:
			did++
		case 10:
			refused++
		}
	}
	list, err := m.nodes.List()
	if err != nil || len(list) != 1+did || did == 0 || did+refused != each {
		t.Errorf("%d made, %d refused, %d nodes, %v", did, refused, len(list), err)
	}
	m.sound()
}

// TestOthersMeetAnUpgrade that takes its time: whoever comes meanwhile may look, and
// is told at once who holds the system when they want to change it.
func TestOthersMeetAnUpgrade(t *testing.T) {
	m := newMachine(t)
	for range 2 {
		m.ok("pkg", "remove", "tool", "--yes")
		m.ok("pkg", "install", "tool", "--sync", "--yes")
	} // 2 to 5, each deployed
	m.publish("tool", "2-1", map[string]string{"usr/share/libalpm/hooks/slow.hook": `[Trigger]
Type = Package
Operation = Upgrade
Target = tool
[Action]
When = PostTransaction
Exec = /bin/sh -c 'while ! grep -q go /etc/hosts; do sleep 0.1; done'
`})
	upgrade := m.command(t.Context(), "upgrade", "--yes")
	m.must(upgrade.Start())
	root := m.workRoot("usr/share/libalpm/hooks/slow.hook")
	m.wantShape("1(0) 2(1) 3(2) 4(3) 5(4)")
	if out := m.ok("snapshot", "prune", "--dry-run"); !strings.Contains(out, "remove") {
		t.Errorf("nothing is to be pruned:\n%s", out)
	}
	m.ok("status")
	for _, args := range [][]string{
		{"upgrade"}, {"pkg", "remove", "tool"}, {"rollback", "--to", "1"}, {"deploy", "2"}, {"snapshot", "prune"}, {"snapshot", "delete", "2"},
	} {
		m.refused(10, "is at work", append(args, "--yes")...)
	}
	m.must(os.WriteFile(filepath.Join(root, "etc/hosts"), []byte("go\n"), 0o644))
	m.must(upgrade.Wait())
	m.ok("snapshot", "prune", "--yes")
	m.wantShape("1(0) 5(1) 6(5)")
	m.sound()
}

// workRoot waits until the only work that is done has a file, and returns its root.
func (m *machine) workRoot(file string) string {
	m.t.Helper()
	work := filepath.Join(m.top, "@rastos/work")
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got := m.entries(work); len(got) == 1 {
			root := filepath.Join(work, got[0], "root")
			if _, err := os.Lstat(filepath.Join(root, file)); err == nil {
				return root
			}
		}
	}
	m.t.Fatalf("nobody works on %s", file)
	return ""
}

// What somebody does to the running machine is told, whatever it is about.
func TestDriftFromTheNode(t *testing.T) {
	m := newMachine(t)
	drift := func(args ...string) (found []string) {
		out, code := m.run(append([]string{"drift", "--json"}, args...)...)
		var d flow.Drift
		lines := strings.Split(strings.TrimSpace(out), "\n")
		m.must(json.Unmarshal([]byte(lines[len(lines)-1]), &d))
		for _, one := range d.Differences {
			found = append(found, one.Kind+" "+one.Name+": "+one.Found)
		}
		if want := 11; code != want && len(found) > 0 {
			t.Errorf("exit code %d", code)
		}
		return found
	}
	before := drift("--files")
	etc := filepath.Join(m.top, "@rastos/deploy/1/etc.0")
	for name, text := range map[string]string{"passwd": "bob:x:1001:1001::/home/bob:/bin/sh\n", "motd": "hello\n", "machine-id": "x"} {
		old, _ := os.ReadFile(filepath.Join(etc, name))
		m.must(os.WriteFile(filepath.Join(etc, name), append(old, text...), 0o644))
	}
	wants := filepath.Join(etc, "systemd/system/multi-user.target.wants")
	m.must(os.MkdirAll(wants, 0o755))
	m.must(os.WriteFile(filepath.Join(etc, "systemd/system/mine.service"), []byte("[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"), 0o644))
	m.must(os.Symlink("../mine.service", filepath.Join(wants, "mine.service")))
	m.must(os.MkdirAll(filepath.Join(etc, "own/x"), 0o755))
	var got []string
	for _, one := range drift("--files") {
		if !slices.Contains(before, one) {
			got = append(got, one)
		}
	}
	want := []string{"user bob: number 1001", "service mine.service: enabled", "etc /etc/motd: added", "etc /etc/own: added", "etc /etc/systemd/system/mine.service: added"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if found := drift(); slices.ContainsFunc(found, func(s string) bool { return strings.HasPrefix(s, "etc ") }) {
		t.Errorf("without --files: %q", found)
	}
}

// TestAKilledChangeLeavesTheOldTreeOrTheNew kills at random moments.
func TestAKilledChangeLeavesTheOldTreeOrTheNew(t *testing.T) {
	m := newMachine(t)
	m.ok("snapshot", "branch", "1")
	m.ok("snapshot", "branch", "2")
	m.publish("extra", "1-1", nil)
	m.ok("pkg", "sync")
	began := time.Now()
	m.ok("snapshot", "tree-run", "2", "--", "touch", "/etc/x")
	whole := time.Since(began)
	old, fresh := 0, 0
	for range testkit.Rounds(8, 80) {
		before := len(strings.Fields(m.shape()))
		verb := [][]string{
			{"pkg", "install", "extra", "--node", "2", "--tree", "--yes", "--reinstall"},
			{"snapshot", "clone", "2", "--recursive"},
			{"snapshot", "tree-run", "2", "--", "touch", "/etc/x"},
		}[rand.IntN(3)]
		cmd := m.command(t.Context(), verb...) // each of its programs takes the last one's place
		m.must(cmd.Start())
		time.Sleep(rand.N(whole))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		m.ok("snapshot", "pin", "1") // the next command, whichever, recovers
		m.sound()
		made := len(strings.Fields(m.shape())) - before
		switch {
		case made == 0:
			old++
		case made >= 2:
			fresh++
		default:
			t.Fatalf("%v: %d nodes came of it: %s", verb, made, m.shape())
		}
	}
	t.Logf("%d times the old tree, %d times the new", old, fresh)
}
