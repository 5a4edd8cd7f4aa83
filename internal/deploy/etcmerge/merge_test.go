// SPDX-License-Identifier: GPL-3.0-or-later

package etcmerge

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rastos/rastos/internal/testkit"
	"pgregory.net/rapid"
)

// text is a tree written down as path → content; "dir/" is a directory,
// "->x" a link, "0600:text" a file with a mode.
type text map[string]string

func (x text) tree() Tree {
	t := Tree{".": {Type: fs.ModeDir, Perm: 0o755}}
	for p, content := range x {
		for d := path.Dir(strings.TrimSuffix(p, "/")); d != "."; d = path.Dir(d) {
			t[d] = Entry{Type: fs.ModeDir, Perm: 0o755}
		}
		switch {
		case strings.HasSuffix(p, "/"):
			t[strings.TrimSuffix(p, "/")] = Entry{Type: fs.ModeDir, Perm: 0o755}
		case strings.HasPrefix(content, "->"):
			t[p] = Entry{Type: fs.ModeSymlink, Perm: 0o777, Link: content[2:]}
		default:
			e := Entry{Perm: 0o644, Digest: content, Size: int64(len(content))}
			if strings.HasPrefix(content, "0600:") {
				e.Perm, e.Digest, e.Size = 0o600, content[5:], int64(len(content)-5)
			}
			t[p] = e
		}
	}
	return t
}

type sides struct{ base, live, next Tree }

func (s sides) Content(side Side, p string) ([]byte, error) {
	e, ok := []Tree{s.base, s.live, s.next}[side][p]
	if !ok || e.Type != 0 {
		return nil, fmt.Errorf("%s has no file %s", side, p)
	}
	return []byte(e.Digest), nil
}

// apply plays a result on the live tree, and complains as a file system would.
func apply(t interface{ Fatalf(string, ...any) }, live Tree, r Result) Tree {
	out := maps.Clone(live)
	for _, c := range r.Changes {
		if c.Kind != Remove {
			if d, ok := out[path.Dir(c.Path)]; !ok || !d.Type.IsDir() {
				t.Fatalf("%s %s: no parent directory", c.Kind, c.Path)
			}
		}
		switch c.Kind {
		case Take:
			if !c.Entry.Type.IsDir() { // as a file system: what is replaced goes whole
				for p := range out {
					if strings.HasPrefix(p, c.Path+"/") {
						delete(out, p)
					}
				}
			}
			out[c.Path] = c.Entry
		case Write:
			e := c.Entry
			e.Digest, e.Size = string(c.Data), int64(len(c.Data))
			out[c.Path] = e
		case Meta:
			e, ok := out[c.Path]
			if !ok {
				t.Fatalf("meta of %s, which is not there", c.Path)
			}
			e.Perm, e.UID, e.GID, e.Xattrs = c.Entry.Perm, c.Entry.UID, c.Entry.GID, c.Entry.Xattrs
			out[c.Path] = e
		case Remove:
			for d := path.Dir(c.Path); d != "."; d = path.Dir(d) {
				if e, ok := out[d]; ok && !e.Type.IsDir() {
					t.Fatalf("remove %s, whose directory is a link or a file", c.Path)
				}
			}
			for p := range out {
				if path.Dir(p) == c.Path {
					t.Fatalf("remove %s, which still holds %s", c.Path, p)
				}
			}
			delete(out, c.Path)
		}
	}
	return out
}

func (x text) show(t Tree) text {
	out := text{}
	for p, e := range t {
		switch {
		case e.Type.IsDir():
		case e.Link != "":
			out[p] = "->" + e.Link
		case e.Perm == 0o600:
			out[p] = "0600:" + e.Digest
		default:
			out[p] = e.Digest
		}
	}
	return out
}

func TestMerge(t *testing.T) {
	tests := []struct {
		name                   string
		base, live, next, want text
		conflicts, notes       []string
	}{
		{name: "untouched follows the new node",
			base: text{"a": "1", "b": "1"}, live: text{"a": "1", "b": "1"}, next: text{"a": "2", "c": "3"},
			want: text{"a": "2", "c": "3"}},
		{name: "own change stays where the node did not change",
			base: text{"a": "1"}, live: text{"a": "mine", "own": "x"}, next: text{"a": "1"},
			want: text{"a": "mine", "own": "x"}},
		{name: "different lines merge",
			base: text{"a": "1\n2\n3\n"}, live: text{"a": "one\n2\n3\n"}, next: text{"a": "1\n2\nthree\n"},
			want: text{"a": "one\n2\nthree\n"}},
		{name: "the same line conflicts and loses neither side",
			base: text{"a": "1\n"}, live: text{"a": "mine\n"}, next: text{"a": "theirs\n"},
			want: text{"a": "mine\n", "a.rastnew": "theirs\n"}, conflicts: []string{"a"}},
		{name: "data conflicts whole",
			base: text{"a": "\x00 1\n\n3"}, live: text{"a": "\x00 2\n\n3"}, next: text{"a": "\x00 1\n\n4"},
			want: text{"a": "\x00 2\n\n3", "a.rastnew": "\x00 1\n\n4"}, conflicts: []string{"a"}},
		{name: "deleted live stays deleted",
			base: text{"a": "1"}, live: text{}, next: text{"a": "2"}, want: text{}, notes: []string{"a"}},
		{name: "changed live outlives its removal",
			base: text{"a": "1"}, live: text{"a": "mine"}, next: text{}, want: text{"a": "mine"}, notes: []string{"a"}},
		{name: "mode and content from either side",
			base: text{"a": "1"}, live: text{"a": "0600:1"}, next: text{"a": "2"}, want: text{"a": "0600:2"}},
		{name: "machine identity is always live",
			base: text{"machine-id": "", "ssh/ssh_host_x": "b", "k.keytab": "b"},
			live: text{"machine-id": "abc", "ssh/ssh_host_x": "key", "k.keytab": "l"},
			next: text{"machine-id": "zzz", "ssh/ssh_host_x": "n", "k.keytab": "n"},
			want: text{"machine-id": "abc", "ssh/ssh_host_x": "key", "k.keytab": "l"}},
		{name: "links that part conflict",
			base: text{"l": "->a"}, live: text{"l": "->b"}, next: text{"l": "->c"},
			want: text{"l": "->b", "l.rastnew": "->c"}, conflicts: []string{"l"}},
		{name: "a new file in a directory that was deleted here brings the directory back",
			base: text{"d/a": "1"}, live: text{}, next: text{"d/a": "1", "d/b": "2"}, want: text{"d/b": "2"}},
		{name: "a directory gone from the node stays for the own file in it",
			base: text{"d/a": "1"}, live: text{"d/a": "1", "d/own": "x"}, next: text{}, want: text{"d/own": "x"}},
		{name: "a directory gone from the node goes",
			base: text{"d/e/a": "1"}, live: text{"d/e/a": "1"}, next: text{}, want: text{}},
		{name: "the same change on both sides is none",
			base: text{"a": "1"}, live: text{"a": "2"}, next: text{"a": "2"}, want: text{"a": "2"}},
		{name: "both added the same path",
			base: text{}, live: text{"a": "x\n"}, next: text{"a": "y\n"},
			want: text{"a": "x\n", "a.rastnew": "y\n"}, conflicts: []string{"a"}},
		{name: "an untouched file may become a link",
			base: text{"a": "1"}, live: text{"a": "1"}, next: text{"a": "->b"}, want: text{"a": "->b"}},
		{name: "an untouched directory may become a file",
			base: text{"d/e/x": "1"}, live: text{"d/e/x": "1"}, next: text{"d": "2"}, want: text{"d": "2"}},
		{name: "an untouched directory may become a link beside one that stays",
			base: text{"d/x": "1", "m/x": "1"}, live: text{"d/x": "1", "m/x": "1"}, next: text{"d": "->m", "m/x": "1"},
			want: text{"d": "->m", "m/x": "1"}},
		{name: "an untouched link may become a directory",
			base: text{"d": "->m", "m/x": "1"}, live: text{"d": "->m", "m/x": "1"}, next: text{"d/x": "2", "m/x": "1"},
			want: text{"d/x": "2", "m/x": "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sides{tt.base.tree(), tt.live.tree(), tt.next.tree()}
			r, err := Merge(s.base, s.live, s.next, s, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, text{}.show(apply(t, s.live, r))); d != "" {
				t.Errorf("merged tree (-want +got):\n%s", d)
			}
			paths := func(cs []Conflict) (out []string) {
				for _, c := range cs {
					out = append(out, c.Path)
				}
				return out
			}
			if d := cmp.Diff(tt.conflicts, paths(r.Conflicts)); d != "" {
				t.Errorf("conflicts (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.notes, paths(r.Notes)); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
		})
	}
}

func TestMergeTypeClashFailsBeforeAnyChange(t *testing.T) {
	s := sides{text{"a": "1"}.tree(), text{"a/x": "mine"}.tree(), text{"a": "->b"}.tree()}
	_, err := Merge(s.base, s.live, s.next, s, nil)
	var clash *Clash
	if !errors.As(err, &clash) || clash.Path != "a" || clash.Hint() == "" {
		t.Fatalf("got %v, want a clash on a", err)
	}
}

func TestMergeDirectoryWithOwnFilesNeverBecomesAFile(t *testing.T) {
	s := sides{text{"d/x": "1"}.tree(), text{"d/x": "1", "d/own": "mine"}.tree(), text{"d": "file"}.tree()}
	_, err := Merge(s.base, s.live, s.next, s, nil)
	var clash *Clash
	if !errors.As(err, &clash) || clash.Path != "d" {
		t.Fatalf("got %v, want a clash on d", err)
	}
}

func TestMergeNeverWritesThroughALinkOfThisMachine(t *testing.T) {
	s := sides{text{"d/x": "1"}.tree(), text{"d": "->m", "m/x": "mine"}.tree(), text{"d/x": "1", "d/new": "2"}.tree()}
	_, err := Merge(s.base, s.live, s.next, s, nil)
	var clash *Clash
	if !errors.As(err, &clash) || clash.Path != "d" {
		t.Fatalf("got %v, want a clash on d", err)
	}
}

func TestLateKeepsBothSidesOfAClash(t *testing.T) {
	for _, tt := range []struct{ base, live, next, want text }{
		{text{"a": "1"}, text{"a/x": "mine"}, text{"a": "->b"}, text{"a/x": "mine", "a.rastnew": "->b"}},
		{text{"a": "1"}, text{"a": "->m"}, text{"a/x": "1", "a/e/y": "2"}, text{"a": "->m", "a.rastnew/x": "1", "a.rastnew/e/y": "2"}},
		{text{"d/x": "1"}, text{"d/x": "1", "d/own": "m"}, text{"d": "f"}, text{"d/x": "1", "d/own": "m", "d.rastnew": "f"}},
		{text{"d/x": "1"}, text{"d": "->m"}, text{"d/x": "1", "d/n": "2"}, text{"d": "->m", "d.rastnew/x": "1", "d.rastnew/n": "2"}},
	} {
		s := sides{tt.base.tree(), tt.live.tree(), tt.next.tree()}
		r, err := Late(s.base, s.live, s.next, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, text{}.show(apply(t, s.live, r))); d != "" || len(r.Conflicts) != 1 {
			t.Errorf("%v (-want +got):\n%s", r.Conflicts, d)
		}
	}
}

func TestMergeUsesKeysForAccounts(t *testing.T) {
	s := sides{text{"passwd": "b\n"}.tree(), text{"passwd": "l\n"}.tree(), text{"passwd": "n\n"}.tree()}
	r, err := Merge(s.base, s.live, s.next, s, func(p string, b, l, n []byte) ([]byte, []string, error) {
		return slices.Concat(b, l, n), []string{"anna has two numbers"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := text{}.show(apply(t, s.live, r))
	if got["passwd"] != "b\nl\nn\n" || len(r.Conflicts) != 1 {
		t.Fatalf("passwd %q, conflicts %v", got["passwd"], r.Conflicts)
	}
}

func drawTree(t *rapid.T, name string) Tree {
	files := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "d", "d/a", "d/b", "d/e", "d/e/c", "f"}),
		rapid.SampledFrom([]string{"", "1\n2\n", "1\n", "x\n2\n", "->a", "0600:1\n", "\x00"})).Draw(t, name)
	for p := range files { // no file holds others
		for d := path.Dir(p); d != "."; d = path.Dir(d) {
			delete(files, d)
		}
	}
	return text(files).tree()
}

func TestMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, l, n := drawTree(t, "base"), drawTree(t, "live"), drawTree(t, "next")
		must := func(b, l, n Tree) Tree {
			r, err := Merge(b, l, n, sides{b, l, n}, nil)
			if err != nil {
				t.Fatalf("merge: %v", err)
			}
			return apply(t, l, r)
		}
		if d := cmp.Diff(n, must(b, b, n)); d != "" {
			t.Fatalf("an untouched machine must follow the node:\n%s", d)
		}
		if d := cmp.Diff(l, must(b, l, b)); d != "" {
			t.Fatalf("an unchanged node must change nothing:\n%s", d)
		}
		for _, merge := range []func(_, _, _ Tree, _ Source, _ KeyedMerge) (Result, error){Merge, Late} {
			r, err := merge(b, l, n, sides{b, l, n}, nil)
			if err != nil {
				continue
			}
			got := apply(t, l, r)
			for p, e := range l {
				if lb, ok := b[p]; (!ok || !same(lb, e)) && e.Type == 0 {
					if _, there := got[p]; !there {
						t.Fatalf("own file %s was lost", p)
					}
				}
			}
		}
	})
}

// Peer: git merge-file. Where it merges cleanly and so do we, the texts agree;
// we may only be more careful (a conflict) where changes touch.
func TestLinesAgainstGit(t *testing.T) {
	git := testkit.NeedTool(t, "git")
	dir := t.TempDir()
	lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "d\n", "e\n"}), 0, 8)
	clean := 0
	rapid.Check(t, func(t *rapid.T) {
		base := lines.Draw(t, "base")
		edit := func(name string) []string {
			out := slices.Clone(base)
			if len(out) == 0 || rapid.Bool().Draw(t, name+" insert") {
				return slices.Insert(out, rapid.IntRange(0, len(out)).Draw(t, name+" at"), rapid.SampledFrom([]string{"x\n", "y\n"}).Draw(t, name+" line"))
			}
			i := rapid.IntRange(0, len(out)-1).Draw(t, name+" cut")
			return slices.Delete(out, i, i+1)
		}
		texts := [][]string{edit("live"), base, edit("next")}
		argv := []string{"merge-file", "-p", "-q"}
		for i, x := range texts {
			p := filepath.Join(dir, fmt.Sprint(i))
			if err := os.WriteFile(p, []byte(strings.Join(x, "")), 0o600); err != nil {
				t.Fatal(err)
			}
			argv = append(argv, p)
		}
		out, gitErr := exec.Command(git, argv...).Output()
		got, ok := Lines([]byte(strings.Join(base, "")), []byte(strings.Join(texts[0], "")), []byte(strings.Join(texts[2], "")))
		if ok && gitErr == nil {
			clean++
			if string(out) != string(got) && !ambiguous(base) {
				t.Fatalf("git merged to %q, we to %q", out, got)
			}
		}
	})
	if clean == 0 {
		t.Fatal("no case merged cleanly: the comparison compared nothing")
	}
}

// ambiguous tells a base with repeated lines, where several alignments are right.
func ambiguous(base []string) bool {
	seen := map[string]bool{}
	for _, l := range base {
		if seen[l] {
			return true
		}
		seen[l] = true
	}
	return false
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("1\n2\n3\n"), []byte("one\n2\n3\n"), []byte("1\n2\n3"))
	f.Fuzz(func(t *testing.T, base, live, next []byte) {
		if got, ok := Lines(base, live, base); !ok || string(got) != string(live) {
			t.Fatalf("an unchanged next gave %q, %v; live is %q", got, ok, live)
		}
		if got, ok := Lines(base, base, next); !ok || string(got) != string(next) {
			t.Fatalf("an unchanged live gave %q, %v; next is %q", got, ok, next)
		}
		if _, ok := Lines(base, live, live); !ok {
			t.Fatal("the same change twice conflicts")
		}
	})
}
