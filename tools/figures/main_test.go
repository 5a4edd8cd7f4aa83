// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiguresBesideTargets(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"install-tmpfs":  `{"name":"install-tmpfs","value":2.51,"unit":"x","peer":"pacman 6.0.2"}`,
		"install-btrfs":  `{"name":"install-btrfs","value":1.1,"unit":"x"}`,
		"install-memory": `{"name":"install-memory","value":0.2,"unit":"GB"}`,
		"install-hooks":  `{"name":"install-hooks","value":1.7,"unit":"x"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	missed, err := run(&out, dir)
	if err != nil {
		t.Fatal(err)
	}
	if missed != 2 {
		t.Errorf("missed = %d, want 2: one too low, one in another unit", missed)
	}
	for _, want := range []string{"2.51 x", "ok     pacman 6.0.2", "1.1 x", "MISSED", "unit?", "1.7 x         none"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestBrokenFigureIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "install-tmpfs.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := run(&strings.Builder{}, dir); err == nil {
		t.Error("a truncated figure was read without an error")
	}
}
