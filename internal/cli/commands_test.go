// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestDocumentedCommandsExist: each command line that a document, a manual
// page or an example of --help shows names a verb and flags that exist.
func TestDocumentedCommandsExist(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, _ := filepath.Glob("../../docs/man/*.md")
	files = append(append(files, pages...), "../../README.md")
	shown := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?ms)^```(?:console)?\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
			shown += checkCommands(t, file, block[1])
		}
	}
	var stdout, stderr strings.Builder
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		shown += checkCommands(t, "the help of "+cmd.CommandPath(), cmd.Example)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(newSession(t.Context(), newApp(&stdout, &stderr))))
	if shown < 20 {
		t.Errorf("only %d commands found", shown)
	}
}

// checkCommands checks the lines of text that run rastos and counts them.
func checkCommands(t *testing.T, where, text string) (shown int) {
	t.Helper()
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || strings.TrimPrefix(words[0], "build/") != "rastos" {
			continue
		}
		shown++
		var stdout, stderr strings.Builder
		root := newRoot(newSession(t.Context(), newApp(&stdout, &stderr)))
		cmd, rest, err := root.Find(commandWords(words[1:]))
		if err != nil || cmd == root {
			t.Errorf("%s shows a verb that does not exist: %s", where, line)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s shows flags that do not exist: %s: %v", where, line, err)
		}
	}
	return shown
}

// commandWords cuts a line where the shell or another program goes on, and
// where the text explains.
func commandWords(words []string) []string {
	for i, w := range words {
		switch {
		case w == "&&" || w == ">" || w == "|" || w == "#" || w == "--":
			return words[:i]
		case strings.HasPrefix(w, "'"):
			return append(words[:i:i], "quoted")
		}
	}
	return words
}
