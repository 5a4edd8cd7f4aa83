// SPDX-License-Identifier: GPL-3.0-or-later

package rastos

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents are the texts for people, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/man/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			docs[f] = string(data)
		}
	}
	if len(docs) < 5 {
		t.Fatalf("only %d documents found", len(docs))
	}
	return docs
}

// TestLinksLead: a link between documents leads to a file.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	for doc, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", doc, m[1])
			}
		}
	}
}

// TestDocumentedTargetsExist: a make target that a document names is one.
func TestDocumentedTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	use := regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z-]*)")
	found := 0
	for doc, text := range documents(t) {
		for _, m := range use.FindAllStringSubmatch(text, -1) {
			found++
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
				t.Errorf("%s names `make %s`, which the Makefile does not have", doc, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d uses of make found in the documents", found)
	}
}

// TestDocumentedFilesExist: a folder or file of this module that
// ARCHITECTURE.md or CONTRIBUTING.md names in code is there.
func TestDocumentedFilesExist(t *testing.T) {
	name := regexp.MustCompile("`((?:internal|cmd|alpm|btrfs|bench|test|tools|docs)/[a-zA-Z0-9_./-]+)`")
	docs := documents(t)
	for _, doc := range []string{"ARCHITECTURE.md", "CONTRIBUTING.md"} {
		for _, m := range name.FindAllStringSubmatch(docs[doc], -1) {
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s names %s, which does not exist", doc, m[1])
			}
		}
	}
}
