// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"strings"

	"github.com/rastos/rastos/alpm/hook"
)

// patterns are NoUpgrade, NoExtract and the files to overwrite: the last that
// matches decides, `!` takes back, `*` crosses slashes.
type patterns struct{ list hook.Patterns }

// compilePatterns takes patterns with or without a leading slash.
func compilePatterns(list []string) patterns {
	plain := make([]string, len(list))
	for i, p := range list {
		if rest, not := strings.CutPrefix(p, "!"); not {
			plain[i] = "!" + strings.TrimPrefix(rest, "/")
		} else {
			plain[i] = strings.TrimPrefix(p, "/")
		}
	}
	return patterns{hook.Compile(plain)}
}

func (p patterns) match(path string) bool {
	return len(p.list) > 0 && p.list.Match(path)
}
