// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// wrongKind notes that a key holds another kind of value than it should.
func (d *decoder) wrongKind(f *field, it *item) {
	hint := ""
	switch {
	case f.kind == kindTables && it.table != nil && !it.table.inline:
		hint = "write " + f.section.title()
	case f.kind == kindTable && len(it.tables) > 0:
		hint = "write " + f.section.title()
	case f.kind == kindStrings && it.value != nil && it.value.kind == unstable.String:
		hint = fmt.Sprintf("write %s = [%q]", f.key, it.value.data)
	}
	d.mistake(it.place(), it.raw, hint, "%q wants %s, not %s", f.key, f.kind, it.describe())
}

// place is where the mistaken value of an item stands.
func (it *item) place() span {
	switch {
	case it.value != nil:
		return it.value.at
	case len(it.tables) > 0:
		return it.tables[0].at
	}
	return it.at
}

func (it *item) describe() string {
	switch {
	case it.value != nil:
		return describe(it.value)
	case it.tables != nil:
		return "a list of tables"
	}
	return "a table"
}

// describe names a value for people.
func describe(v *value) string {
	switch v.kind {
	case unstable.String:
		return "the string " + fmt.Sprintf("%q", v.data)
	case unstable.Bool:
		return v.data
	case unstable.Integer, unstable.Float:
		return "the number " + v.data
	case unstable.Array:
		return "a list"
	case unstable.InlineTable:
		return "a table"
	}
	return "a date or time"
}

// String names the kind for people: `"size" wants …`.
func (k kind) String() string {
	switch k {
	case kindBool:
		return "true or false"
	case kindInt:
		return "a whole number"
	case kindStrings:
		return "a list of strings"
	case kindMap:
		return "a table of strings"
	case kindTable:
		return "a table"
	case kindTables:
		return "a list of tables"
	}
	return "a string in quotes"
}

func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(q, ", ")
}
