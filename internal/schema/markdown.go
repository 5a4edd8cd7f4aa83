// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"fmt"
	"strings"
)

// Markdown returns the table of keys as a reference for people: a section
// with a table for each TOML table.
func (s *Schema) Markdown() string {
	var b strings.Builder
	s.root.markdown(&b, s.opt, "")
	return strings.TrimLeft(b.String(), "\n")
}

func (s *section) markdown(b *strings.Builder, opt Options, doc string) {
	scalars := 0
	for _, f := range s.fields {
		if f.section == nil {
			scalars++
		}
	}
	if s.name != "" {
		fmt.Fprintf(b, "\n## `%s`\n\n%s\n", s.title(), doc)
	}
	if scalars > 0 {
		fmt.Fprintf(b, "\n| key | holds | default | |\n|---|---|---|---|\n")
	}
	for _, f := range s.fields {
		if f.section == nil {
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.key, cell(f.holds(opt)), cell(f.absent()), cell(f.meaning()))
		}
	}
	for _, f := range s.fields {
		if f.section != nil {
			f.section.markdown(b, opt, f.meaning())
		}
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// holds says what values the key takes.
func (f *field) holds(opt Options) string {
	if len(f.enum) > 0 {
		q := make([]string, len(f.enum))
		for i, e := range f.enum {
			q[i] = "`\"" + e + "\"`"
		}
		list := strings.Join(q, ", ")
		if f.kind == kindStrings {
			return "list of " + list
		}
		return list
	}
	what := map[kind]string{
		kindString: "string", kindText: "string", kindBool: "`true` or `false`", kindInt: "whole number",
		kindStrings: "list of strings", kindMap: "table of strings",
	}[f.kind]
	if doc := opt.Formats[f.format].Doc; doc != "" {
		what += ": " + doc
	}
	switch {
	case f.min != nil && f.max != nil:
		what += fmt.Sprintf(", %d to %d", *f.min, *f.max)
	case f.min != nil:
		what += fmt.Sprintf(", at least %d", *f.min)
	case f.max != nil:
		what += fmt.Sprintf(", at most %d", *f.max)
	}
	return what
}

func (f *field) absent() string {
	switch {
	case f.need:
		return "must be given"
	case f.deflt != "":
		return "`" + f.deflt + "`"
	}
	return ""
}

func (f *field) meaning() string {
	if f.later != "" {
		return fmt.Sprintf("**Not supported in this version**: %s. %s", f.later, f.doc)
	}
	if len(f.laterEnum) > 0 {
		return fmt.Sprintf("%s Not supported in this version: `%s`.", f.doc, strings.Join(f.laterEnum, "`, `"))
	}
	return f.doc
}
