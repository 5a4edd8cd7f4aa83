// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// summary is what came of the cases.
type summary struct {
	areas      []area
	passed     int
	skipped    []result
	unexpected []result // failed
	excused    []result // failed, as pacman itself does
	xfails     int      // cases in which pacman itself fails
	surprises  []result // passed, where pacman itself fails
}

// area is the cases whose names begin alike.
type area struct {
	name                    string
	passed, failed, skipped int
}

func (s summary) total() int {
	return s.passed + len(s.unexpected) + len(s.excused) + len(s.skipped)
}

// areaOf is the word that a name begins with.
func areaOf(name string) string {
	return regexp.MustCompile(`^[a-z]+`).FindString(name)
}

func summarise(results []result, xfail map[string]bool) summary {
	var s summary
	areas := map[string]*area{}
	for _, r := range results {
		name := areaOf(r.Name)
		if areas[name] == nil {
			areas[name] = &area{name: name}
		}
		a := areas[name]
		excused := r.Expected || xfail[r.Name]
		if excused {
			s.xfails++
		}
		switch {
		case r.Skipped != "":
			a.skipped++
			s.skipped = append(s.skipped, r)
		case r.ok():
			a.passed++
			s.passed++
			if excused {
				s.surprises = append(s.surprises, r)
			}
		default:
			a.failed++
			if excused {
				s.excused = append(s.excused, r)
			} else {
				s.unexpected = append(s.unexpected, r)
			}
		}
	}
	for _, a := range areas {
		s.areas = append(s.areas, *a)
	}
	slices.SortFunc(s.areas, func(a, b area) int { return cmp.Compare(a.name, b.name) })
	return s
}

// short cuts a command line of a thousand targets.
func short(line string) string {
	const most = 150
	if len(line) > most {
		return line[:most] + "…"
	}
	return line
}

func (s summary) print(w io.Writer, verbose bool) {
	for _, list := range []struct {
		title   string
		results []result
	}{{"failed, and pacman does too", s.excused}, {"skipped", s.skipped}, {"FAILED", s.unexpected}} {
		for _, r := range list.results {
			fmt.Fprintf(w, "%s: %s: %s (%s; exit %d)\n", list.title, r.Name, r.Description, short(r.Command), r.Exit)
			for _, rule := range r.Failed {
				fmt.Fprintf(w, "    not so: %s\n", rule)
			}
			for _, text := range []string{r.Skipped, r.Error} {
				if text != "" {
					fmt.Fprintf(w, "    %s\n", strings.TrimSpace(strings.ReplaceAll(text, "\n", "\n    ")))
				}
			}
			if verbose && r.Log != "" {
				fmt.Fprintf(w, "    | %s\n", strings.ReplaceAll(strings.TrimSpace(r.Log), "\n", "\n    | "))
			}
		}
	}
	fmt.Fprintf(w, "\n%-16s %7s %7s %8s\n", "area", "passed", "failed", "skipped")
	for _, a := range append(s.areas, area{"all", s.passed, len(s.unexpected) + len(s.excused), len(s.skipped)}) {
		fmt.Fprintf(w, "%-16s %7d %7d %8d\n", a.name, a.passed, a.failed, a.skipped)
	}
	for _, r := range s.surprises {
		fmt.Fprintf(w, "passed, where pacman itself fails: %s\n", r.Name)
	}
	fmt.Fprintf(w, "unexpected failures: %d\n", len(s.unexpected))
}
