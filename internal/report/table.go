// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Table prints rows in aligned columns under a heading. Columns whose heading
// starts with "#" hold numbers and are aligned to the right (the "#" is not
// printed).
type Table struct {
	header []string
	right  []bool
	rows   [][]string
}

// NewTable makes a table with these column headings.
func NewTable(header ...string) *Table {
	t := &Table{header: make([]string, len(header)), right: make([]bool, len(header))}
	for i, h := range header {
		t.header[i], t.right[i] = strings.CutPrefix(h, "#")
	}
	return t
}

// Row adds a row; missing cells are empty, surplus ones are dropped.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(t.header))
	copy(row, cells)
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Print writes the table; headings are bold where the style has colour.
func (t *Table) Print(w io.Writer, style Style) error {
	width := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	b.WriteString(style.Bold(t.format(t.header, width)) + "\n")
	for _, row := range t.rows {
		b.WriteString(t.format(row, width) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) format(row []string, width []int) string {
	var b strings.Builder
	for i, cell := range row {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
		if t.right[i] {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
