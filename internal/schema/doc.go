// SPDX-License-Identifier: GPL-3.0-or-later

// Package schema reads TOML files strictly and tells every mistake in them at
// once, each with its line and column.
//
// One table, made from the tags of a Go struct, drives everything: which keys
// there are, what they must hold, their JSON schema (draft 2020-12) and their
// reference in Markdown. So the three cannot disagree.
//
// The tags of a field:
//
//	toml:"name"      the key
//	need:"yes"       the key must be there (for tables: at least one)
//	check:"format"   strings must have this format (Options.Formats); for lists, each element
//	keys:"format"    the same for the keys of a map
//	enum:"a|b"       the only values
//	min:"1" max:"9"  bounds of an integer
//	nonempty:"yes"   a list of strings must hold something
//	unique:"yes"     list elements must differ; on a list of tables, the name of the key that must
//	default:"8G"     what the program takes when the key is absent (documentation; see each user)
//	later:"why"      the key is known, but this version cannot do it: a mistake that says so
//	laterenum:"x|y"  values with the same fate
//	doc:"text"       one sentence for people
//
// Fields may be strings, booleans, integers, types that unmarshal text, lists
// of strings, maps of strings, tables (structs) and lists of tables. Dates
// and floats have no use here yet. TOML itself (version 1.0,
// https://toml.io/en/v1.0.0) is parsed by go-toml.
package schema
