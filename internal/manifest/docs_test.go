// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReferenceIsCurrent keeps the generated part of docs/manifest.md the
// same as the table of keys.
func TestReferenceIsCurrent(t *testing.T) {
	const path = "../../docs/manifest.md"
	head, _, found := strings.Cut(string(read(t, path)), "-update`. -->\n")
	if !found {
		t.Fatalf("%s has lost the mark after which the reference stands", path)
	}
	golden(t, path, []byte(head+"-update`. -->\n\n"+Reference()))
}

// TestDocumentedManifestsAreRight checks every whole manifest that a document
// shows; a piece of one is checked as far as it goes.
func TestDocumentedManifestsAreRight(t *testing.T) {
	files, _ := filepath.Glob("../../docs/*.md")
	files = append(files, "../../README.md")
	blocks := 0
	for _, file := range files {
		for _, m := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(read(t, file)), -1) {
			if !strings.Contains(m[1], "[system]") {
				continue
			}
			blocks++
			if _, err := Parse(file, []byte(m[1])); err != nil {
				t.Errorf("%s shows a manifest with mistakes: %v", file, err)
			}
		}
	}
	if blocks < 2 {
		t.Errorf("only %d manifests found in the documents", blocks)
	}
}
