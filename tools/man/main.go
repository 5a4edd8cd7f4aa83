// SPDX-License-Identifier: GPL-3.0-or-later

// Command man writes the manual pages of docs/man as roff, the format that
// man(1) reads: rastos-check.md becomes rastos-check.1.
//
//	go run ./tools/man -out build/man docs/man
//
// It knows the Markdown that the pages use: headings, paragraphs, lists, code
// blocks, `code`, *emphasis* and **strong**. Anything else is an error, so that
// no page comes out wrong unseen.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	out := flag.String("out", "build/man", "where the pages go")
	flag.Parse()
	if err := run(flag.Arg(0), *out); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	pages, err := filepath.Glob(filepath.Join(from, "*.md"))
	if err != nil {
		return err
	}
	if len(pages) == 0 {
		return fmt.Errorf("there are no pages in %q", from)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		roff, section, err := convert(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
		name := strings.TrimSuffix(filepath.Base(page), ".md") + "." + section
		if err := os.WriteFile(filepath.Join(to, name), []byte(roff), 0o644); err != nil {
			return err
		}
	}
	return nil
}
