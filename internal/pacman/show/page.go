// SPDX-License-Identifier: GPL-3.0-or-later

// Package show draws what pacman's operations print in common: the fields of a
// package, lists that fold at the width of a terminal, results of a search,
// tables and sizes. The bytes are those of pacman 6.0.2 in the C locale, where
// a character is a column; text of other locales is measured in characters.
package show

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Tint is pacman's colours: empty strings where there are none.
type Tint struct{ Colon, Title, Repo, Version, Groups, Meta, Warn, Err, Faint, Off string }

const (
	esc      = "\033["
	bold     = esc + "0;1m"
	boldBlue = esc + "1;34m"
)

// Colours returns pacman's colours, or none.
func Colours(on bool) Tint {
	if !on {
		return Tint{Colon: ":: "}
	}
	return Tint{
		Colon: boldBlue + "::" + bold + " ", Title: bold, Repo: esc + "1;35m", Version: esc + "1;32m",
		Groups: boldBlue, Meta: esc + "1;36m", Warn: esc + "1;33m", Err: esc + "1;31m", Faint: esc + "38;5;243m",
		Off: esc + "0m",
	}
}

// Page is what is drawn on.
type Page struct {
	Out io.Writer
	// Columns is the width to fold at; 0: nothing folds.
	Columns int
	Tint    Tint
}

func (p Page) print(texts ...string) {
	for _, t := range texts {
		_, _ = io.WriteString(p.Out, t)
	}
}

// none stands for an empty value.
const none = "None"

// width is the columns that a text takes, colours left out.
func width(text string) int {
	n := 0
	for text != "" {
		if text[0] == '\033' {
			if i := strings.IndexByte(text, 'm'); i >= 0 {
				text = text[i+1:]
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		n++
	}
	return n
}

// Indented prints a text that begins at column indent, folded between words.
func (p Page) Indented(text string, indent int) {
	if p.Columns == 0 || indent > p.Columns {
		p.print(text)
		return
	}
	column := indent
	words := strings.Split(text, " ")
	for i, word := range words {
		switch w := width(word); {
		case i == 0:
			p.print(word)
			column += w
		case word == "" && i < len(words)-1: // one of several blanks
		case column <= p.Columns && w+1 > p.Columns-column: // past the edge nothing folds, as with pacman
			p.print("\n", strings.Repeat(" ", indent), word)
			column = indent + w
		default:
			p.print(" ", word)
			column += 1 + w
		}
	}
}

func (p Page) title(title string) (indent int) {
	p.print(p.Tint.Title, title, p.Tint.Off, " ")
	return width(title) + 1
}

// Text prints a field with one value.
func (p Page) Text(title, text string) {
	indent := p.title(title)
	if text == "" {
		p.print(none, "\n")
		return
	}
	p.Indented(text, indent)
	p.print("\n")
}

// List prints a field with several values side by side.
func (p Page) List(title string, list []string) {
	p.title(title)
	p.list(list, width(title)+1)
}

func (p Page) list(list []string, indent int) {
	if len(list) == 0 {
		p.print(none, "\n")
		return
	}
	column := indent
	for i, text := range list {
		w := width(text)
		switch {
		case i == 0:
		case p.Columns > indent && column+w+2 >= p.Columns:
			p.print("\n", strings.Repeat(" ", indent))
			column = indent
		case column != indent:
			p.print("  ")
			column += 2
		}
		p.print(text)
		column += w
	}
	p.print("\n")
}

// Lines prints a field with a line for each value.
func (p Page) Lines(title string, list []string) {
	indent := p.title(title)
	if len(list) == 0 {
		p.print(none, "\n")
		return
	}
	for i, text := range list {
		if i > 0 {
			p.print(strings.Repeat(" ", indent))
		}
		p.Indented(text, indent)
		p.print("\n")
	}
}

// units of sizes, each 1024 of the one before.
var units = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}

// Size writes a number of bytes with two digits in the unit that fits, or in
// the one whose first letter is given.
func Size(bytes int64, unit byte) string {
	value, label := SizeIn(bytes, unit)
	return fmt.Sprintf("%.2f %s", value, label)
}

// SizeIn is Size as a number and its unit.
func SizeIn(bytes int64, unit byte) (value float64, label string) {
	value = float64(bytes)
	i := 0
	for ; i < len(units)-1; i++ {
		if unit != 0 && units[i][0] == unit || unit == 0 && value <= 2048 && value >= -2048 {
			break
		}
		value /= 1024
	}
	if value < 0 && value > -0.005 {
		value = 0 // no "-0.00"
	}
	return value, units[i]
}
