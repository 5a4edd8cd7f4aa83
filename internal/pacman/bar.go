// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// infoWidth is the part of a line that is text; the rest is a bar.
func infoWidth(columns int) int { return max(50, columns*6/10) }

func barWidth(columns int) int { return columns - infoWidth(columns) }

// barLine is the text before the bar of the nth of several things.
func barLine(text string, n, of, columns int) string {
	digits := len(fmt.Sprint(of))
	room := infoWidth(columns) - 3 - 2*digits - 1
	return fmt.Sprintf("(%*d/%*d) %s", digits, n, digits, of, fitted(text, room))
}

// fitted is a text in exactly so many columns.
func fitted(text string, room int) string {
	n := utf8.RuneCountInString(text)
	if n <= room {
		return text + strings.Repeat(" ", room-n)
	}
	return string([]rune(text)[:max(0, room-4)]) + "... "
}

// barFill is a bar of so many columns, and the number.
func barFill(percent, columns int, candy bool) string {
	var b strings.Builder
	inner := max(0, columns-8)
	full := percent * inner / 100
	if inner > 0 {
		b.WriteString(" [")
		for i := inner; i > 0; i-- {
			b.WriteString(barCell(i, inner, full, candy))
		}
		b.WriteString("]")
	}
	if columns >= 5 {
		fmt.Fprintf(&b, " %3d%%", percent)
	}
	b.WriteString("\r")
	return b.String()
}

// barCell is the ith cell from the right.
func barCell(i, inner, full int, candy bool) string {
	eaten := i > inner-full
	switch {
	case !candy && eaten:
		return "#"
	case !candy, eaten:
		return "-"
	case i == inner-full:
		if full%2 == 0 {
			return "\033[1;33mc\033[m"
		}
		return "\033[1;33mC\033[m"
	case i%3 == 0:
		return "\033[0;37mo\033[m"
	}
	return "\033[0;37m \033[m"
}
