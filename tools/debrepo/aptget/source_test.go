// SPDX-License-Identifier: GPL-3.0-or-later

package aptget

import "testing"

func TestSourcesOf(t *testing.T) {
	for list, want := range map[string]string{
		"# c\ndeb http://d/debian bookworm main\ndeb-src http://d/debian bookworm main\n": "# c\ndeb-src http://d/debian bookworm main\n",
		"deb [arch=amd64] http://d x y":                "deb-src [arch=amd64] http://d x y",
		"Types: deb\nURIs: http://d\nSuites: x\n":      "Types: deb-src\nURIs: http://d\nSuites: x\n",
		"Types: deb deb-src\nURIs: u\n\nTypes: deb\n#": "Types: deb-src\nURIs: u\n\nTypes: deb-src\n#",
	} {
		if got := sourcesOf(list); got != want {
			t.Errorf("%q became %q, not %q", list, got, want)
		}
	}
}
