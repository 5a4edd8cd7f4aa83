// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/pacman"
	"github.com/rastos/rastos/internal/testkit"
)

// TestBarsAsPacman compares what a terminal shows in the end, from the end of
// the downloads on: those depend on the clock.
func TestBarsAsPacman(t *testing.T) {
	c := newChanges(t)
	testkit.NeedTool(t, "script")
	for _, columns := range []int{50, 58, 80, 81, 120, 200} {
		for _, more := range []string{"", "VerbosePkgLists", "Color", "ILoveCandy", "NoProgressBar"} {
			c.configure(more)
			c.fresh()
			args := c.args([]string{"--noconfirm", "-Syu", "t3", "user"})
			cmd := exec.Command("script", "-qec", fmt.Sprintf("stty cols %d; %s", columns, strings.Join(args, " ")), "/dev/null")
			cmd.Env = c.env
			theirs, err := cmd.CombinedOutput()
			must(t, err)
			c.fresh()
			var screen strings.Builder
			app := c.app(strings.NewReader(""), &screen, &screen)
			app.StdoutIsTerminal, app.StdinIsTerminal = true, true
			app.Columns = func() int { return columns }
			if code := pacman.Main(context.Background(), app, args); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if diff := cmp.Diff(shown(string(theirs)), shown(screen.String())); diff != "" {
				t.Errorf("%d columns, %s (-theirs +ours):\n%s", columns, more, diff)
			}
		}
	}
}

// shown is the part of a terminal's lines that is left when all is written.
func shown(text string) (lines []string) {
	text = strings.NewReplacer("\033[?25h", "", "\033[?25l", "", "\r\r\n", "\n", "\r\n", "\n").Replace(text)
	_, text, _ = strings.Cut(text, "looking for conflicting packages...")
	plan, rest, _ := strings.Cut(text, "Retrieving packages...")
	if i := strings.Index(rest, "checking key"); i >= 0 {
		rest = rest[strings.LastIndex(rest[:i], "\n")+1:]
	}
	for _, line := range strings.Split(plan+"\n"+rest, "\n") {
		line = strings.TrimPrefix(line, "\033[0m") // of the line before; a bar is written over it
		parts := strings.Split(strings.TrimRight(line, "\r"), "\r")
		lines = append(lines, parts[len(parts)-1])
	}
	return lines
}
