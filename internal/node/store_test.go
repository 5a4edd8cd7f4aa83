// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
)

func newStore(t *testing.T) (*Store, *testkit.FakeSubvolumes) {
	t.Helper()
	top, subs, ids := t.TempDir(), testkit.NewFakeSubvolumes(t), 0
	s := &Store{
		Top: top, Files: testkit.DirFiles{Dir: top}, Subvols: subs,
		Now:     func() time.Time { return time.Unix(1700000000, 0) },
		NewUUID: func() (string, error) { ids++; return fmt.Sprintf("uuid-%d", ids), nil },
	}
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	return s, subs
}

func begin(t *testing.T, s *Store, base int) *Work {
	t.Helper()
	w, err := s.Begin(base, "test")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func seal(t *testing.T, w *Work) Node {
	t.Helper()
	n, err := w.Seal(Node{Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestABranchHoldsItsBaseAndItsChange(t *testing.T) {
	s, subs := newStore(t)
	w := begin(t, s, 0)
	write(t, filepath.Join(w.Root(), "a"), "1")
	first := seal(t, w)
	w = begin(t, s, first.Number)
	write(t, filepath.Join(w.Root(), "b"), "2")
	second := seal(t, w)

	if first.Number != 1 || second.Number != 2 || second.Parent != 1 || first.UUID == second.UUID {
		t.Fatalf("nodes %+v and %+v", first, second)
	}
	if _, err := os.Stat(filepath.Join(s.Root(1), "b")); err == nil {
		t.Error("the change of the branch reached its base")
	}
	for _, f := range []string{"a", "b"} {
		if _, err := os.Stat(filepath.Join(s.Root(2), f)); err != nil {
			t.Errorf("the branch lacks %s", f)
		}
	}
	if !subs.ReadOnly(s.Root(2)) {
		t.Error("a sealed node is writable")
	}
	list, err := s.List()
	if err != nil || len(list) != 2 {
		t.Fatalf("list %v, %v", list, err)
	}
	if _, err := os.Stat(w.Root()); err == nil {
		t.Error("the work of a sealed node is still there")
	}
}

func TestADiscardedNumberIsNotUsedAgain(t *testing.T) {
	s, _ := newStore(t)
	n := seal(t, begin(t, s, 0))
	if err := s.Delete(n.Number); err != nil {
		t.Fatal(err)
	}
	if again := seal(t, begin(t, s, 0)); again.Number == n.Number {
		t.Fatalf("number %d was used twice", n.Number)
	}
}

func TestAMissingNodeIsNamed(t *testing.T) {
	s, _ := newStore(t)
	_, err := s.Begin(7, "test")
	var none *NotFoundError
	if !errors.As(err, &none) || none.Number != 7 {
		t.Fatalf("got %v", err)
	}
	if _, err := (&Store{Top: "/x", Files: testkit.DirFiles{Dir: t.TempDir()}}).State(); !errors.Is(err, ErrNoState) {
		t.Fatalf("got %v", err)
	}
}

// cutFiles fails every write from the given one on, as a power cut does.
type cutFiles struct {
	testkit.DirFiles
	left *int
}

var errCut = errors.New("cut")

func (c cutFiles) WriteFile(name string, data []byte, perm os.FileMode) error {
	if *c.left--; *c.left < 0 {
		return errCut
	}
	return c.DirFiles.WriteFile(name, data, perm)
}

type cutSubvolumes struct {
	*testkit.FakeSubvolumes
	left *int
}

func (c cutSubvolumes) Snapshot(src, dst string, ro bool) error {
	if *c.left--; *c.left < 0 {
		return errCut
	}
	return c.FakeSubvolumes.Snapshot(src, dst, ro)
}

func (c cutSubvolumes) Delete(path string) error {
	if *c.left--; *c.left < 0 {
		return errCut
	}
	return c.FakeSubvolumes.Delete(path)
}

// Stopped after any effect of a transaction, recovery leaves the old nodes, and
// the new one whole or not at all, and nothing else.
func TestACutAfterAnyStepLeavesWholeNodes(t *testing.T) {
	sealed := 0
	for cut := 0; ; cut++ {
		s, subs := newStore(t)
		old := seal(t, begin(t, s, 0))
		left := cut
		broken := *s
		broken.Files = cutFiles{testkit.DirFiles{Dir: s.Top}, &left}
		broken.Subvols = cutSubvolumes{subs, &left}
		w, err := broken.Begin(old.Number, "cut")
		if err == nil {
			_, err = w.Seal(Node{Reason: "cut", Alias: "new"})
		}
		if err != nil && !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if _, err := s.Recover(); err != nil {
			t.Fatalf("cut %d: recover: %v", cut, err)
		}
		list, lerr := s.List()
		if lerr != nil {
			t.Fatal(lerr)
		}
		for _, dir := range []string{nodesDir, workDir} {
			names, _ := s.numbers(dir)
			if dir == workDir && len(names) != 0 || dir == nodesDir && len(names) != len(list) {
				t.Fatalf("cut %d: orphans in %s: %v", cut, dir, names)
			}
		}
		if !slices.ContainsFunc(list, func(n Node) bool { return n.Number == old.Number }) {
			t.Fatalf("cut %d: the old node is gone", cut)
		}
		if len(list) == 2 {
			sealed++
			if to, err := s.Lookup("new"); err != nil || to != list[1].Number || list[1].Alias != "" {
				t.Fatalf("cut %d: the alias leads to %d, %v; the record says %q", cut, to, err, list[1].Alias)
			}
		}
		if err == nil {
			break
		}
		if again := seal(t, begin(t, s, old.Number)); again.Number <= list[len(list)-1].Number {
			t.Fatalf("cut %d: number %d was used twice", cut, again.Number)
		}
	}
	if sealed == 0 {
		t.Fatal("no cut came after the commit: the loop tested nothing there")
	}
}

// A file that was being written is no part of anything, wherever it lies; what
// others work on is left alone.
func TestRecoverSweepsWhatWasBeingWritten(t *testing.T) {
	s, _ := newStore(t)
	n := seal(t, begin(t, s, 0))
	gone := []string{Folder + "/.rastos-tmp-A", fmt.Sprintf("%s/%d/.rastos-tmp-B", nodesDir, n.Number)}
	kept := []string{Folder + "/lock", RootName(n.Number) + "/.rastos-tmp-C"}
	for _, name := range append(gone, kept...) {
		write(t, filepath.Join(s.Top, name), "{")
	}
	if _, err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(gone, kept...) {
		_, err := os.Stat(filepath.Join(s.Top, name))
		if slices.Contains(kept, name) != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
