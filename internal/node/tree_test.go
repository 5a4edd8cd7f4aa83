// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rastos/rastos/internal/testkit"
)

// grown is a tree as a machine has one after a while: 1 was upgraded to 4 with
// all that is below it, then 2 was changed, and 8 branches off an old version.
//
//	1
//	├ 2
//	├ 3
//	├ 4 (of 1)
//	│ ├ 5 (of 2)
//	│ │ └ 7 (of 5)
//	│ └ 6 (of 3)
//	└ 8
func grown() *Tree {
	return NewTree([]Node{
		{Number: 1}, {Number: 2, Parent: 1}, {Number: 3, Parent: 1}, {Number: 4, Parent: 1, Replaces: 1},
		{Number: 5, Parent: 4, Replaces: 2}, {Number: 6, Parent: 4, Replaces: 3, Files: true},
		{Number: 7, Parent: 5, Replaces: 5}, {Number: 8, Parent: 1},
	})
}

func numbers(nodes []Node) []int {
	var out []int
	for _, n := range nodes {
		out = append(out, n.Number)
	}
	return out
}

func TestATreeKnowsVersions(t *testing.T) {
	tree := grown()
	for number, want := range map[int]int{1: 4, 2: 7, 3: 6, 4: 4, 5: 7, 8: 8} {
		if got := tree.Newest(number); got != want {
			t.Errorf("the newest version of %d is %d, want %d", number, got, want)
		}
	}
	if got := numbers(tree.Below(4)); !slices.Equal(got, []int{5, 7, 6}) {
		t.Errorf("below 4: %v", got)
	}
	for root, want := range map[int][]int{1: {1, 7, 6, 8}, 4: {4, 7, 6}, 2: {2}, 9: nil} {
		if got := numbers(tree.Current(root)); !slices.Equal(got, want) {
			t.Errorf("a change of the subtree of %d is about %v, want %v", root, got, want)
		}
	}
	for pair, want := range map[[2]int]bool{{1, 4}: false, {2, 7}: false, {3, 6}: true, {1, 8}: true} {
		if got := tree.Files(pair[0], pair[1]); got != want {
			t.Errorf("files between %v: %v", pair, got)
		}
	}
}

func TestNewVersionsKeepTheShapeOfTheirSubtree(t *testing.T) {
	tree, made := grown(), map[int]int{}
	var got []string
	for i, n := range tree.Current(4) {
		made[n.Number] = 10 + i
		got = append(got, fmt.Sprintf("%d under %d", 10+i, tree.Seat(4, n.Number, made)))
	}
	if want := []string{"10 under 4", "11 under 10", "12 under 10"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWhoLacksAChangeIsBehind(t *testing.T) {
	for _, number := range []int{1, 4} {
		newest, behind := grown().Behind(number)
		if newest != 4 || len(behind) != 1 || behind[0].Node.Number != 8 || behind[0].Base != 1 {
			t.Errorf("of %d: %d, %+v", number, newest, behind)
		}
	}
	if newest, behind := grown().Behind(2); newest != 7 || len(behind) != 0 {
		t.Errorf("of 2: %d, %+v", newest, behind)
	}
}

// TestATreeOfAnyRecordsEnds: records may be damaged; no question runs for ever,
// and a change of a subtree touches no node twice.
func TestATreeOfAnyRecordsEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var nodes []Node
		count := rapid.IntRange(1, 12).Draw(t, "count")
		for i := 1; i <= count; i++ {
			nodes = append(nodes, Node{
				Number: i, Parent: rapid.IntRange(0, 13).Draw(t, "parent"), Replaces: rapid.IntRange(0, 13).Draw(t, "replaces"),
			})
		}
		tree := NewTree(nodes)
		for i := 1; i <= count; i++ {
			list, made := numbers(tree.Current(i)), map[int]int{}
			if len(list) != len(slices.Compact(slices.Sorted(slices.Values(list)))) || list[0] != i {
				t.Fatalf("a change of %d: %v", i, list)
			}
			for j, number := range list {
				made[number] = 100 + j
				if seat := tree.Seat(i, number, made); j > 0 && (seat < 100 || seat >= 100+j) {
					t.Fatalf("%d of %v sits under %d", number, list, seat)
				}
			}
			tree.Behind(i)
			tree.Files(i, tree.Newest(i))
		}
	})
}

func TestADeletedNodeLeavesNoGap(t *testing.T) {
	s, _ := newStore(t)
	seal(t, begin(t, s, 0))
	for base := 1; base <= 2; base++ {
		w := begin(t, s, base)
		if _, err := w.Seal(Node{Replaces: base, Files: base == 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetAlias("web", 2); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lookup("web"); got != 3 || err != nil {
		t.Fatalf("web is %d, %v", got, err)
	}
	if err := s.Delete(2); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Get(3); n.Parent != 1 || n.Replaces != 1 || !n.Files {
		t.Errorf("%+v, %v", n, err)
	}
	if got, err := s.Lookup("web"); got != 3 || err != nil {
		t.Errorf("web is %d, %v", got, err)
	}
	if err := s.Delete(3); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lookup("web"); got != 1 || err != nil {
		t.Errorf("web is %d, %v", got, err)
	}
	if err := s.Delete(1); err != nil {
		t.Fatal(err)
	}
	var unknown *UnknownNameError
	if _, err := s.Lookup("web"); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}

func TestNamesThatCouldBeMistakenAreRefused(t *testing.T) {
	s, _ := newStore(t)
	seal(t, begin(t, s, 0))
	for _, name := range []string{"", "7", "Web", "a b", "booted", "head", "../x", "-x"} {
		var wrong *NameError
		if err := s.SetAlias(name, 1); !errors.As(err, &wrong) {
			t.Errorf("%q: %v", name, err)
		}
	}
	var none *NotFoundError
	if err := s.SetAlias("web", 5); !errors.As(err, &none) {
		t.Errorf("got %v", err)
	}
}

// TestABatchComesToBeAtOnce cuts the power after every write.
func TestABatchComesToBeAtOnce(t *testing.T) {
	none, all := 0, 0
	for cut := 0; ; cut++ {
		s, subs := newStore(t)
		seal(t, begin(t, s, 0))
		left := cut
		broken := *s
		broken.Files, broken.Subvols = cutFiles{testkit.DirFiles{Dir: s.Top}, &left}, cutSubvolumes{subs, &left}
		err := batchOfTwo(&broken)
		if _, rerr := s.Recover(); rerr != nil {
			t.Fatalf("cut %d: %v", cut, rerr)
		}
		list, lerr := s.List()
		if lerr != nil {
			t.Fatal(lerr)
		}
		tree := NewTree(list)
		switch {
		case len(list) == 1 && err != nil:
			none++
		case len(list) == 3 && numbers(tree.Below(1))[0] == list[1].Number && tree.Parent(list[2].Number) == list[1].Number:
			all++
			if to, err := s.Lookup("twin"); err != nil || to != list[2].Number || list[2].Alias != "" {
				t.Fatalf("cut %d: the alias leads to %d, %v; the record says %q", cut, to, err, list[2].Alias)
			}
		default:
			t.Fatalf("cut %d: %v, %v", cut, numbers(list), err)
		}
		for _, dir := range []string{"work", "nodes"} {
			entries, derr := os.ReadDir(filepath.Join(s.Top, Folder, dir))
			if derr != nil || dir == "work" && len(entries) > 0 || dir == "nodes" && len(entries) != len(list) {
				t.Fatalf("cut %d: %s holds %v, %v", cut, dir, entries, derr)
			}
		}
		if err == nil {
			break
		}
	}
	if none == 0 || all < 2 {
		t.Errorf("nothing was left %d times, everything %d times", none, all)
	}
}

func batchOfTwo(s *Store) error {
	b, err := s.Batch("test")
	if err != nil {
		return err
	}
	w, err := s.Begin(1, "test")
	if err != nil {
		return err
	}
	n, err := b.Seal(w, Node{Parent: 1})
	if err != nil {
		return err
	}
	if _, err := b.Copy(1, Node{Parent: n.Number, Alias: "twin"}); err != nil {
		return err
	}
	return b.Commit()
}

// TestWorkInUseIsNoGarbage: only what nobody holds is collected, and who holds it
// is told.
func TestWorkInUseIsNoGarbage(t *testing.T) {
	s, _ := newStore(t)
	held := map[string]bool{}
	s.Holder = Holder{PID: 7, User: "anna"}
	s.Hold = func(path string) (func(), bool, error) {
		if held[path] {
			return nil, true, nil
		}
		held[path] = true
		return func() { delete(held, path) }, false, nil
	}
	seal(t, begin(t, s, 0))
	w := begin(t, s, 1)
	if removed, err := s.Recover(); err != nil || len(removed) != 0 {
		t.Fatalf("removed %v, %v", removed, err)
	}
	who, err := s.Holders(1)
	if err != nil || len(who) != 1 || who[0].User != "anna" || who[0].PID != 7 || who[0].Reason != "test" {
		t.Errorf("held by %+v, %v", who, err)
	}
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
	if who, err = s.Holders(1); err != nil || len(who) != 0 || len(held) != 0 {
		t.Errorf("held by %+v, %v (%v)", who, err, held)
	}
}
