// SPDX-License-Identifier: GPL-3.0-or-later

package testkit

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// missing skips the test, or fails it in CI: a silent skip there would report
// a suite as passed that never ran.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s, and CI=true allows no skip", what)
	}
	t.Skipf("this test needs %s", what)
}

// NeedTool returns the path of a host program that the test runs.
func NeedTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, "the program "+name)
	}
	return path
}

// NeedRoot asks for an effective user id of 0.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root")
	}
}

// NeedKernelFS asks for a file system that the running kernel knows.
func NeedKernelFS(t testing.TB, name string) {
	t.Helper()
	list, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		missing(t, "/proc/filesystems")
	}
	for _, line := range strings.Split(string(list), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 0 && fields[len(fields)-1] == name {
			return
		}
	}
	missing(t, "the "+name+" file system in the kernel")
}

// NeedCgroup2 asks for root and a hierarchy of cgroups of version 2 to make some
// in, with controllers or without.
func NeedCgroup2(t testing.TB) {
	t.Helper()
	NeedRoot(t)
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || !strings.Contains(string(mounts), " cgroup2 rw") {
		missing(t, "a hierarchy of cgroups of version 2 that can be written to")
	}
}

// Integration marks a test of levels 2 to 4 (real file systems, peers that
// take long, virtual machines). It runs when RASTOS_TEST_INTEGRATION=1, which
// `make test` sets for its later suites.
func Integration(t testing.TB) {
	t.Helper()
	if os.Getenv("RASTOS_TEST_INTEGRATION") != "1" {
		t.Skip("an integration test: RASTOS_TEST_INTEGRATION is not 1")
	}
}

// Rounds is how often a test of chance is to try: a few times in `make test`,
// often where RASTOS_TEST_SOAK=1, which `make soak` sets.
func Rounds(few, many int) int {
	if soaking() {
		return many
	}
	return few
}

// Soak marks a test that goes on for many minutes, for `make soak` alone.
func Soak(t testing.TB) {
	t.Helper()
	if !soaking() {
		t.Skip("a long test: RASTOS_TEST_SOAK is not 1")
	}
}

// Figures marks a test that measures, and returns where its figures go: `make
// bench` says so in RASTOS_TEST_FIGURES.
func Figures(t testing.TB) (dir string) {
	t.Helper()
	dir = os.Getenv("RASTOS_TEST_FIGURES")
	if dir == "" {
		t.Skip("a measurement: RASTOS_TEST_FIGURES is not set")
	}
	return dir
}

func soaking() bool { return os.Getenv("RASTOS_TEST_SOAK") == "1" }

// LogWriter gives what is written to it to the test's log, a line at a time.
func LogWriter(t testing.TB) io.Writer { return &logWriter{t: t} }

type logWriter struct {
	t    testing.TB
	mu   sync.Mutex
	rest []byte
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		w.t.Logf("%s", w.rest[:i])
		w.rest = w.rest[i+1:]
	}
}
