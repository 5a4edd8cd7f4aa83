// SPDX-License-Identifier: GPL-3.0-or-later

package duel

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
)

var versionPattern = regexp.MustCompile(`Pacman v(\S+)`)

// PacmanVersion is what pacman calls itself: "pacman 6.0.2".
func PacmanVersion(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "pacman", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("pacman --version: %w", err)
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("pacman --version says no version")
	}
	return "pacman " + string(m[1]), nil
}
