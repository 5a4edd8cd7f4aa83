// SPDX-License-Identifier: GPL-3.0-or-later

package figure_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/bench/figure"
)

func TestWriteThenRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "figures")
	want := figure.Figure{
		Name: "install-tmpfs", Value: 2.5, Unit: "x", Ours: 2, Peer: "pacman 6.0.2", PeerValue: 5, Runs: 3,
		Command: "make bench-packages", Date: time.Unix(1700000000, 0).UTC(),
	}
	if err := figure.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := figure.Read(dir, want.Name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("read what was not written (-want +got):\n%s", diff)
	}
	data, err := os.ReadFile(filepath.Join(dir, "install-tmpfs.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"name", "value", "unit", "ours", "peer", "peer_value", "runs", "command", "date"} {
		if !strings.Contains(string(data), `"`+key+`": `) {
			t.Errorf("the file has no %s:\n%s", key, data)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := figure.Read(dir, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing figure: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cut.json"), []byte(`{"name":`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := figure.Read(dir, "cut"); err == nil {
		t.Error("a truncated figure was read without an error")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := figure.Median(c.values); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	values := []float64{3, 1, 2}
	if figure.Median(values); values[0] != 3 {
		t.Error("Median sorted its argument")
	}
}
