// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/testkit"
)

// plainDir is a Dir over a directory of the test, with no owners and no
// extended attributes, so that the test needs no root.
type plainDir string

func (d plainDir) at(name string) string { return filepath.Join(string(d), name) }

func (d plainDir) Walk(visit func(string, fs.FileInfo) error) error {
	return filepath.WalkDir(string(d), func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(string(d), p)
		if err != nil {
			return err
		}
		if name == "." {
			return nil
		}
		return visit(name, info)
	})
}
func (d plainDir) Lstat(name string) (fs.FileInfo, error)    { return os.Lstat(d.at(name)) }
func (d plainDir) ReadFile(name string) ([]byte, error)      { return os.ReadFile(d.at(name)) }
func (d plainDir) Readlink(name string) (string, error)      { return os.Readlink(d.at(name)) }
func (d plainDir) Xattrs(string) (map[string]string, error)  { return nil, nil }
func (d plainDir) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(d.at(name), perm) }
func (d plainDir) Symlink(target, name string) error         { return os.Symlink(target, d.at(name)) }
func (d plainDir) RemoveAll(name string) error               { return os.RemoveAll(d.at(name)) }
func (d plainDir) Remove(name string) error                  { return os.Remove(d.at(name)) }
func (d plainDir) Chmod(name string, m fs.FileMode) error    { return os.Chmod(d.at(name), m) }
func (d plainDir) Chown(string, int, int) error              { return nil }
func (d plainDir) Chtimes(name string, a, m time.Time) error {
	if info, err := os.Lstat(d.at(name)); err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return err // package os has no call for a link's own times
	}
	return os.Chtimes(d.at(name), a, m)
}
func (d plainDir) SetXattrs(string, map[string]string) error { return nil }
func (d plainDir) Close() error                              { return nil }
func (d plainDir) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return os.WriteFile(d.at(name), data, perm)
}

type machine struct {
	*Store
	subs *testkit.FakeSubvolumes
	t    *testing.T
}

func newMachine(t *testing.T) machine {
	t.Helper()
	top, subs := t.TempDir(), testkit.NewFakeSubvolumes(t)
	ids := 0
	s := &Store{
		Nodes: &node.Store{
			Top: top, Files: testkit.DirFiles{Dir: top}, Subvols: subs,
			Now:     func() time.Time { return time.Unix(1700000000, 0) },
			NewUUID: func() (string, error) { ids++; return fmt.Sprint(ids), nil },
		},
		Subvols: subs,
		Open:    func(dir string) (Dir, error) { return plainDir(dir), nil },
	}
	if err := s.Nodes.Init(); err != nil {
		t.Fatal(err)
	}
	return machine{s, subs, t}
}

// node seals a node whose /etc holds the given files.
func (m machine) node(base int, etc map[string]string) node.Node {
	m.t.Helper()
	w, err := m.Nodes.Begin(base, "test")
	if err != nil {
		m.t.Fatal(err)
	}
	dir := filepath.Join(w.Root(), "etc")
	m.check(os.RemoveAll(dir))
	m.check(os.Mkdir(dir, 0o755))
	for name, text := range etc {
		m.write(dir, name, text)
	}
	n, err := w.Seal(node.Node{Reason: "test"})
	m.check(err)
	return n
}

func (m machine) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) write(dir, name, text string) {
	m.t.Helper()
	m.check(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
	m.check(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

func (m machine) deploy(r Request) Deployment {
	m.t.Helper()
	d, err := m.Create(r)
	m.check(err)
	return d
}

func (m machine) etc(d Deployment) map[string]string {
	m.t.Helper()
	out := map[string]string{}
	dir := plainDir(m.EtcPath(d))
	m.check(dir.Walk(func(name string, info fs.FileInfo) error {
		if !info.Mode().IsRegular() {
			return nil
		}
		data, err := dir.ReadFile(name)
		out[name] = string(data)
		return err
	}))
	return out
}

func (m machine) wantEtc(d Deployment, want map[string]string) {
	m.t.Helper()
	if diff := cmp.Diff(want, m.etc(d)); diff != "" {
		m.t.Errorf("/etc of deployment %d (-want +got):\n%s", d.Number, diff)
	}
}

func TestOneEditSurvivesThreeUpgrades(t *testing.T) {
	m := newMachine(t)
	n := m.node(0, map[string]string{"hosts": "a\nb\nc\n", "release": "1", "old/x": "1"})
	d := m.deploy(Request{Node: n})
	m.wantEtc(d, map[string]string{"hosts": "a\nb\nc\n", "release": "1", "old/x": "1"})
	m.write(m.EtcPath(d), "hosts", "mine\nb\nc\n")
	for i, hosts := range []string{"a\nb\nc\n", "a\nb\nc2\n", "a\nb\nc2\nd\n"} {
		n = m.node(n.Number, map[string]string{"hosts": hosts, "release": fmt.Sprint(i + 2), "new": "n"})
		d = m.deploy(Request{Node: n, From: d.Number})
		m.wantEtc(d, map[string]string{"hosts": "mine" + hosts[1:], "release": fmt.Sprint(i + 2), "new": "n"})
		if len(d.Conflicts) != 0 {
			t.Errorf("upgrade %d: conflicts %v", i, d.Conflicts)
		}
	}
}

func TestWhatTheNodeBringsKeepsItsTimes(t *testing.T) {
	m := newMachine(t)
	n := m.node(0, map[string]string{"a": "1", "d/e/b": "2"})
	pristine := m.pristineEtc(n.Number)
	then := time.Unix(1600000000, 0)
	for _, p := range []string{"a", "d/e/b", "d/e", "d"} {
		m.check(os.Chtimes(filepath.Join(pristine, p), then, then))
	}
	d := m.deploy(Request{Node: n})
	for _, p := range []string{"a", "d/e/b", "d/e", "d"} {
		info, err := os.Lstat(filepath.Join(m.EtcPath(d), p))
		m.check(err)
		if !info.ModTime().Equal(then) {
			t.Errorf("%s has the time %v, want %v", p, info.ModTime(), then)
		}
	}
}

func TestAnEditAfterStagingIsFolded(t *testing.T) {
	m := newMachine(t)
	first := m.deploy(Request{Node: m.node(0, map[string]string{"a": "1", "b": "1"})})
	next := m.deploy(Request{Node: m.node(1, map[string]string{"a": "2", "b": "1"}), From: first.Number})
	if _, folded, err := m.Fold(next); err != nil || folded {
		t.Fatalf("a fold with nothing new: %v, %v", folded, err)
	}
	m.write(m.EtcPath(first), "b", "late")
	m.subs.Touch(m.EtcPath(first))
	folded, did, err := m.Fold(next)
	if err != nil || !did {
		t.Fatalf("fold: %v, %v", did, err)
	}
	m.wantEtc(folded, map[string]string{"a": "2", "b": "late"})
	if _, again, err := m.Fold(folded); err != nil || again {
		t.Fatalf("the same edit was folded twice: %v, %v", again, err)
	}
	// A second late edit goes onto the first; one that a cut left half-written does not.
	m.write(m.EtcPath(first), "c", "later")
	m.write(m.EtcPath(first), ".rastos-tmp-X", "half")
	m.subs.Touch(m.EtcPath(first))
	if folded, _, err = m.Fold(folded); err != nil {
		t.Fatal(err)
	}
	m.wantEtc(folded, map[string]string{"a": "2", "b": "late", "c": "later"})
	half := filepath.Join(m.Nodes.Top, name(next.Number), ".rastos-tmp-X")
	if err := os.WriteFile(half, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if removed, err := m.Recover(); err != nil || len(removed) == 0 {
		t.Fatalf("the replaced /etc was not collected: %v, %v", removed, err)
	}
	if _, err := os.Lstat(half); err == nil {
		t.Error("a record that was being written is left")
	}
	m.wantEtc(folded, map[string]string{"a": "2", "b": "late", "c": "later"})
}

func TestAFoldCutBeforeItsCommitIsDoneAgain(t *testing.T) {
	m := newMachine(t)
	first := m.deploy(Request{Node: m.node(0, map[string]string{"a": "1"})})
	next := m.deploy(Request{Node: m.node(1, map[string]string{"a": "1", "n": "1"}), From: first.Number})
	m.write(m.EtcPath(first), "a", "late")
	m.subs.Touch(m.EtcPath(first))
	// The cut comes when deploy.json is to be written.
	left := 0
	broken := *m.Store
	nodes := *m.Nodes
	nodes.Files = cutFiles{testkit.DirFiles{Dir: nodes.Top}, &left}
	broken.Nodes = &nodes
	if _, _, err := broken.Fold(next); !errors.Is(err, errCut) {
		t.Fatalf("got %v, want the cut", err)
	}
	again, err := m.Get(next.Number)
	m.check(err)
	folded, did, err := m.Fold(again)
	if err != nil || !did {
		t.Fatalf("fold after the cut: %v, %v", did, err)
	}
	m.wantEtc(folded, map[string]string{"a": "late", "n": "1"})
}

var errCut = errors.New("cut")

type cutFiles struct {
	testkit.DirFiles
	left *int
}

func (c cutFiles) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if *c.left--; *c.left < 0 {
		return errCut
	}
	return c.DirFiles.WriteFile(name, data, perm)
}

func TestACutWhileStagingLeavesTheOldDeployments(t *testing.T) {
	for cut := 0; ; cut++ {
		m := newMachine(t)
		first := m.deploy(Request{Node: m.node(0, map[string]string{"a": "1"})})
		n := m.node(1, map[string]string{"a": "2"})
		left := cut
		broken := *m.Store
		nodes := *m.Nodes
		nodes.Files = cutFiles{testkit.DirFiles{Dir: nodes.Top}, &left}
		broken.Nodes = &nodes
		_, err := broken.Create(Request{Node: n, From: first.Number})
		if _, rerr := m.Recover(); rerr != nil {
			t.Fatalf("cut %d: recover: %v", cut, rerr)
		}
		all, lerr := m.List()
		if lerr != nil {
			t.Fatal(lerr)
		}
		want := 1
		if err == nil {
			want = 2
		}
		if len(all) != want || len(m.folders()) != want {
			t.Fatalf("cut %d (%v): %d deployments in %d folders", cut, err, len(all), len(m.folders()))
		}
		m.wantEtc(first, map[string]string{"a": "1"})
		if err == nil {
			return
		}
	}
}

func TestRollbackAsWasTakesTheOldEtcWhole(t *testing.T) {
	m := newMachine(t)
	n := m.node(0, map[string]string{"a": "1"})
	old := m.deploy(Request{Node: n})
	m.write(m.EtcPath(old), "a", "then")
	cur := m.deploy(Request{Node: m.node(1, map[string]string{"a": "1"}), From: old.Number})
	m.write(m.EtcPath(cur), "a", "now")
	m.wantEtc(m.deploy(Request{Node: n, AsWas: old.Number}), map[string]string{"a": "then"})
	m.wantEtc(m.deploy(Request{Node: n, From: cur.Number}), map[string]string{"a": "now"})
}

func TestConflictsAreRecordedAndLoseNothing(t *testing.T) {
	m := newMachine(t)
	first := m.deploy(Request{Node: m.node(0, map[string]string{"a": "1\n"})})
	m.write(m.EtcPath(first), "a", "mine\n")
	d := m.deploy(Request{Node: m.node(1, map[string]string{"a": "theirs\n"}), From: first.Number})
	m.wantEtc(d, map[string]string{"a": "mine\n", "a.rastnew": "theirs\n"})
	read, err := m.Get(d.Number)
	if err != nil || len(read.Conflicts) != 1 || read.Conflicts[0].Path != "a" {
		t.Fatalf("recorded %v, %v", read.Conflicts, err)
	}
}

// A service that was disabled here, and a file that was changed here, stay as they
// are whatever the new node says, and it is told.
func TestWhatIsDecidedAgainstTheNodeIsRecorded(t *testing.T) {
	const off, own, late = "systemd/system/multi-user.target.wants/web.service", "systemd/system/web.service.d/own.conf", "late"
	m := newMachine(t)
	first := m.deploy(Request{Node: m.node(0, map[string]string{off: "1\n", own: "1\n", late: "1\n"})})
	m.check(os.Remove(filepath.Join(m.EtcPath(first), off)))
	m.write(m.EtcPath(first), own, "mine\n")
	d := m.deploy(Request{Node: m.node(1, map[string]string{off: "2\n", late: "2\n"}), From: first.Number})
	m.wantEtc(d, map[string]string{own: "mine\n", late: "2\n"})
	m.check(os.Remove(filepath.Join(m.EtcPath(first), late)))
	m.subs.Touch(m.EtcPath(first))
	d, did, err := m.Fold(d)
	m.check(err)
	read, err := m.Get(d.Number)
	m.check(err)
	var got []string
	for _, n := range read.Notes {
		got = append(got, n.Path+": "+n.Reason)
	}
	const stays, deleted = "changed on this machine and gone from the new node: it stays", "deleted on this machine and changed in the new node: it stays deleted"
	want := []string{off + ": " + deleted, own + ": " + stays, late + ": " + deleted}
	if diff := cmp.Diff(want, got); diff != "" || !did || len(read.Conflicts) != 0 {
		t.Errorf("recorded (-want +got):\n%s%v, %v", diff, read.Conflicts, did)
	}
}

func TestTheInitramfsLastWordsAreTheReason(t *testing.T) {
	m := newMachine(t)
	d := m.deploy(Request{Node: m.node(0, nil)})
	d.State = Armed
	m.check(m.Put(d))
	m.write(filepath.Join(m.Nodes.Top, name(d.Number)), "failure", "start the node's init: not there\n")
	all, err := m.List()
	m.check(err)
	bad := Assess(all, map[int]Entry{d.Number: {Found: true, Counted: true, Done: 3}}, 0)
	if len(bad) != 1 || bad[0].Why != "start the node's init: not there" {
		t.Fatalf("verdict %+v", bad)
	}
}

func TestAssess(t *testing.T) {
	good := Deployment{Number: 1, State: Good}
	armed := Deployment{Number: 2, State: Armed}
	failed := Deployment{Number: 2, State: Armed, Failure: "health check web: exit 1"}
	tests := []struct {
		name    string
		all     []Deployment
		entries map[int]Entry
		booted  int
		bad     []string
	}{
		{"tries used up, the old one runs", []Deployment{good, armed},
			map[int]Entry{1: {Found: true}, 2: {Found: true, Counted: true, Done: 3}}, 1, []string{"tries: 3"}},
		{"its last words are the reason", []Deployment{good, failed},
			map[int]Entry{1: {Found: true}, 2: {Found: true, Counted: true, Done: 3}}, 1, []string{"health check web"}},
		{"picked by hand at 0 tries and running", []Deployment{good, armed},
			map[int]Entry{1: {Found: true}, 2: {Found: true, Counted: true, Done: 3}}, 2, nil},
		{"tries left", []Deployment{good, armed},
			map[int]Entry{1: {Found: true}, 2: {Found: true, Counted: true, Left: 1, Done: 2}}, 1, nil},
		{"an entry lost by a cut is no verdict", []Deployment{good, armed}, nil, 1, nil},
		{"bad and retired ones stay what they are", []Deployment{{Number: 1, State: Bad}, {Number: 2, State: Retired}, {Number: 3, State: Staged}},
			nil, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := Assess(tt.all, tt.entries, tt.booted)
			if len(bad) != len(tt.bad) {
				t.Fatalf("bad: %+v", bad)
			}
			for i, want := range tt.bad {
				if bad[i].State != Bad || !strings.Contains(bad[i].Why, want) {
					t.Errorf("verdict %+v, want a reason with %q", bad[i], want)
				}
			}
		})
	}
}

func TestHeadAndLastGood(t *testing.T) {
	all := []Deployment{{Number: 1, State: Good}, {Number: 2, State: Good}, {Number: 3, State: Bad}, {Number: 4, State: Staged}}
	if d, ok := Head(all); !ok || d.Number != 2 {
		t.Errorf("head %d, %v", d.Number, ok)
	}
	if d, err := LastGood(all, 2); err != nil || d.Number != 1 {
		t.Errorf("last good other than 2: %d, %v", d.Number, err)
	}
	if _, err := LastGood(all[2:], 0); !errors.Is(err, ErrNoGood) {
		t.Errorf("got %v", err)
	}
}
