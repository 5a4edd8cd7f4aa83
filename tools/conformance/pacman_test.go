// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// TestPacmansSuite is `make conformance` as a test: no case of pacman's own
// suite fails that pacman passes.
func TestPacmansSuite(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	for _, tool := range []string{"apt-get", "python3", "busybox", "curl"} {
		testkit.NeedTool(t, tool)
	}
	s := settings{
		program: testkit.NeedBinary(t), cache: filepath.Join(filepath.Dir(testkit.NeedBinary(t)), "cache"),
		figures: t.TempDir(), only: regexp.MustCompile(""), workers: 2,
	}
	var out strings.Builder
	failed, err := s.run(t.Context(), &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if failed {
		t.Error(out.String())
	}
	_, table, _ := strings.Cut(out.String(), "\narea ")
	t.Log("area " + table)
}
