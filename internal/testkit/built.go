// SPDX-License-Identifier: GPL-3.0-or-later

package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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

// NeedLibalpm returns rastos-libalpm: the one that RASTOS_TEST_LIBALPM names,
// or else one that is built now.
func NeedLibalpm(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("RASTOS_TEST_LIBALPM"); path != "" {
		return path
	}
	for _, tool := range []string{"gcc", "make", "pkg-config"} {
		NeedTool(t, tool)
	}
	for _, header := range []string{"alpm.h", "archive.h"} {
		if _, err := os.Stat(filepath.Join("/usr/include", header)); err != nil {
			missing(t, "libalpm's headers: "+header)
		}
	}
	path, err := builtLibalpm()
	if err != nil {
		t.Fatalf("make libalpm: %v", err)
	}
	return path
}

// builtLibalpm builds it once for a test program.
var builtLibalpm = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", err
	}
	dir := strings.TrimSpace(string(root))
	if out, err := exec.Command("make", "-s", "-C", dir, "libalpm").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return filepath.Join(dir, "build", "rastos-libalpm"), nil
})
