// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes a module of these files and goes there.
func write(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// TestRunOfARealModule lets go test run over tests that pass, fail, skip, are
// left for later, panic and do not compile.
func TestRunOfARealModule(t *testing.T) {
	write(t, map[string]string{
		"go.mod": "module example.org/m\n\ngo 1.26\n",
		"a/a_test.go": `package a
import "testing"
func TestGood(t *testing.T) { t.Log("quiet") }
func TestBad(t *testing.T) { t.Error("it is broken") }
func TestSkip(t *testing.T) { t.Skip("no such tool") }
func TestLater(t *testing.T) { t.Skip("an integration test: RASTOS_TEST_INTEGRATION is not 1") }
`,
		"b/b_test.go": "package b\nimport \"testing\"\nfunc TestPanic(t *testing.T) { panic(\"boom\") }\n",
		"c/c_test.go": "package c\nfunc broken( {\n",
		"d/d.go":      "package d\n",
		"e/e_test.go": "package e\nimport \"testing\"\nfunc TestFine(t *testing.T) {}\n",
	})
	var out strings.Builder
	r := runSuite(t.Context(), &out, suite{name: "all", packages: func() ([]string, error) { return []string{"./..."}, nil }}, true, false)
	got := []int{r.packages, r.broken, r.passed, r.failures, r.skipped, r.later}
	if diff := cmp.Diff([]int{4, 3, 2, 2, 1, 1}, got); diff != "" {
		t.Errorf("packages, broken, passed, failures, skipped, later: %s\n%s", diff, out.String())
	}
	if !r.failed() {
		t.Error("the suite is not called failed")
	}
	for _, want := range []string{
		"ok  \texample.org/m/e\t", "FAIL\texample.org/m/a\t", "FAIL\texample.org/m/b\t", "FAIL\texample.org/m/c [setup failed]",
		"it is broken", "panic: boom", "skip\texample.org/m/a\tTestSkip: a_test.go:5: no such tool",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "quiet") {
		t.Error("the output of a test that passed was printed")
	}
}

func TestIntegrationPackagesByRoom(t *testing.T) {
	mark := "package x\nfunc TestX(t *testing.T) { testkit.Integration(t) }\n"
	write(t, map[string]string{
		"alpm/a/a_test.go":         mark,
		"alpm/pure/p_test.go":      "package x\n",
		"internal/vm/v_test.go":    mark,
		"internal/node/n_test.go":  mark,
		"internal/node/o_test.go":  mark,
		"testdata/t_test.go":       mark,
		"build/b_test.go":          mark,
		"internal/vmx/vmx_test.go": mark,
	})
	for want, args := range map[string][2][]string{
		"./alpm/a":                       {{"alpm"}, nil},
		"./internal/vm":                  {{"internal/vm"}, nil},
		"./internal/node ./internal/vmx": {nil, {"alpm", "internal/vm"}},
	} {
		got, err := integrationPackages(args[0], args[1])
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%v, %v; want %s", got, err, want)
		}
	}
}

func TestUnknownSuiteIsRefused(t *testing.T) {
	var out strings.Builder
	if code := run(t.Context(), &out, []string{"pur"}, false, false); code != 2 || !strings.Contains(out.String(), "there are: pure, race") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}

// TestNothingIsLost: every suite but pure and race takes its packages from the
// same search, so each package with integration tests is in exactly one.
func TestNothingIsLost(t *testing.T) {
	t.Chdir("../..")
	all, err := integrationPackages(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, s := range suites() {
		if s.env == nil || s.name == "race" {
			continue
		}
		packages, err := s.packages()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packages {
			seen[p]++
		}
	}
	for _, p := range all {
		if seen[p] != 1 {
			t.Errorf("%s is in %d suites", p, seen[p])
		}
	}
}
