// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// suite is a set of packages and how their tests are run.
type suite struct {
	name string
	// why says in one line what the suite is for.
	why string
	// packages finds the packages; an empty answer skips the suite.
	packages func() ([]string, error)
	args     []string
	env      []string
}

// peerRooms are the packages whose integration tests run other programs on
// our bytes, or us on theirs; vmRooms boot machines. All other packages with
// integration tests work on real file systems.
func peerRooms() []string {
	return []string{"alpm", "qcow2", "pkgbuild", "aur", "tools", "internal/pacman", "test/differential"}
}
func vmRooms() []string {
	return []string{"internal/vm", "internal/testkit", "cmd/rastos-init", "test"}
}

func suites() []suite {
	integration := []string{"RASTOS_TEST_INTEGRATION=1"}
	// One package at a time: they share loop devices, cores and memory.
	alone := []string{"-count=1", "-p=1"}
	return []suite{
		{
			name: "pure", why: "no root, no other programs",
			packages: func() ([]string, error) { return []string{"./..."}, nil },
			args:     []string{"-timeout=5m"},
		},
		{
			name: "race", why: "what runs in parallel, under the race detector",
			packages: func() ([]string, error) {
				return present("alpm/extract", "alpm/fetch", "internal/supervise", "internal/supervise/control", "internal/supervise/logs", "internal/supervise/process")
			},
			args: []string{"-race", "-timeout=5m"},
			env:  []string{"CGO_ENABLED=1"},
		},
		{
			name: "peers", why: "our bytes, their reader, and the reverse",
			packages: func() ([]string, error) { return integrationPackages(peerRooms(), nil) },
			args:     append([]string{"-timeout=15m"}, alone...), env: integration,
		},
		{
			name: "fs", why: "real file systems",
			packages: func() ([]string, error) {
				return integrationPackages(nil, append(peerRooms(), vmRooms()...))
			},
			args: append([]string{"-timeout=15m"}, alone...), env: integration,
		},
		{
			name: "vm", why: "whole machines",
			packages: func() ([]string, error) { return integrationPackages(vmRooms(), peerRooms()) },
			args:     append([]string{"-timeout=30m"}, alone...), env: integration,
		},
	}
}

func present(dirs ...string) ([]string, error) {
	var out []string
	for _, d := range dirs {
		if tests, _ := filepath.Glob(filepath.Join(d, "*_test.go")); len(tests) > 0 {
			out = append(out, "./"+d)
		}
	}
	return out, nil
}

// integrationPackages finds the packages with integration tests: below one of
// in (or anywhere, if it is nil) and below none of out.
func integrationPackages(in, out []string) ([]string, error) {
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "build" || base == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, "_test.go") {
			return nil
		}
		dir := path.Dir(filepath.ToSlash(name))
		if found[dir] || in != nil && !below(dir, in) || below(dir, out) {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("find integration tests: %w", err)
		}
		if bytes.Contains(src, []byte("testkit.Integration(")) {
			found[dir] = true
		}
		return nil
	})
	var list []string
	for dir := range found {
		list = append(list, "./"+dir)
	}
	slices.Sort(list)
	return list, err
}

func below(dir string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(r string) bool { return dir == r || strings.HasPrefix(dir, r+"/") })
}
