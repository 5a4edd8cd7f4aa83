// SPDX-License-Identifier: GPL-3.0-or-later

package show

import "strings"

// Cell is one field of a table.
type Cell struct {
	Text         string
	Title, Right bool // drawn as a title; at the right end of its column
}

// gap is between columns.
const gap = 2

// Table draws rows below a heading, which may be nil. Columns without any data
// are left out. It reports false, and draws nothing, where it does not fit.
func (p Page) Table(heading []Cell, rows [][]Cell) bool {
	if len(rows) == 0 {
		return true
	}
	first := heading
	if first == nil {
		first = rows[0]
	}
	widths, filled := make([]int, len(first)), make([]bool, len(first))
	for i, c := range first {
		widths[i] = width(c.Text)
	}
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], width(c.Text))
			filled[i] = filled[i] || c.Text != ""
		}
	}
	total := -gap
	for i, has := range filled {
		if has {
			total += widths[i] + gap
		}
	}
	if total <= 0 || p.Columns > 0 && total > p.Columns {
		return false
	}
	if heading != nil {
		p.row(heading, widths, filled)
		p.print("\n")
	}
	for _, row := range rows {
		p.row(row, widths, filled)
	}
	return true
}

func (p Page) row(row []Cell, widths []int, filled []bool) {
	begun := false
	for i, c := range row {
		if !filled[i] {
			continue
		}
		if begun {
			p.print(strings.Repeat(" ", gap))
		}
		begun = true
		text, pad := c.Text, strings.Repeat(" ", widths[i]-width(c.Text))
		if c.Right {
			text = pad + text
		} else {
			text += pad
		}
		if c.Title {
			text = p.Tint.Title + text + p.Tint.Off
		}
		p.print(text)
	}
	p.print("\n")
}
