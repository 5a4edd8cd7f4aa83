// SPDX-License-Identifier: GPL-3.0-or-later

// Package debian reads what tools/debrepo needs of Debian binary packages: the
// ar container with its control and data archives, control paragraphs,
// relations between packages, and the order of versions. It reads archives of
// format 2.0 with members compressed by gzip, xz, zstd or not at all.
//
// Not implemented: architecture qualifiers beyond ignoring them, build
// profiles, triggers, signatures inside of packages (apt verifies them).
//
// The formats are specified by deb(5), deb-control(5) and deb-version(7).
package debian

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Paragraph holds the fields of one paragraph by name, as they are spelt.
// Continuation lines are joined by line breaks, without their leading blank.
type Paragraph map[string]string

// maxLine is the longest line accepted in a control file; the longest seen in
// the archive is a Provides of about 100 KB.
const maxLine = 4 << 20

// ReadParagraphs reads all paragraphs of a control file or package index.
func ReadParagraphs(r io.Reader) ([]Paragraph, error) {
	var (
		all     []Paragraph
		current Paragraph
		last    string
	)
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimRight(lines.Text(), " \t\r")
		switch {
		case line == "":
			current, last = nil, ""
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return nil, fmt.Errorf("control file, line %d: a continuation line without a field", number)
			}
			current[last] += "\n" + line[1:]
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" {
				return nil, fmt.Errorf("control file, line %d: no field name", number)
			}
			if current == nil {
				current = make(Paragraph)
				all = append(all, current)
			}
			current[name], last = strings.TrimSpace(value), name
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read control file: %w", err)
	}
	return all, nil
}
