// SPDX-License-Identifier: GPL-3.0-or-later

package service

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// Disable removes the links that start units at boot: those of the units'
// names, those that point to them, and those that point to what was removed.
// Units named by Also are disabled too, masks and files stay. Disabling a
// template disables all its instances. A unit that does not exist may still
// have links.
func Disable(root FS, names ...string) ([]Change, error) {
	marked := map[string]bool{}
	var queue []string
	for _, name := range names {
		queue = append(queue, FullName(name))
	}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if marked[name] {
			continue
		}
		if !validName(name) {
			return nil, &Error{name, "is no name of a unit", ""}
		}
		u, err := find(root, name)
		var wrong *Error
		switch {
		case errors.As(err, &wrong):
			marked[name] = true
			continue
		case err != nil:
			return nil, err
		case u.masked: // and stays so
			continue
		}
		marked[name], marked[u.name] = true, true
		for _, raw := range u.install.also {
			if other, err := expand(raw, u.name); err == nil {
				queue = append(queue, other)
			}
		}
	}
	return sweep(root, marked)
}

// sweep removes marked links until there are no more: a removed alias marks the
// links that point to it.
func sweep(root FS, marked map[string]bool) ([]Change, error) {
	var changes []Change
	for {
		links, err := allLinks(root, configDir)
		if err != nil {
			return changes, fmt.Errorf("disable: %w", err)
		}
		removed := 0
		for _, link := range links {
			hit, err := isMarked(root, link, marked)
			if err != nil {
				return changes, fmt.Errorf("disable: %w", err)
			}
			if !hit {
				continue
			}
			if err := root.Remove(link); err != nil {
				return changes, fmt.Errorf("disable: %w", err)
			}
			if dir := path.Dir(link); dir != configDir {
				_ = root.Remove(dir) // only an empty one goes
			}
			marked["/"+link] = true
			changes = append(changes, Change{Link: link})
			removed++
		}
		if removed == 0 {
			return changes, nil
		}
	}
}

func isMarked(root FS, link string, marked map[string]bool) (bool, error) {
	name := path.Base(link)
	template, isInstance := templateOf(name)
	if marked[name] || isInstance && marked[template] {
		target, err := root.Readlink(link)
		return target != "/dev/null", err
	}
	// Follow the chain; its end need not exist.
	at := link
	for range maxLinks {
		target, err := root.Readlink(at)
		if err != nil {
			break
		}
		if target == "/dev/null" {
			return false, nil
		}
		at = inRoot(path.Dir(at), target)
		if marked["/"+at] {
			return true, nil
		}
	}
	// What a chain ends in decides, as instance links end in their template.
	return at != link && marked[path.Base(at)], nil
}

// allLinks lists the links in a directory and in those below it, in order.
func allLinks(root FS, dir string) ([]string, error) {
	entries, err := root.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name := dir + "/" + e.Name()
		switch {
		case e.Type()&fs.ModeSymlink != 0 && validName(e.Name()):
			out = append(out, name)
		case e.IsDir() && dir == configDir:
			below, err := allLinks(root, name)
			if err != nil {
				return nil, err
			}
			out = append(out, below...)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Mask makes units impossible to start. A unit that is a file in etc is refused:
// there is no place for the mask.
func Mask(root FS, names ...string) ([]Change, error) {
	var changes []Change
	for _, name := range names {
		name = FullName(name)
		if !validName(name) {
			return changes, &Error{name, "is no name of a unit", ""}
		}
		link := configDir + "/" + name
		if info, err := root.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return changes, &Error{name, "its file is " + link + ", where the mask would be", "disable it, or move the file away"}
		}
		have, err := root.Readlink(link)
		if err == nil && have == "/dev/null" {
			continue
		}
		if err == nil {
			if err := root.Remove(link); err != nil {
				return changes, fmt.Errorf("mask %s: %w", name, err)
			}
		}
		if err := root.MkdirAll(configDir, 0o755); err != nil {
			return changes, fmt.Errorf("mask %s: %w", name, err)
		}
		if err := root.Symlink("/dev/null", link); err != nil {
			return changes, fmt.Errorf("mask %s: %w", name, err)
		}
		changes = append(changes, Change{link, "/dev/null"})
	}
	return changes, nil
}

// NeverStart is Disable for units that are not to start at boot whatever their
// packages say: one that a package itself links into a target, where Disable
// has nothing to remove, is masked.
func NeverStart(root FS, names ...string) ([]Change, error) {
	changes, err := Disable(root, names...)
	if err != nil {
		return changes, err
	}
	for _, name := range names {
		wanted, err := wantedByPackage(root, FullName(name))
		if err != nil {
			return changes, fmt.Errorf("disable %s: %w", name, err)
		}
		if !wanted {
			continue
		}
		more, err := Mask(root, name)
		changes = append(changes, more...)
		if err != nil {
			return changes, err
		}
	}
	return changes, nil
}

// wantedByPackage tells whether a link outside etc starts the unit.
func wantedByPackage(root FS, name string) (bool, error) {
	for _, dir := range unitDirs[1:] {
		entries, err := root.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		for _, e := range entries {
			switch path.Ext(e.Name()) {
			case ".wants", ".requires", ".upholds":
				if _, err := root.Lstat(dir + "/" + e.Name() + "/" + name); err == nil {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// Unmask removes masks.
func Unmask(root FS, names ...string) ([]Change, error) {
	var changes []Change
	for _, name := range names {
		link := configDir + "/" + FullName(name)
		if have, err := root.Readlink(link); err != nil || have != "/dev/null" {
			continue
		}
		if err := root.Remove(link); err != nil {
			return changes, fmt.Errorf("unmask %s: %w", name, err)
		}
		changes = append(changes, Change{Link: link})
	}
	return changes, nil
}

// State says what systemctl is-enabled would: "enabled", "disabled", "static"
// (nothing to install), "masked", "alias" for another name of a unit, or
// "not-found".
func State(root FS, name string) (string, error) {
	name = FullName(name)
	u, err := find(root, name)
	var wrong *Error
	switch {
	case errors.As(err, &wrong):
		return "not-found", nil
	case err != nil:
		return "", err
	case u.masked:
		return "masked", nil
	case u.name != name:
		return "alias", nil
	}
	links, err := allLinks(root, configDir)
	if err != nil {
		return "", err
	}
	for _, link := range links {
		target, err := root.Readlink(link)
		if err != nil {
			return "", err
		}
		ours := inRoot(path.Dir(link), target) == u.path
		if ours && (path.Base(link) == name || path.Dir(link) == configDir || isTemplate(name)) {
			return "enabled", nil
		}
	}
	if u.sections && len(u.install.also) < u.install.count() {
		return "disabled", nil
	}
	if u.sections {
		return "indirect", nil
	}
	return "static", nil
}

func (i install) count() int {
	return len(i.alias) + len(i.wantedBy) + len(i.requiredBy) + len(i.upheldBy) + len(i.also)
}

// isTemplate tells a template from its instances.
func isTemplate(name string) bool {
	_, instance, _, template := splitName(name)
	return template && instance == ""
}
