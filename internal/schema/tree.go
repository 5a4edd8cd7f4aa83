// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/rastos/rastos/internal/mistake"
)

// table is a TOML table with positions; keys in the order of the file.
type table struct {
	at     span // its header, or the key that made it
	header bool // it has a header of its own
	inline bool // it was written {…}: nothing may be added to it
	dotted bool // a dotted key made it: a header may not open it
	keys   []string
	items  map[string]*item
}

// item is what a key holds: exactly one of value, table and tables.
type item struct {
	at     span   // the key
	raw    string // the key as written
	value  *value
	table  *table
	tables []*table
}

// value is a scalar, a list or an inline table.
type value struct {
	kind  unstable.Kind
	at    span
	data  string // unescaped string, or the text of another scalar
	elems []*value
	table *table
}

func newTable(at span) *table { return &table{at: at, items: map[string]*item{}} }

func (t *table) put(key string, it *item) {
	t.keys = append(t.keys, key)
	t.items[key] = it
}

// builder makes a tree of expressions and notes what TOML forbids between
// them: keys set twice, tables opened twice, values used as tables.
type builder struct {
	src     *mistake.Source
	root    *table
	current *table
	wrong   mistake.List
}

// add takes one expression and returns the offset of its end.
func (b *builder) add(n *unstable.Node) int {
	switch n.Kind {
	case unstable.Table:
		return b.open(n, false)
	case unstable.ArrayTable:
		return b.open(n, true)
	default:
		b.keyValue(b.current, n)
		return int(n.Raw.Offset + n.Raw.Length)
	}
}

type keyPart struct {
	name string
	raw  string
	at   span
}

func (b *builder) keyParts(it unstable.Iterator) []keyPart {
	var parts []keyPart
	for it.Next() {
		k := it.Node()
		at := spanOf(k.Raw)
		parts = append(parts, keyPart{string(k.Data), string(b.src.Data[at.off:at.end]), at})
	}
	return parts
}

// span is a range of bytes of the source.
type span struct{ off, end int }

func spanOf(r unstable.Range) span { return span{int(r.Offset), int(r.Offset + r.Length)} }

// open handles [a.b] and [[a.b]].
func (b *builder) open(n *unstable.Node, list bool) int {
	parts := b.keyParts(n.Key())
	last := parts[len(parts)-1]
	at := span{parts[0].at.off, last.at.end}
	// The brackets are not part of any node; a header ends with its line.
	end := at.end
	for end < len(b.src.Data) && b.src.Data[end] != '\n' {
		end++
	}
	t := b.root
	for _, p := range parts[:len(parts)-1] {
		if t = b.descend(t, p, false); t == nil {
			b.current = newTable(at) // its keys go nowhere
			return end
		}
	}
	if list {
		b.current = b.openList(t, last, at)
	} else {
		b.current = b.openTable(t, last, at)
	}
	return end
}

func (b *builder) openTable(t *table, p keyPart, at span) *table {
	it := t.items[p.name]
	switch {
	case it == nil:
		nt := newTable(at)
		nt.header = true
		t.put(p.name, &item{at: p.at, raw: p.raw, table: nt})
		return nt
	case it.table != nil && !it.table.header && !it.table.inline && !it.table.dotted:
		it.table.header, it.table.at = true, at
		return it.table
	case it.table != nil:
		b.twice(at, "table ["+p.name+"] is opened", it.at)
		return it.table
	case it.tables != nil:
		b.wrongAt(at, "[%s] must be written [[%s]]: it is a list of tables since line %d", p.name, p.name, b.lineOf(it.at))
		return newTable(at)
	}
	b.twice(at, fmt.Sprintf("%q is set", p.name), it.at)
	return newTable(at)
}

func (b *builder) openList(t *table, p keyPart, at span) *table {
	nt := newTable(at)
	nt.header = true
	it := t.items[p.name]
	switch {
	case it == nil:
		t.put(p.name, &item{at: p.at, raw: p.raw, tables: []*table{nt}})
	case it.tables != nil:
		it.tables = append(it.tables, nt)
	default:
		b.wrongAt(at, "[[%s]] adds to what is no list of tables: see line %d", p.name, b.lineOf(it.at))
	}
	return nt
}

// descend goes from a table into the one that a part of a dotted name means,
// making it if need be; nil when it is no table.
func (b *builder) descend(t *table, p keyPart, dotted bool) *table {
	it := t.items[p.name]
	switch {
	case it == nil:
		nt := newTable(p.at)
		nt.dotted = dotted
		t.put(p.name, &item{at: p.at, raw: p.raw, table: nt})
		return nt
	case it.table != nil && !it.table.inline && (!dotted || it.table.dotted):
		return it.table
	case it.tables != nil && !dotted:
		return it.tables[len(it.tables)-1]
	}
	b.wrongAt(p.at, "%q cannot be extended here: it is set at line %d", p.name, b.lineOf(it.at))
	return nil
}

// keyValue puts one key = value into a table.
func (b *builder) keyValue(t *table, n *unstable.Node) {
	parts := b.keyParts(n.Key())
	v := b.value(n.Value(), b.valueSpan(n, parts))
	for _, p := range parts[:len(parts)-1] {
		if t = b.descend(t, p, true); t == nil {
			return
		}
	}
	p := parts[len(parts)-1]
	if old := t.items[p.name]; old != nil {
		b.twice(p.at, fmt.Sprintf("%q is set", p.name), old.at)
		return
	}
	it := &item{at: p.at, raw: p.raw, value: v}
	if v.kind == unstable.InlineTable {
		it.table, it.value = v.table, nil
	}
	t.put(p.name, it)
}

// valueSpan is where the value of a key-value expression stands; lists have no
// range of their own in the parser's tree.
func (b *builder) valueSpan(n *unstable.Node, parts []keyPart) span {
	off, end := parts[len(parts)-1].at.end, int(n.Raw.Offset+n.Raw.Length)
	for off < end && strings.IndexByte(" \t=", b.src.Data[off]) >= 0 {
		off++
	}
	return span{off, end}
}

func (b *builder) value(n *unstable.Node, at span) *value {
	v := &value{kind: n.Kind, at: at, data: string(n.Data)}
	switch n.Kind {
	case unstable.Array:
		for it := n.Children(); it.Next(); {
			e := it.Node()
			eat := at
			if e.Raw.Length > 0 {
				eat = spanOf(e.Raw)
			}
			v.elems = append(v.elems, b.value(e, eat))
		}
	case unstable.InlineTable:
		v.table = newTable(at)
		for it := n.Children(); it.Next(); {
			b.keyValue(v.table, it.Node())
		}
		v.table.inline = true
	}
	return v
}

func (b *builder) lineOf(at span) int { return b.src.Line(at.off) + 1 }

func (b *builder) twice(at span, what string, first span) {
	b.wrongAt(at, "%s a second time: the first is at line %d", what, b.lineOf(first))
}

func (b *builder) wrongAt(at span, format string, args ...any) {
	m := b.src.At(at.off, at.end, fmt.Sprintf(format, args...))
	m.Key = string(b.src.Data[at.off:at.end])
	b.wrong = append(b.wrong, m)
}
