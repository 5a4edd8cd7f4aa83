// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestExitCodesAreDocumented: docs/exit-codes.md lists the codes that exist,
// and no other.
func TestExitCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[int]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[1])
		documented[n] = true
	}
	for _, code := range []int{ExitOK, ExitFailure, ExitUsage, ExitManifest, ExitPackage, ExitVerify, ExitNetwork,
		ExitSpace, ExitPrivilege, ExitHost, ExitLocked, ExitDrift, ExitInterrupted} {
		if !documented[code] {
			t.Errorf("exit code %d is not in docs/exit-codes.md", code)
		}
		delete(documented, code)
	}
	for code := range documented {
		t.Errorf("docs/exit-codes.md has %d, which does not exist", code)
	}
}

// TestEveryVerbIsDocumented: each verb has an example, a script and a manual
// page that names all its flags.
func TestEveryVerbIsDocumented(t *testing.T) {
	var stdout, stderr strings.Builder
	root := newRoot(newSession(t.Context(), newApp(&stdout, &stderr)))
	rootPage, err := os.ReadFile("../../docs/man/rastos.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			path := strings.ReplaceAll(sub.CommandPath(), " ", "-")
			if sub.HasSubCommands() {
				walk(sub)
				continue
			}
			if !strings.Contains(string(rootPage), path+"(1)") {
				t.Errorf("docs/man/rastos.md does not list %s(1)", path)
			}
			if sub.Example == "" {
				t.Errorf("%s has no example", sub.CommandPath())
			}
			checkPage(t, "../../docs/man/"+path+".md", sub)
		}
	}
	walk(root)
	checkNoStalePages(t, root)
}

// checkNoStalePages finds pages of verbs that are gone.
func checkNoStalePages(t *testing.T, root *cobra.Command) {
	t.Helper()
	pages, err := filepath.Glob("../../docs/man/rastos-*.md")
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[string]bool{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		verbs[strings.ReplaceAll(cmd.CommandPath(), " ", "-")] = true
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for _, page := range pages {
		if !verbs[strings.TrimSuffix(filepath.Base(page), ".md")] {
			t.Errorf("%s describes a verb that does not exist", page)
		}
	}
}

func checkPage(t *testing.T, path string, cmd *cobra.Command) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%s has no manual page: %v", cmd.CommandPath(), err)
		return
	}
	for line := range strings.Lines(cmd.LocalNonPersistentFlags().FlagUsages()) {
		flag := regexp.MustCompile(`--[a-z-]+`).FindString(line)
		if flag != "--help" && !strings.Contains(string(page), "`"+flag) {
			t.Errorf("%s does not name the flag %s", path, flag)
		}
	}
}
