// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"path"
	"strconv"
	"strings"
)

// Link is a symbolic link that update-alternatives would have made.
type Link struct {
	Name   string // its path
	Target string // a path of the same package
}

// Alternatives chooses, over all packages, who gets each link: the highest
// priority, then the first by name. The result is by Debian package name.
func Alternatives(sources []*Source) map[string][]Link {
	type claim struct {
		owner    string
		priority int
		links    []Link
	}
	best := make(map[string]claim) // by the name of the alternative's link
	for _, s := range sources {
		owner := s.debianName()
		for _, a := range append(readAlternatives(s.Control.Scripts["postinst"]), hiddenAlternatives[owner]...) {
			old, taken := best[a.links[0].Name]
			if !taken || a.priority > old.priority || a.priority == old.priority && owner < old.owner {
				best[a.links[0].Name] = claim{owner, a.priority, a.links}
			}
		}
	}
	chosen := make(map[string][]Link)
	for _, c := range best {
		chosen[c.owner] = append(chosen[c.owner], c.links...)
	}
	return chosen
}

type alternative struct {
	priority int
	links    []Link // the main one first, then its slaves
}

// hiddenAlternatives are those that scripts put together from variables.
var hiddenAlternatives = map[string][]alternative{
	"procps": {{50, []Link{{"usr/bin/w", "usr/bin/w.procps"}}}},
}

// readAlternatives finds "update-alternatives --install LINK NAME PATH
// PRIORITY [--slave LINK NAME PATH]…" in a script. Calls whose words are made
// of variables are passed over.
func readAlternatives(script string) []alternative {
	script = strings.ReplaceAll(script, "\\\n", " ")
	var all []alternative
	for _, line := range strings.Split(script, "\n") {
		_, call, ok := strings.Cut(line, "update-alternatives")
		if !ok || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if a, ok := readInstall(strings.Fields(call)); ok {
			all = append(all, a)
		}
	}
	return all
}

func readInstall(words []string) (alternative, bool) {
	var a alternative
	for len(words) > 0 {
		switch words[0] {
		case "--install":
			if len(words) < 5 || !absolute(words[1]) || !absolute(words[3]) {
				return a, false
			}
			priority, err := strconv.Atoi(strings.TrimRight(words[4], ";"))
			if err != nil {
				return a, false
			}
			a.priority = priority
			a.links = append(a.links, Link{Place(words[1]), Place(words[3])})
			words = words[5:]
		case "--slave":
			if len(a.links) > 0 && len(words) >= 4 && absolute(words[1]) && absolute(words[3]) {
				a.links = append(a.links, Link{Place(words[1]), Place(strings.TrimRight(words[3], ";"))})
			}
			words = words[min(4, len(words)):]
		default:
			words = words[1:]
		}
	}
	return a, len(a.links) > 0
}

func absolute(word string) bool {
	return path.IsAbs(word) && !strings.ContainsAny(word, "$`\"'*")
}
