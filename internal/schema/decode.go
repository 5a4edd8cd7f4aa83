// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/rastos/rastos/internal/mistake"
)

// Doc is a file that was read: where its keys stand, for checks that the
// table cannot express.
type Doc struct {
	src    *mistake.Source
	places map[string]span
	bad    map[string]bool
	broken bool
}

// Decode reads data, called name in messages, into the struct that into
// points to, and returns every mistake that the table knows of, in the order
// of the file. What is not mistaken is set even if something else is.
func (s *Schema) Decode(name string, data []byte, into any) (*Doc, mistake.List) {
	src := mistake.NewSource(name, data)
	p := parse(src)
	d := &decoder{src: src, opt: s.opt, places: map[string]span{}, bad: map[string]bool{}, lost: p.lost, wrong: p.wrong}
	if p.root != nil {
		d.table(s.root, p.root, reflect.ValueOf(into).Elem(), "")
	}
	if len(d.wrong) == 0 {
		d.wrong = netUnder(src)
	}
	doc := &Doc{src: src, places: d.places, bad: d.bad, broken: p.root == nil || len(p.lost) > 0}
	return doc, d.wrong.Sorted()
}

// Mistake makes a mistake about the key at path ("user[1].name"); when the
// file does not have that key, about the nearest table around it.
func (d *Doc) Mistake(path, message, hint string) mistake.Mistake {
	for {
		if at, ok := d.places[path]; ok {
			m := d.src.At(at.off, at.end, message)
			m.Key, m.Hint = path, hint
			return m
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			m := d.src.At(0, 0, message)
			m.Key, m.Hint = path, hint
			return m
		}
		path = path[:cut]
	}
}

// Line is the line of the key at path, or 0.
func (d *Doc) Line(path string) int {
	at, ok := d.places[path]
	if !ok {
		return 0
	}
	return d.src.Line(at.off) + 1
}

// Has says that the file sets the key at path.
func (d *Doc) Has(path string) bool { _, ok := d.places[path]; return ok }

// Sound says that nothing is wrong with the key at path itself, whether the
// file sets it or not: only then does a check of how keys go together help.
func (d *Doc) Sound(path string) bool { return !d.broken && !d.bad[path] }

type decoder struct {
	src    *mistake.Source
	opt    Options
	places map[string]span
	bad    map[string]bool
	lost   map[lostKey]bool
	wrong  mistake.List
}

func (d *decoder) mistake(at span, key, hint, format string, args ...any) {
	m := d.src.At(at.off, at.end, fmt.Sprintf(format, args...))
	m.Key, m.Hint = key, hint
	d.wrong = append(d.wrong, m)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) table(s *section, t *table, into reflect.Value, path string) {
	meant := map[string]bool{} // needed keys that are there, misspelt
	for _, key := range t.keys {
		it := t.items[key]
		f := s.find(key)
		switch {
		case f == nil:
			meant[d.unknown(s, it, key)] = true
			continue
		case f.later != "":
			d.mistake(it.at, it.raw, "", "%q in %s is not supported in this version of rastos: %s", key, s.title(), f.later)
		}
		d.item(f, it, into.Field(f.index), join(path, key))
	}
	for _, f := range s.fields {
		if f.need && t.items[f.key] == nil && !meant[f.key] && !d.lost[lostKey{t.at.off, f.key}] {
			d.missing(s, f, t)
		}
	}
}

// unknown notes a key that is not in the table and returns the one that was
// probably meant, or "".
func (d *decoder) unknown(s *section, it *item, key string) (nearest string) {
	known := s.keys()
	at := it.at
	if len(it.tables) > 0 {
		at = it.tables[0].at
	}
	m := d.src.At(at.off, at.end, fmt.Sprintf("unknown key %q in %s", key, s.title()))
	if it.header() {
		m.Message = fmt.Sprintf("unknown table %q in %s", key, s.title())
	}
	m.Key = it.raw
	if m.Nearest = mistake.Nearest(key, known); m.Nearest != "" {
		m.Hint = fmt.Sprintf("did you mean %q?", m.Nearest)
	} else {
		m.Hint = "known here: " + strings.Join(known, ", ")
	}
	d.wrong = append(d.wrong, m)
	return m.Nearest
}

func (it *item) header() bool {
	return len(it.tables) > 0 || it.table != nil && !it.table.inline
}

func (d *decoder) missing(s *section, f *field, t *table) {
	what := fmt.Sprintf("%s has no %q", s.title(), f.key)
	if f.kind == kindTable || f.kind == kindTables {
		what = fmt.Sprintf("%s has no %s", s.title(), f.section.title())
	}
	if s.name == "" {
		t = &table{at: span{len(d.src.Data), len(d.src.Data)}}
		if n := len(d.src.Data); n > 0 && d.src.Data[n-1] == '\n' {
			t.at = span{n - 1, n - 1}
		}
	}
	d.mistake(t.at, f.key, "", "%s, which must be given", what)
}

// item decodes what one key holds.
func (d *decoder) item(f *field, it *item, into reflect.Value, path string) {
	d.places[path] = it.at
	before := len(d.wrong)
	defer func() { d.bad[path] = len(d.wrong) > before }()
	switch f.kind {
	case kindTable:
		if it.table == nil {
			d.wrongKind(f, it)
			return
		}
		d.table(f.section, it.table, into, path)
	case kindTables:
		d.tables(f, it, into, path)
	case kindMap:
		d.mapOf(f, it, into, path)
	default:
		if it.value == nil {
			d.wrongKind(f, it)
			return
		}
		d.value(f, it, into, path)
	}
}

// tables decodes [[x]], or x = [{…}, …].
func (d *decoder) tables(f *field, it *item, into reflect.Value, path string) {
	list := it.tables
	if it.value != nil && it.value.kind == unstable.Array {
		for _, e := range it.value.elems {
			if e.table == nil {
				d.mistake(e.at, it.raw, "", "%s wants tables, not %s", f.section.title(), describe(e))
				continue
			}
			list = append(list, e.table)
		}
	} else if list == nil {
		d.wrongKind(f, it)
		return
	}
	out := reflect.MakeSlice(into.Type(), len(list), len(list))
	into.Set(out)
	for i, t := range list {
		p := fmt.Sprintf("%s[%d]", path, i)
		d.places[p] = t.at
		d.table(f.section, t, out.Index(i), p)
	}
	if f.unique != "" {
		d.uniqueTables(f, list)
	}
}

func (d *decoder) uniqueTables(f *field, list []*table) {
	first := map[string]span{}
	for _, t := range list {
		it := t.items[f.unique]
		if it == nil || it.value == nil || it.value.kind != unstable.String {
			continue
		}
		d.once(first, it.value, f.section.title()+" "+f.unique)
	}
}

// once notes a value that came before.
func (d *decoder) once(first map[string]span, v *value, what string) {
	if at, seen := first[v.data]; seen {
		d.mistake(v.at, v.data, "", "%s %q is given twice: the first is at line %d", what, v.data, d.src.Line(at.off)+1)
		return
	}
	first[v.data] = v.at
}

func (d *decoder) mapOf(f *field, it *item, into reflect.Value, path string) {
	if it.table == nil {
		d.wrongKind(f, it)
		return
	}
	out := map[string]string{}
	for _, key := range it.table.keys {
		e := it.table.items[key]
		d.places[join(path, key)] = e.at
		if f.keyFormat != "" {
			d.format(f.keyFormat, key, e.at, e.raw)
		}
		if e.value == nil || e.value.kind != unstable.String {
			d.mistake(e.place(), e.raw, "", "%q in %q wants a string in quotes, not %s", key, f.key, e.describe())
			continue
		}
		if f.format != "" {
			d.format(f.format, e.value.data, e.value.at, e.raw)
		}
		out[key] = e.value.data
	}
	into.Set(reflect.ValueOf(out))
}

// value decodes a scalar or a list of strings.
func (d *decoder) value(f *field, it *item, into reflect.Value, path string) {
	v := it.value
	switch {
	case f.kind == kindBool && v.kind == unstable.Bool:
		set(into, reflect.ValueOf(v.data == "true"))
	case f.kind == kindInt && v.kind == unstable.Integer:
		d.integer(f, it, into)
	case f.kind == kindStrings && v.kind == unstable.Array:
		d.strings(f, it, into, path)
	case f.kind == kindString && v.kind == unstable.String:
		if d.text(f, v, it.raw) {
			into.SetString(v.data)
		}
	case f.kind == kindText && v.kind == unstable.String:
		if !d.text(f, v, it.raw) {
			return
		}
		if err := into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(v.data)); err != nil {
			d.mistake(v.at, it.raw, "", "%q %v", v.data, err)
		}
	default:
		d.wrongKind(f, it)
	}
}

// set stores a value in a field that may be a pointer to its type.
func set(into, v reflect.Value) {
	if into.Kind() == reflect.Pointer {
		p := reflect.New(into.Type().Elem())
		p.Elem().Set(v.Convert(p.Elem().Type()))
		v = p
	}
	into.Set(v.Convert(into.Type()))
}

func (d *decoder) integer(f *field, it *item, into reflect.Value) {
	n, err := strconv.ParseInt(strings.ReplaceAll(it.value.data, "_", ""), 0, 64)
	switch {
	case err != nil:
		d.mistake(it.value.at, it.raw, "", "%s is too large", it.value.data)
	case f.min != nil && n < *f.min:
		d.mistake(it.value.at, it.raw, "", "%q is %d, but must be at least %d", f.key, n, *f.min)
	case f.max != nil && n > *f.max:
		d.mistake(it.value.at, it.raw, "", "%q is %d, but must be at most %d", f.key, n, *f.max)
	default:
		set(into, reflect.ValueOf(int(n)))
	}
}

func (d *decoder) strings(f *field, it *item, into reflect.Value, path string) {
	out := []string{}
	first := map[string]span{}
	if f.nonempty && len(it.value.elems) == 0 {
		d.mistake(it.value.at, it.raw, "", "%q lists nothing", f.key)
	}
	for i, e := range it.value.elems {
		d.places[fmt.Sprintf("%s[%d]", path, i)] = e.at
		if e.kind != unstable.String {
			d.mistake(e.at, it.raw, "", "%q wants strings in quotes, not %s", f.key, describe(e))
			continue
		}
		if d.text(f, e, it.raw) {
			out = append(out, e.data)
		}
		if f.unique != "" {
			d.once(first, e, f.key)
		}
	}
	into.Set(reflect.ValueOf(out))
}

// text checks a string against the enumeration and format of its key.
func (d *decoder) text(f *field, v *value, raw string) bool {
	switch {
	case slices.Contains(f.laterEnum, v.data):
		d.mistake(v.at, raw, "", "%s = %q is not supported in this version of rastos", f.key, v.data)
		return false
	case f.enum != nil && !slices.Contains(f.enum, v.data):
		m := d.src.At(v.at.off, v.at.end, fmt.Sprintf("%s = %q is not one of %s", f.key, v.data, quoted(f.enum)))
		m.Key = raw
		if m.Nearest = mistake.Nearest(v.data, f.enum); m.Nearest != "" {
			m.Hint = fmt.Sprintf("did you mean %q?", m.Nearest)
		}
		d.wrong = append(d.wrong, m)
		return false
	}
	return f.format == "" || d.format(f.format, v.data, v.at, raw)
}

func (d *decoder) format(name, text string, at span, raw string) bool {
	format := d.opt.Formats[name]
	err := format.Check(text)
	if err == nil {
		return true
	}
	hint := ""
	if format.Doc != "" {
		hint = "wanted: " + format.Doc
	}
	d.mistake(at, raw, hint, "%q %v", text, err)
	return false
}
