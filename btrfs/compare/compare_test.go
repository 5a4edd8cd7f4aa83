// SPDX-License-Identifier: GPL-3.0-or-later

package compare_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/compare"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/grove"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// byWalk is the plain way: both trees, name by name.
func byWalk(t *testing.T, before, now string) map[string]string {
	t.Helper()
	a, b := grove.Walk(t, before), grove.Walk(t, now)
	out := map[string]string{}
	for p, was := range a {
		is, there := b[p]
		if !there {
			out[p] = "removed"
			continue
		}
		if what := aspects(was, is); len(what) > 0 {
			out[p] = fmt.Sprint("changed ", what)
		}
	}
	for p := range b {
		if _, there := a[p]; !there {
			out[p] = "added"
		}
	}
	return out
}

func aspects(was, is grove.File) (out []compare.Aspect) {
	const kind = 0o170000
	if was.Mode&kind != is.Mode&kind {
		out = append(out, compare.Type)
	} else if was.SHA256 != is.SHA256 || was.Target != is.Target || was.Dev != is.Dev {
		out = append(out, compare.Content)
	}
	if was.Mode&0o7777 != is.Mode&0o7777 && was.Target == "" && is.Target == "" {
		out = append(out, compare.Mode)
	}
	if was.UID != is.UID || was.GID != is.GID {
		out = append(out, compare.Owner)
	}
	if was.Xattrs != is.Xattrs {
		out = append(out, compare.Xattrs)
	}
	return out
}

// flat takes renames apart, as a walk sees them, and checks what they say.
func flat(t *testing.T, before, now string, changes []compare.Change) map[string]string {
	t.Helper()
	a, b := grove.Walk(t, before), grove.Walk(t, now)
	out := map[string]string{}
	for _, c := range changes {
		switch c.Op {
		case compare.Renamed:
			out[c.From], out[c.Path] = "removed", "added"
			if want := aspects(a[c.From], b[c.Path]); !slices.Equal(c.What, want) {
				t.Errorf("%q, once %q, differs in %v, a walk finds %v", c.Path, c.From, c.What, want)
			}
		case compare.Changed:
			out[c.Path] = fmt.Sprint("changed ", c.What)
		default:
			out[c.Path] = string(c.Op)
		}
	}
	return out
}

func check(t *testing.T, what, before, now string) []compare.Change {
	t.Helper()
	changes, err := compare.Subvolumes(context.Background(), before, now)
	must(t, err)
	if diff := cmp.Diff(byWalk(t, before, now), flat(t, before, now, changes)); diff != "" {
		t.Errorf("%s: -walk +ours:\n%s", what, diff)
	}
	return changes
}

// TestDifferencesAreThoseOfAWalk compares trees grown by chance: one with its
// descendants, backwards, two branches, and two that have nothing in common.
func TestDifferencesAreThoseOfAWalk(t *testing.T) {
	testkit.Integration(t)
	seeds := []uint64{63, 70, 90, 117, 194} // these showed faults once
	for seed := range uint64(testkit.Rounds(3, 200)) {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			top := testkit.BtrfsDisk(t, 384)
			at := func(name string) string { return filepath.Join(top, name) }
			grow := func(from, name string, seed uint64, n int) {
				t.Helper()
				if from == "" {
					must(t, btrfs.Create(at(name+".rw")))
				} else {
					must(t, btrfs.Snapshot(at(from), at(name+".rw"), false))
				}
				g := grove.New(t, at(name+".rw"), seed)
				if from == "" {
					g.Plant(80)
				}
				g.Change(n)
				must(t, btrfs.Snapshot(at(name+".rw"), at(name), true))
			}
			grow("", "base", seed, 60)
			grow("base", "left", seed+1000, 40)
			grow("base", "right", seed+2000, 40)
			grow("left", "far", seed+3000, 60)
			grow("", "other", seed+4000, 20)
			for _, pair := range [][2]string{{"base", "left"}, {"left", "base"}, {"base", "far"}, {"left", "right"}, {"far", "right"}, {"base", "other"}, {"base", "base"}} {
				check(t, pair[0]+" to "+pair[1], at(pair[0]), at(pair[1]))
			}
		})
	}
}

func TestWhatIsTold(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 256)
	a, b, work := filepath.Join(top, "a"), filepath.Join(top, "b"), filepath.Join(top, "work")
	must(t, btrfs.Create(work))
	in := func(p string) string { return filepath.Join(work, p) }
	write := func(p, text string) { t.Helper(); must(t, os.WriteFile(in(p), []byte(text), 0o644)) }
	for _, d := range []string{"dir/sub", "keep"} {
		must(t, os.MkdirAll(in(d), 0o755))
	}
	for _, f := range []string{"same", "replaced", "grown", "mode", "owner", "gone", "moved", "linked", "dir/f", "dir/sub/g", "keep/f"} {
		write(f, f)
	}
	must(t, os.Link(in("linked"), in("keep/linked")))
	must(t, os.Symlink("/etc", in("out")))
	must(t, btrfs.Snapshot(work, a, true))

	write("same", "same")             // in place
	write("replaced.new", "replaced") // by another inode
	must(t, os.Rename(in("replaced.new"), in("replaced")))
	write("grown", "grown and grown")
	must(t, os.Chmod(in("mode"), 0o4755))
	must(t, os.Chown(in("owner"), 7, 8))
	must(t, os.Remove(in("gone")))
	must(t, os.Rename(in("moved"), in("keep/moved")))
	write("keep/linked", "LINKED")
	must(t, os.Rename(in("dir"), in("folder")))
	must(t, os.Remove(in("out")))
	must(t, os.Mkdir(in("out"), 0o755))
	write("out/passwd", "not the host's")
	must(t, os.Chtimes(in("keep/f"), time.Unix(1, 0), time.Unix(1, 0)))
	must(t, btrfs.Snapshot(work, b, true))

	var got []string
	for _, c := range check(t, "told", a, b) {
		line := fmt.Sprintf("%s %s", c.Op, c.Path)
		if c.From != "" {
			line += " from " + c.From
		}
		if len(c.What) > 0 {
			line += fmt.Sprint(" ", c.What)
		}
		got = append(got, line)
	}
	want := []string{
		"renamed folder from dir", "renamed folder/f from dir/f", "renamed folder/sub from dir/sub", "renamed folder/sub/g from dir/sub/g",
		"removed gone", "changed grown [content]", "changed keep/linked [content]", "renamed keep/moved from moved",
		"changed linked [content]", "changed mode [mode]", "changed out [type]", "added out/passwd", "changed owner [owner]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAChangeAsJSON(t *testing.T) {
	c := compare.Change{Path: "usr/bin/su", Op: compare.Changed, What: []compare.Aspect{compare.Mode}, Was: &compare.File{Type: "file", Mode: 0o755}, Is: &compare.File{Type: "file", Mode: 0o4755}}
	data, err := json.Marshal(c)
	must(t, err)
	const want = `{"path":"usr/bin/su","op":"changed","what":["mode"],"was":{"type":"file","mode":"0755","uid":0,"gid":0,"size":0},"is":{"type":"file","mode":"4755","uid":0,"gid":0,"size":0}}`
	if string(data) != want {
		t.Errorf("%s", data)
	}
	var back compare.Change
	must(t, json.Unmarshal(data, &back))
	if diff := cmp.Diff(c, back); diff != "" {
		t.Error(diff)
	}
}

func TestComparingNeedsReadOnlySubvolumes(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 128)
	a, b := filepath.Join(top, "a"), filepath.Join(top, "b")
	must(t, btrfs.Create(a))
	must(t, btrfs.Snapshot(a, b, true))
	for _, pair := range [][2]string{{a, b}, {b, a}, {top + "/absent", b}} {
		if _, err := compare.Subvolumes(context.Background(), pair[0], pair[1]); err == nil {
			t.Errorf("%v were compared", pair)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := compare.Subvolumes(ctx, b, b); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// BenchmarkCompare compares nodes of 100,000 files of which 1,000 differ.
func BenchmarkCompare(b *testing.B) {
	testkit.Integration(b)
	top := testkit.BtrfsDisk(b, 2048)
	work := filepath.Join(top, "work")
	must(b, btrfs.Create(work))
	file := func(i int) string {
		return filepath.Join(work, fmt.Sprintf("d%03d", i/200), fmt.Sprintf("file-%06d", i))
	}
	for i := range 100_000 {
		if i%200 == 0 {
			must(b, os.Mkdir(filepath.Dir(file(i)), 0o755))
		}
		must(b, os.WriteFile(file(i), fmt.Appendf(nil, "file %d", i), 0o644))
	}
	must(b, btrfs.Snapshot(work, filepath.Join(top, "a"), true))
	for i := range 1000 {
		must(b, os.WriteFile(file(i*97), fmt.Appendf(nil, "FILE %d", i), 0o644))
	}
	must(b, btrfs.Snapshot(work, filepath.Join(top, "b"), true))
	for b.Loop() {
		changes, err := compare.Subvolumes(context.Background(), filepath.Join(top, "a"), filepath.Join(top, "b"))
		must(b, err)
		if len(changes) != 1000 {
			b.Fatalf("%d changes", len(changes))
		}
	}
}
