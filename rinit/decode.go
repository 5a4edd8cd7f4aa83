// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rastos/rastos/internal/mistake"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 1 << 20

// Mistakes is everything wrong in one or more files, each with its place; an
// error when it is not empty.
type Mistakes = mistake.List

// File is a service file that was read.
type File struct {
	Path    string // what messages call it
	Service Service
	// Warnings are what rinit allows and hardly anybody means.
	Warnings Mistakes

	src        *mistake.Source
	name, kind part
	parts      []part
}

// Decode reads a service file, called path in messages. The error is a Mistakes
// with every mistake, in the order of the file; what is not mistaken is in the
// File even then. Where path ends as the path of a service file does, the service
// must have that name.
func Decode(path string, data []byte) (*File, error) {
	f := &File{Path: path, src: mistake.NewSource(path, data)}
	if why := unreadable(data); why != "" {
		return f, Mistakes{f.src.At(0, 0, why)}
	}
	s := &scanner{src: f.src}
	s.scan()
	f.name, f.kind, f.parts = s.name, s.kind, s.parts
	d := &decoder{File: f, wrong: s.wrong, warn: s.warn, seen: map[string]span{}}
	d.title()
	d.body()
	f.Warnings = d.warn.Sorted()
	return f, d.wrong.Sorted().Err()
}

// unreadable says why data is no text that may be a service file.
func unreadable(data []byte) string {
	switch {
	case len(data) > MaxSize:
		return fmt.Sprintf("larger than %d bytes", MaxSize)
	case !utf8.Valid(data):
		return "is no UTF-8 text"
	case bytes.IndexByte(data, 0) >= 0:
		return "holds a zero byte"
	}
	return ""
}

// decoder makes a Service of the parts of a file.
type decoder struct {
	*File
	wrong, warn Mistakes
	section     sectionKind
	known       bool            // the section is one, and one of this type of service
	seen        map[string]span // "section" or "section.key", where it was first
}

func (d *decoder) mistake(at span, hint, format string, args ...any) {
	d.wrong = append(d.wrong, told(d.src, at, hint, format, args...))
}

// title settles name and type.
func (d *decoder) title() {
	name := d.name.value
	d.Service = NewService(name, Type(d.kind.value))
	want, strict := NameOf(d.Path)
	switch {
	case d.name.key == "":
		d.mistake(span{}, "the first line of a service file is name = NAME", "the service has no name")
	case nameWrong(name) != "":
		d.mistake(d.name.valueAt, "", "the name %q %s", name, nameWrong(name))
	case strict && name != want:
		d.mistake(d.name.valueAt, fmt.Sprintf("write name = %s, or rename the file", want), "the service is named %q and its file is not", name)
	}
	types := make([]string, len(everyType))
	for i, t := range everyType {
		types[i] = string(t)
	}
	switch {
	case d.kind.key == "":
		d.mistake(span{}, "the second line of a service file is type = "+strings.Join(types, ", "), "the service has no type")
	case !slices.Contains(types, d.kind.value):
		m := told(d.src, d.kind.valueAt, "", "type = %s is not one of %s", d.kind.value, strings.Join(types, ", "))
		m.Nearest = mistake.Nearest(d.kind.value, types)
		d.wrong = append(d.wrong, meant(m))
		d.Service.Type = ""
	}
}

// meant gives a mistake the hint that names the nearest known word.
func meant(m mistake.Mistake) mistake.Mistake {
	if m.Nearest != "" {
		m.Hint = fmt.Sprintf("did you mean %q?", m.Nearest)
	}
	return m
}

func (d *decoder) body() {
	for _, p := range d.parts {
		switch p.shape {
		case header:
			d.head(p)
		case scalar, list, code:
			d.assign(p)
		}
	}
	d.missing()
}

// head settles what section begins.
func (d *decoder) head(p part) {
	t := d.Service.Type
	d.section, d.known = sectionOf(p.key)
	switch {
	case !d.known:
		m := told(d.src, p.keyAt, "", "unknown section [%s]", p.key)
		m.Key, m.Nearest = p.key, mistake.Nearest(strings.TrimSpace(p.key), sectionNames(t))
		if m = meant(m); m.Nearest != "" {
			m.Hint = fmt.Sprintf("did you mean [%s]?", m.Nearest)
		}
		d.wrong = append(d.wrong, m)
		return
	case t != "" && !slices.Contains(d.section.types, t):
		d.mistake(p.keyAt, fmt.Sprintf("it may have [%s]", strings.Join(sectionNames(t), "], [")), "a %s has no section [%s]", t, p.key)
		d.known = false
		return
	}
	if at, twice := d.seen[p.key]; twice {
		d.mistake(p.keyAt, "", "section [%s] is there twice: the first is at line %d", p.key, d.src.Line(at.off)+1)
	} else {
		d.seen[p.key] = p.keyAt
	}
	if d.section.script != nil && *d.section.script(&d.Service) == nil {
		*d.section.script(&d.Service) = NewScript("", "")
	}
}

// assign takes one key.
func (d *decoder) assign(p part) {
	if !d.known {
		return // the section is the mistake
	}
	id := p.section + "." + p.key
	if at, twice := d.seen[id]; twice {
		d.mistake(p.keyAt, "", "%q is given twice: the first is at line %d", p.key, d.src.Line(at.off)+1)
		return
	}
	d.seen[id] = p.keyAt
	if p.broken {
		return
	}
	if p.section == env {
		d.variable(p)
		return
	}
	f, known := fieldOf(d.section, p.key)
	if !known || d.Service.Type != "" && !slices.Contains(f.types, d.Service.Type) {
		d.unknown(p, known)
		return
	}
	var script *Script
	if d.section.script != nil {
		script = *d.section.script(&d.Service)
	}
	switch into := f.at(&d.Service, script).(type) {
	case *[]string:
		*into = d.list(f, p)
	case *bool:
		*into = p.value == "yes"
		if p.value != "yes" && p.value != "no" {
			d.mistake(p.valueAt, "", "%q is yes or no, not %q", p.key, p.value)
		}
	case *int:
		*into = int(d.number(f, p))
	case *time.Duration:
		*into = time.Duration(d.number(f, p)) * time.Millisecond
	case *string:
		*into = p.value
		d.text(f, p)
	}
}

func (d *decoder) unknown(p part, elsewhere bool) {
	var keys []string
	for _, f := range fieldsOf(d.section, d.Service.Type) {
		keys = append(keys, f.key)
	}
	m := told(d.src, p.keyAt, "", "unknown key %q in [%s]", p.key, p.section)
	if elsewhere {
		m = told(d.src, p.keyAt, "", "a %s has no %q", d.Service.Type, p.key)
	}
	m.Key, m.Nearest = p.key, mistake.Nearest(p.key, keys)
	d.wrong = append(d.wrong, meant(m))
}

// variable takes a line of [env].
func (d *decoder) variable(p part) {
	if strings.ContainsFunc(p.key, unicode.IsSpace) {
		d.mistake(p.keyAt, "", "the variable %q has a blank in its name", p.key)
		return
	}
	value, open, err := unquote(p.value)
	var bad *unquoteError
	switch {
	case errors.As(err, &bad):
		d.mistake(span{p.valueAt.off + bad.off, p.valueAt.off + bad.end}, `a backslash itself is written \\ between double quotes`, "%s", bad.message)
		return
	case open:
		d.warn = append(d.warn, told(d.src, p.valueAt, "", "a quote begins in this value and does not end"))
	}
	d.Service.Env = append(d.Service.Env, Variable{p.key, value})
}

// list checks the words of a list and returns them.
func (d *decoder) list(f field, p part) []string {
	if len(p.words) == 0 {
		d.mistake(p.keyAt, "leave the key out", "%q lists nothing", p.key)
	}
	var out []string
	for _, w := range p.words {
		switch wrong := f.check(w.text); {
		case wrong != "":
			d.mistake(w.at, "", "%q in %q %s", w.text, p.key, wrong)
		case slices.Contains(out, w.text):
			d.mistake(w.at, "", "%q is twice in %q", w.text, p.key)
		case w.text == d.Service.Name:
			d.mistake(w.at, "", "the service names itself in %q", p.key)
		default:
			out = append(out, w.text)
		}
	}
	if !f.ordered {
		slices.Sort(out)
	}
	return out
}

func (d *decoder) number(f field, p part) uint64 {
	n, err := strconv.ParseUint(strings.TrimPrefix(p.value, "+"), 10, 64)
	hint := ""
	if strings.Contains(p.value, "#") {
		hint = "a comment is a line of its own"
	}
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && n > f.max:
		d.mistake(p.valueAt, "", "%q is %s, but must be at most %d", p.key, p.value, f.max)
		return 0
	case err != nil:
		d.mistake(p.valueAt, hint, "%q wants a whole number, not %q", p.key, p.value)
	}
	return n
}

// text checks a string.
func (d *decoder) text(f field, p part) {
	switch {
	case f.code:
		if strings.TrimSpace(p.value) == "" {
			d.mistake(p.keyAt, "", "there is nothing to execute")
		}
	case f.choices != nil && !slices.Contains(f.choices, p.value):
		m := told(d.src, p.valueAt, "", "%s = %s is not one of %s", p.key, p.value, strings.Join(f.choices, ", "))
		if len(f.choices) > 5 { // a few of the best known say which kind of word is meant
			m = told(d.src, p.valueAt, "", "%s = %s is not one of %s …", p.key, p.value, strings.Join(f.choices[:3], ", "))
		}
		m.Key, m.Nearest = p.key, mistake.Nearest(p.value, f.choices)
		d.wrong = append(d.wrong, meant(m))
	case f.check != nil && f.check(p.value) != "":
		d.mistake(p.valueAt, "", "%q in %q %s", p.value, p.key, f.check(p.value))
	}
}

// missing finds what a service of this type must have.
func (d *decoder) missing() {
	for _, k := range sectionKinds {
		if !slices.Contains(k.types, d.Service.Type) {
			continue
		}
		at, there := d.seen[k.name]
		var keys []string
		for _, f := range fieldsOf(k, d.Service.Type) {
			if _, given := d.seen[k.name+"."+f.key]; f.need && !given {
				keys = append(keys, fmt.Sprintf("%q", f.key))
			}
		}
		switch {
		case !there && (k.need || k.script == nil && len(keys) > 0):
			d.mistake(d.kind.valueAt, "", "a %s needs a section [%s] with %s", d.Service.Type, k.name, strings.Join(keys, " and "))
		case there && len(keys) > 0:
			d.mistake(at, "", "[%s] has no %s, which must be given", k.name, strings.Join(keys, " and no "))
		}
		if script := k.script; there && script != nil {
			d.weigh(*script(&d.Service), at)
		}
	}
}

// weigh warns of what is allowed and works for nobody.
func (d *decoder) weigh(x *Script, at span) {
	if x.MaxDeaths == 0 {
		d.warn = append(d.warn, told(d.src, at, "max_deaths counts the tries in all", "with max_deaths = 0 it is never tried"))
	}
}
