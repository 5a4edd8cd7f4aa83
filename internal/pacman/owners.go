// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// owners is -Qo. As with pacman, the exit code is the number of targets that
// nobody owns.
func (q *query) owners() int {
	code := 0
	for _, target := range q.opt.Targets {
		if !q.owner(target) {
			code++
		}
	}
	return code
}

// owner says which packages a path belongs to: one for a file, perhaps several
// for a directory.
func (q *query) owner(target string) bool {
	if target == "" {
		q.errorf("empty string passed to file owner query")
		return false
	}
	name := target
	if trimmed := strings.TrimRight(name, "/"); trimmed == "" {
		name = "/"
	} else {
		name = trimmed
	}
	isDir := name != target // unless there is something else
	info, err := os.Lstat(name)
	if err != nil && !strings.Contains(name, "/") {
		if found, st := q.inPath(name); found != "" {
			name, info, err = found, st, nil
		}
	}
	path := q.realPath(name)
	rel, inside := strings.CutPrefix(path, q.conf.RootDir)
	if !inside {
		q.errorf("No package owns %s", name)
		return false
	}
	if err == nil {
		isDir = info.IsDir()
	}
	if isDir {
		rel, path = rel+"/", path+"/"
	}
	found := q.printOwners(path, rel, isDir)
	if !found {
		q.errorf("No package owns %s", name)
	}
	return found
}

func (q *query) printOwners(path, rel string, all bool) (found bool) {
	for _, p := range q.installed {
		if err := q.local.LoadFiles(p); err != nil {
			q.errorf("%v", err)
			continue
		}
		if !slices.Contains(p.Files, rel) {
			continue
		}
		q.printOwner(path, p)
		if found = true; !all {
			break
		}
	}
	return found
}

func (q *query) printOwner(path string, p *desc.Package) {
	if q.opt.Quiet {
		q.print(p.Name, "\n")
		return
	}
	t := q.tint
	q.print(path, " is owned by ", t.Title, p.Name, " ", t.Version, p.Version, t.Off, "\n")
}

// inPath looks for a program.
func (q *query) inPath(name string) (string, fs.FileInfo) {
	for _, dir := range strings.Split(q.Getenv("PATH"), ":") {
		path := strings.TrimRight(dir, "/") + "/" + name
		if info, err := os.Lstat(path); err == nil {
			return path, info
		}
	}
	return "", nil
}

// realPath resolves the links on the way to a name, but not a link that the
// name itself is. What cannot be resolved stays as it is.
func (q *query) realPath(name string) string {
	abs := name
	if !filepath.IsAbs(abs) {
		dir, err := q.Getwd()
		if err != nil {
			return name
		}
		abs = dir + "/" + abs // not cleaned: ".." counts after links
	}
	base := filepath.Base(abs)
	if base == "." || base == ".." || base == "/" {
		real, err := filepath.EvalSymlinks(abs)
		if err != nil {
			return name
		}
		return real
	}
	dir, err := filepath.EvalSymlinks(abs[:strings.LastIndexByte(abs, '/')+1])
	if err != nil {
		return name
	}
	return strings.TrimSuffix(dir, "/") + "/" + base
}
