// SPDX-License-Identifier: GPL-3.0-or-later

package cutdisk_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/cutdisk"
)

// TestWhatACutKeeps: what was flushed, always; of the rest any sectors, in any of
// their states, and none of another disk's.
func TestWhatACutKeeps(t *testing.T) {
	testkit.Integration(t)
	const sector = 4096
	d := cutdisk.New(t)
	image := filepath.Join(t.TempDir(), "image")
	check(t, os.WriteFile(image, bytes.Repeat([]byte{'0'}, 8*sector), 0o600))
	a, b := open(t, d.Add("a", image, sector)), open(t, d.Add("b", image, sector))
	d.Record()
	put := func(f *os.File, number int, text byte) {
		_, err := f.WriteAt(bytes.Repeat([]byte{text}, sector), int64(number*sector))
		check(t, err)
	}
	put(a, 0, '1')
	put(a, 1, '1')
	flushed := d.BeforeFlush(0)
	check(t, a.Sync())
	put(a, 1, '2')
	put(a, 1, '3')
	put(a, 2, '2')
	put(b, 0, '9')
	d.Stop()
	put(a, 7, '7')
	if flushed != 2 || d.Now() != 7 {
		t.Errorf("the flush is event %d of %d", flushed, d.Now())
	}

	seen := map[string]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	replay := d.Cuts()
	cut := func(at int, kept float64) (onA, onB string) {
		dir := t.TempDir()
		check(t, replay.Cut(dir, at, kept, rng))
		return sectors(t, filepath.Join(dir, "a"), sector), sectors(t, filepath.Join(dir, "b"), sector)
	}
	for range 40 {
		onA, _ := cut(2, 0.5)
		seen[onA]++
	}
	if len(seen) != 4 {
		t.Errorf("before the flush: %v", seen)
	}
	clear(seen)
	for range 200 {
		onA, onB := cut(7, 0.5)
		seen[onA]++
		seen[onB]++
	}
	for _, want := range []string{"11000000", "12000000", "13000000", "11200000", "12200000", "13200000", "90000000", "00000000"} {
		if seen[want] == 0 {
			t.Errorf("never seen: %s", want)
		}
	}
	if len(seen) != 8 || replay.Unflushed() != 4 {
		t.Errorf("%d sectors unflushed, seen %v", replay.Unflushed(), seen)
	}
	if onA, onB := cut(7, 0); onA != "11000000" || onB != "00000000" {
		t.Errorf("with nothing kept: %s, %s", onA, onB)
	}
	if onA, onB := cut(7, 1); onA != "13200000" || onB != "90000000" {
		t.Errorf("with all kept: %s, %s", onA, onB)
	}
	if err := replay.Cut(t.TempDir(), 3, 1, rng); err == nil {
		t.Error("it went back in time")
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// sectors tells the first byte of each.
func sectors(t *testing.T, path string, size int) string {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	var out []byte
	for at := 0; at < len(data); at += size {
		out = append(out, data[at])
	}
	return string(out)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
