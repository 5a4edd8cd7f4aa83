// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/testkit"
)

func TestDiffOfTwoNodes(t *testing.T) {
	testkit.Integration(t)
	b := newDiskBox(t)
	first := b.node(0, node.Node{Kernel: "6.1"}, func(tree testTree) {
		for _, p := range []string{"glibc", "nano", "tool", "same"} {
			putPackage(t, tree, p, "2-1")
		}
		put(t, tree, systemManifestPath, "[system]\nhostname = \"a\"\n")
		put(t, tree, "etc/passwd", "root\n")
		put(t, tree, "usr/bin/nano", "nano")
		put(t, tree, "usr/bin/tool", "tool")
	})
	second := b.node(first.Number, node.Node{Kernel: "6.2"}, func(tree testTree) {
		for _, p := range []string{"glibc-2-1", "nano-2-1", "tool-2-1"} {
			b.check(os.RemoveAll(filepath.Join(tree.Dir, nodeDB, p)))
		}
		putPackage(t, tree, "glibc", "3-1")
		putPackage(t, tree, "tool", "1:1-1")
		putPackage(t, tree, "vim", "9-1")
		put(t, tree, systemManifestPath, "[system]\nhostname = \"b\"\n")
		put(t, tree, "etc/passwd", "root\n") // the same again
		put(t, tree, "etc/new", "new")
		b.check(os.Remove(tree.at("usr/bin/nano")))
		b.check(os.Rename(tree.at("usr/bin/tool"), tree.at("usr/bin/tool2")))
		b.check(os.Chmod(tree.at("usr/bin"), 0o700))
	})
	third := b.node(second.Number, node.Node{Kernel: "6.2"}, func(tree testTree) {
		b.check(os.RemoveAll(filepath.Join(tree.Dir, nodeDB, "glibc-3-1")))
		putPackage(t, tree, "glibc", "2-9")
	})

	told := func(before, after node.Node) (out []string) {
		t.Helper()
		d := &SnapshotDiff{Before: before, After: after}
		b.check(b.fillDiff(t.Context(), b.sys, d))
		if d.Kernel != nil {
			out = append(out, "kernel "+d.Kernel.From+" "+d.Kernel.To)
		}
		for _, c := range d.Manifest {
			out = append(out, "manifest "+c.Key+" "+c.Was+" "+c.Is)
		}
		for _, p := range d.Packages {
			out = append(out, fmt.Sprintf("%s %s %s %s", p.Op, p.Name, p.From, p.To))
		}
		for _, c := range append(d.Etc, d.Files...) {
			out = append(out, fmt.Sprint(c.Op, " ", c.From, c.Path, c.What))
		}
		return out
	}
	want := []string{
		"kernel 6.1 6.2", `manifest system.hostname "a" "b"`,
		"upgraded glibc 2-1 3-1", "removed nano 2-1 ", "upgraded tool 2-1 1:1-1", "added vim  9-1",
		"added etc/new[]", "changed etc/rastos/rastos.toml[content]",
		"changed usr/bin[mode]", "removed usr/bin/nano[]", "renamed usr/bin/toolusr/bin/tool2[]",
	}
	if diff := cmp.Diff(want, told(first, second)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"downgraded glibc 3-1 2-9"}, told(second, third)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := told(third, third); len(got) != 0 {
		t.Errorf("a node differs from itself: %v", got)
	}
}
