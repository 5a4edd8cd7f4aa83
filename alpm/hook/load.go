// SPDX-License-Identifier: GPL-3.0-or-later

package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Load reads the hooks of several directories of fsys (slash-separated, below
// its root), in rising priority: a file shadows those of the same name before
// it, and a link to /dev/null masks them. A directory that is not there has no
// hooks. The hooks come in the order in which they run.
//
// Mistakes do not stop it: all of them are in the error, beside the hooks that
// are right. Before a transaction such an error must end it; after one, the
// right hooks are still to be run.
func Load(fsys fs.FS, dirs ...string) ([]*Hook, error) {
	found := map[string]*Hook{}
	var errs []error
	for _, dir := range slices.Backward(dirs) {
		entries, err := fs.ReadDir(fsys, dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read hooks in %s: %w", dir, err))
			continue
		}
		for _, e := range entries {
			name := e.Name()
			if !strings.HasSuffix(name, Suffix) || found[name] != nil {
				continue
			}
			h, err := loadFile(fsys, path.Join(dir, name))
			if err != nil {
				errs = append(errs, err)
			} else if h != nil {
				found[name] = h
			}
		}
	}
	hooks := make([]*Hook, 0, len(found))
	for _, h := range found {
		if len(h.Triggers) > 0 {
			hooks = append(hooks, h)
		}
	}
	slices.SortFunc(hooks, func(a, b *Hook) int {
		return strings.Compare(strings.TrimSuffix(a.Name, Suffix), strings.TrimSuffix(b.Name, Suffix))
	})
	return hooks, errors.Join(errs...)
}

// loadFile returns nil for what is no file.
func loadFile(fsys fs.FS, name string) (*Hook, error) {
	base := path.Base(name)
	if to, err := fs.ReadLink(fsys, name); err == nil && to == "/dev/null" {
		// Not read through the link: the tree need not have a /dev/null yet.
		return &Hook{Name: base}, nil
	}
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read hook %s: %w", name, err)
	}
	if info.IsDir() {
		return nil, nil
	}
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read hook %s: %w", name, err)
	}
	return Parse(base, text)
}
