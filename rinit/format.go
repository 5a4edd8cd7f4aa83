// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLine is how long a list may be in one line, in characters.
const maxLine = 80

// Format writes the file in the one form: blanks around "=", one blank line
// before each section, lists sorted and in one line where they fit. Comments and
// code stay as they are. It is for a file in which Decode found no mistake.
func (f *File) Format() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "name = %s\ntype = %s\n", f.name.value, f.kind.value)
	parts := tidy(f.parts)
	for i, p := range parts {
		if apart(parts, i) {
			out.WriteByte('\n')
		}
		p.write(&out)
	}
	return out.Bytes()
}

// tidy drops the blank lines that the form does not have.
func tidy(parts []part) []part {
	var out []part
	for i, p := range parts {
		last := i == len(parts)-1
		switch {
		case p.shape != blank:
			out = append(out, p)
		case last || len(out) == 0 || out[len(out)-1].shape == blank || out[len(out)-1].shape == header:
		default:
			out = append(out, p)
		}
	}
	for len(out) > 0 && out[len(out)-1].shape == blank {
		out = out[:len(out)-1]
	}
	return out
}

// apart tells whether a blank line comes before a part that has none: before the
// head of a section, with the comments right above it.
func apart(parts []part, i int) bool {
	if i > 0 && (parts[i-1].shape == blank || parts[i-1].shape == comment) {
		return false
	}
	for i < len(parts) && parts[i].shape == comment {
		i++
	}
	return i < len(parts) && parts[i].shape == header
}

func (p part) write(out *bytes.Buffer) {
	switch p.shape {
	case blank:
		out.WriteByte('\n')
	case comment, stray:
		out.WriteString(p.value + "\n")
	case header:
		fmt.Fprintf(out, "[%s]\n", p.key)
	case scalar:
		fmt.Fprintf(out, "%s\n", strings.TrimSpace(p.key+" = "+p.value))
	case code:
		fmt.Fprintf(out, "%s = (\n%s)\n", p.key, p.value)
	case list:
		p.writeList(out)
	}
}

func (p part) writeList(out *bytes.Buffer) {
	words := make([]string, len(p.words))
	for i, w := range p.words {
		words[i] = w.text
	}
	section, _ := sectionOf(p.section)
	if f, _ := fieldOf(section, p.key); !f.ordered {
		slices.Sort(words)
	}
	line := fmt.Sprintf("%s = [ %s ]", p.key, strings.Join(words, " "))
	if utf8.RuneCountInString(line) <= maxLine {
		out.WriteString(line + "\n")
		return
	}
	fmt.Fprintf(out, "%s = [\n", p.key)
	for _, w := range words {
		fmt.Fprintf(out, "    %s\n", w)
	}
	out.WriteString("]\n")
}
