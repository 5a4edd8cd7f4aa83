// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// title is the first line of a page: "# rastos-check(1)".
var title = regexp.MustCompile(`^# ([a-z-]+)\(([1-8])\)$`)

// convert turns a page into roff and tells its section of the manual.
func convert(text string) (roff, section string, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	m := title.FindStringSubmatch(lines[0])
	if m == nil {
		return "", "", errors.New("line 1: want a title such as # rastos(1)")
	}
	c := &converter{}
	c.line(`.TH "%s" "%s" "" "rastOS" "rastOS Manual"`, strings.ToUpper(m[1]), m[2])
	for i, l := range lines[1:] {
		if err := c.add(l); err != nil {
			return "", "", fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	c.flush()
	if c.code {
		return "", "", errors.New("a code block has no end")
	}
	return c.out.String(), m[2], nil
}

type converter struct {
	out  strings.Builder
	par  []string // the lines of the open paragraph or list item
	item bool
	code bool
}

func (c *converter) line(format string, args ...any) {
	fmt.Fprintf(&c.out, format+"\n", args...)
}

func (c *converter) add(l string) error {
	switch {
	case strings.HasPrefix(l, "```"):
		c.flush()
		if c.code {
			c.line(".fi\n.RE")
		} else {
			c.line(".PP\n.RS 4\n.nf")
		}
		c.code = !c.code
	case c.code:
		c.line("%s", guard(escape(l)))
	case l == "":
		c.flush()
	case strings.HasPrefix(l, "### "):
		c.flush()
		c.line(".SS %s", escape(l[4:]))
	case strings.HasPrefix(l, "## "):
		c.flush()
		c.line(".SH %s", escape(l[3:]))
	case strings.HasPrefix(l, "- "):
		c.flush()
		c.item = true
		c.par = []string{l[2:]}
	case strings.HasPrefix(l, "  ") && c.item:
		c.par = append(c.par, strings.TrimSpace(l))
	case strings.HasPrefix(l, "#"), strings.HasPrefix(l, "|"), strings.HasPrefix(l, ">"), strings.HasPrefix(l, " "),
		strings.HasPrefix(l, "* "), strings.Contains(l, "]("):
		return fmt.Errorf("this Markdown is not known here: %s", l)
	default:
		if c.item {
			c.flush()
		}
		c.par = append(c.par, l)
	}
	return nil
}

// flush writes the open paragraph or item.
func (c *converter) flush() {
	if len(c.par) == 0 {
		return
	}
	text := inline(strings.Join(c.par, "\n"))
	if c.item {
		c.line(`.IP \(bu 2`)
	} else {
		c.line(".PP")
	}
	for l := range strings.SplitSeq(text, "\n") {
		c.line("%s", guard(l))
	}
	c.par, c.item = nil, false
}

var (
	strong   = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	emphasis = regexp.MustCompile(`\*([^*]+)\*`)
	pageName = regexp.MustCompile(`\b([a-z][a-z-]+)\(([1-8])\)`)
)

// inline sets `code` and **strong** in bold and *emphasis* in italics; what
// stands in code is left as it is.
func inline(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = escape(part)
		if i%2 == 1 {
			b.WriteString(`\fB` + part + `\fR`)
			continue
		}
		part = strong.ReplaceAllString(part, `\fB$1\fR`)
		part = emphasis.ReplaceAllString(part, `\fI$1\fR`)
		b.WriteString(pageName.ReplaceAllString(part, `\fB$1\fR($2)`))
	}
	return b.String()
}

// escape protects what roff reads as its own; a plain minus stays one, so
// that flags can be copied from a page.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(s)
}

// guard keeps a line that begins with a dot from being a request.
func guard(l string) string {
	if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
		return `\&` + l
	}
	return l
}
