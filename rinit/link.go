// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"fmt"
	"strings"

	"github.com/rastos/rastos/internal/mistake"
)

// Link puts services together. The error is a Mistakes with all that is wrong
// between them, by file and line: names that no service has, unless the files are
// only a part of all; runlevels that do not fit; cycles; two services of one name.
// It is for files in which Decode found no mistake; the graph is nil where
// there is one here.
func Link(files []*File, part bool) (*Graph, error) {
	l := &linker{files: map[string]*File{}}
	services := map[string]*Service{}
	for _, f := range files {
		if other := l.files[f.Service.Name]; other != nil {
			l.mistake(f, f.name.valueAt, "", "the service %q is also in %s", f.Service.Name, other.Path)
			continue
		}
		l.files[f.Service.Name], services[f.Service.Name] = f, &f.Service
	}
	g := newGraph(services)
	names := g.Names()
	for _, name := range names {
		for _, r := range relations {
			for _, to := range services[name].Related(r) {
				switch other := services[to]; {
				case other != nil:
					l.runlevels(l.files[name], r, other)
				case !part && r != After: // that asks for nothing
					l.absent(l.files[name], r, to, names)
				}
			}
		}
	}
	for _, way := range g.cycles() {
		l.cycle(way)
	}
	if len(l.wrong) > 0 {
		return nil, l.wrong.Sorted()
	}
	return g, nil
}

type linker struct {
	files map[string]*File
	wrong Mistakes
}

func (l *linker) mistake(f *File, at span, hint, format string, args ...any) {
	l.wrong = append(l.wrong, told(f.src, at, hint, format, args...))
}

// absent tells of a name that no service has.
func (l *linker) absent(f *File, r Relation, to string, names []string) {
	m := told(f.src, f.place(r, to), "", "there is no service %q", to)
	m.Key, m.Nearest = string(r), mistake.Nearest(to, names)
	l.wrong = append(l.wrong, meant(m))
}

// runlevels tells of services that would wait for what cannot be up.
func (l *linker) runlevels(f *File, r Relation, other *Service) {
	own := &f.Service
	if own.Runlevel == other.Runlevel || r == After {
		return
	}
	hint := fmt.Sprintf("give both the same runlevel, or take %q out", other.Name)
	switch {
	case own.Runlevel == Default && r != DependsOn && r != Contains:
		return // it is up by then
	case own.Runlevel == Default && r == DependsOn:
		hint = "what is in boot is up before default begins; requires may name it"
	}
	l.mistake(f, f.place(r, other.Name), hint, "%q is in runlevel %s and %q, in %s, in runlevel %s", own.Name, own.Runlevel, other.Name, r, other.Runlevel)
}

// cycle tells of services that each wait for the next.
func (l *linker) cycle(way []Edge) {
	names := []string{way[0].From}
	for _, e := range way {
		names = append(names, e.To)
	}
	f := l.files[way[0].From]
	l.mistake(f, f.place(way[0].Relation, way[0].To), "take one of these relations out", "a cycle, in which none can be the first: %s", strings.Join(names, " → "))
}

// place is where a list of [options] names a service; the service's own name
// where it does not.
func (f *File) place(r Relation, name string) span {
	for _, p := range f.parts {
		if p.section != "options" || p.key != string(r) {
			continue
		}
		for _, w := range p.words {
			if w.text == name {
				return w.at
			}
		}
	}
	return f.name.valueAt
}
