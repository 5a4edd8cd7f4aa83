// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/internal/testkit"
)

func TestBelowListsWhatHasToBeDeletedFirst(t *testing.T) {
	testkit.Integration(t)
	top := testkit.BtrfsDisk(t, 256)
	at := func(rel string) string { return filepath.Join(top, rel) }
	must(t, btrfs.Create(at("a")))
	must(t, os.MkdirAll(at("a/var/lib"), 0o755))
	for _, p := range []string{"a/var/lib/machines", "a/var/lib/machines/inner", "a.other", "b", "b/in"} {
		must(t, btrfs.Create(at(p)))
	}
	below, err := btrfs.Below(at("a"))
	must(t, err)
	want := []string{at("a/var/lib/machines/inner"), at("a/var/lib/machines")}
	if !slices.Equal(below, want) {
		t.Fatalf("below a: %v, want %v", below, want)
	}
	for _, p := range append(below, at("a")) {
		must(t, btrfs.Delete(p))
	}
	all, err := btrfs.Below(top)
	must(t, err)
	if want := []string{at("b/in"), at("b"), at("a.other")}; !slices.Equal(all, want) {
		t.Fatalf("below the top: %v, want %v", all, want)
	}
}
