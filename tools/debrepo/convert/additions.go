// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"embed"
	"io/fs"
	"strings"
)

// additionsFS holds a folder for each Debian package that gets files of ours.
//
//go:embed additions
var additionsFS embed.FS

type addition struct {
	name    string
	mode    int64
	content []byte
}

// readAdditions lists the files by Debian package.
func readAdditions() (map[string][]addition, error) {
	all := make(map[string][]addition)
	err := fs.WalkDir(additionsFS, "additions", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := additionsFS.ReadFile(name)
		if err != nil {
			return err
		}
		pkg, file, _ := strings.Cut(strings.TrimPrefix(name, "additions/"), "/")
		mode := int64(0o644)
		if strings.HasPrefix(file, "usr/share/libalpm/scripts/") || strings.HasPrefix(file, "usr/bin/") {
			mode = 0o755
		}
		all[pkg] = append(all[pkg], addition{file, mode, content})
		return nil
	})
	return all, err
}
