// SPDX-License-Identifier: GPL-3.0-or-later

package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// NeedBinary returns the built rastos, with rastos-init beside it, that
// RASTOS_TEST_BINARY names (`make test` sets it).
func NeedBinary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("RASTOS_TEST_BINARY")
	if path == "" {
		missing(t, "the built rastos (RASTOS_TEST_BINARY)")
	}
	for _, p := range []string{path, filepath.Join(filepath.Dir(path), "rastos-init")} {
		if _, err := os.Stat(p); err != nil {
			missing(t, p)
		}
	}
	return path
}

// NeedRepo returns the folder and the name of a signed pacman repository with
// a whole system, which RASTOS_TEST_REPO names.
func NeedRepo(t testing.TB) (dir, name string) {
	t.Helper()
	dir = os.Getenv("RASTOS_TEST_REPO")
	if dir == "" {
		missing(t, "a repository with a system (RASTOS_TEST_REPO)")
	}
	name = filepath.Base(dir)
	if _, err := os.Stat(filepath.Join(dir, name+".db")); err != nil {
		missing(t, "the database of "+dir)
	}
	return dir, name
}
