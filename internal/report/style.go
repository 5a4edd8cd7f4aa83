// SPDX-License-Identifier: GPL-3.0-or-later

package report

// Style colours text for terminals; its zero value leaves text as it is.
type Style struct {
	Color bool
}

func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Good marks success.
func (s Style) Good(text string) string { return s.paint("32", text) }

// Bad marks failure.
func (s Style) Bad(text string) string { return s.paint("1;31", text) }

// Warn marks what should not be missed.
func (s Style) Warn(text string) string { return s.paint("1;33", text) }

// Hint marks advice.
func (s Style) Hint(text string) string { return s.paint("1;36", text) }

// Bold marks headings.
func (s Style) Bold(text string) string { return s.paint("1", text) }

// Dim marks what is of less weight.
func (s Style) Dim(text string) string { return s.paint("2", text) }
