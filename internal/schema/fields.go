// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Format is what a string must look like.
type Format struct {
	// Doc says it for people: "a host name: letters, digits and dashes".
	Doc string
	// Check returns what is wrong with a value, or nil. Its text continues the
	// sentence `"value" …`: "has an empty label".
	Check func(string) error
	// Pattern is the nearest regular expression (ECMA 262) for editors, or "".
	Pattern string
}

// Options are what a schema needs beside the struct.
type Options struct {
	Title, Description string
	ID                 string
	Formats            map[string]Format
}

// Schema is the table of keys of one kind of file.
type Schema struct {
	opt  Options
	typ  reflect.Type
	root *section
}

// kind is what a key holds.
type kind int

const (
	kindString kind = iota
	kindText        // a string that unmarshals itself
	kindBool
	kindInt
	kindStrings
	kindMap
	kindTable
	kindTables
)

// section is the table of keys of one table.
type section struct {
	name   string // as in headers: "network.link"
	list   bool
	fields []*field
}

// field is one key.
type field struct {
	index     int
	key       string
	kind      kind
	need      bool
	format    string
	keyFormat string
	enum      []string
	laterEnum []string
	min, max  *int64
	unique    string
	nonempty  bool
	deflt     string
	later     string
	doc       string
	section   *section // of tables
}

// Of reads the table of keys from the tags of v, a struct. Wrong tags are a
// mistake of the program, so it panics; every schema has a test that builds it.
func Of(v any, opt Options) *Schema {
	typ := reflect.TypeOf(v)
	return &Schema{opt: opt, typ: typ, root: sectionOf(typ, "", false, opt)}
}

func sectionOf(typ reflect.Type, name string, list bool, opt Options) *section {
	s := &section{name: name, list: list}
	for i := range typ.NumField() {
		sf := typ.Field(i)
		key, ok := sf.Tag.Lookup("toml")
		if !ok || key == "-" {
			continue
		}
		s.fields = append(s.fields, fieldOf(i, key, sf, name, opt))
	}
	return s
}

func fieldOf(i int, key string, sf reflect.StructField, parent string, opt Options) *field {
	f := &field{
		index: i, key: key,
		need:      sf.Tag.Get("need") == "yes",
		format:    sf.Tag.Get("check"),
		keyFormat: sf.Tag.Get("keys"),
		enum:      split(sf.Tag.Get("enum")),
		laterEnum: split(sf.Tag.Get("laterenum")),
		min:       bound(sf, "min"),
		max:       bound(sf, "max"),
		unique:    sf.Tag.Get("unique"),
		nonempty:  sf.Tag.Get("nonempty") == "yes",
		deflt:     sf.Tag.Get("default"),
		later:     sf.Tag.Get("later"),
		doc:       sf.Tag.Get("doc"),
	}
	for _, name := range []string{f.format, f.keyFormat} {
		if _, ok := opt.Formats[name]; name != "" && !ok {
			panic(fmt.Sprintf("schema: %s has the unknown format %q", sf.Name, name))
		}
	}
	full := key
	if parent != "" {
		full = parent + "." + key
	}
	f.kind = kindOf(sf)
	switch f.kind {
	case kindTable:
		f.section = sectionOf(sf.Type, full, false, opt)
	case kindTables:
		f.section = sectionOf(sf.Type.Elem(), full, true, opt)
	}
	return f
}

func kindOf(sf reflect.StructField) kind {
	text := reflect.TypeFor[encoding.TextUnmarshaler]()
	t := sf.Type
	switch {
	case reflect.PointerTo(t).Implements(text):
		return kindText
	case t.Kind() == reflect.String:
		return kindString
	case t.Kind() == reflect.Bool, t == reflect.TypeFor[*bool]():
		return kindBool
	case t.Kind() == reflect.Int, t == reflect.TypeFor[*int]():
		return kindInt
	case t == reflect.TypeFor[[]string]():
		return kindStrings
	case t == reflect.TypeFor[map[string]string]():
		return kindMap
	case t.Kind() == reflect.Struct:
		return kindTable
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return kindTables
	}
	panic(fmt.Sprintf("schema: %s has a type that no key can have: %v", sf.Name, t))
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "|")
}

func bound(sf reflect.StructField, tag string) *int64 {
	s, ok := sf.Tag.Lookup(tag)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("schema: %s: tag %s: %v", sf.Name, tag, err))
	}
	return &n
}

// find returns the field of a key, or nil.
func (s *section) find(key string) *field {
	for _, f := range s.fields {
		if f.key == key {
			return f
		}
	}
	return nil
}

// keys lists the keys that work, for suggestions.
func (s *section) keys() []string {
	var keys []string
	for _, f := range s.fields {
		if f.later == "" {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// title is how people refer to the section: [system], [[user]].
func (s *section) title() string {
	switch {
	case s.name == "":
		return "the file"
	case s.list:
		return "[[" + s.name + "]]"
	}
	return "[" + s.name + "]"
}

// Keys lists the top-level keys that work and hold no table.
func (s *Schema) Keys() []string {
	var keys []string
	for _, f := range s.root.fields {
		if f.section == nil && f.later == "" {
			keys = append(keys, f.key)
		}
	}
	return keys
}
