// SPDX-License-Identifier: GPL-3.0-or-later

// Package service decides what a system starts at boot, in a system root that
// does not run.
//
// Implemented, for systemd: Enable, Disable, Mask, Unmask and Preset make the
// links that systemctl --root would make, and NeverStart what disable = true
// means ([Install] with Alias, WantedBy,
// RequiredBy, UpheldBy, Also, DefaultInstance; drop-ins; templates and their
// instances; presets); Define writes a service of the manifest as a unit file.
//
// Not implemented: user units, linked units (systemctl link), generators,
// runtime links in /run, System V scripts, the specifiers that depend on the
// running machine (%H, %m, …), other inits than systemd.
//
// The formats are in systemd.unit(5), systemd.service(5) and
// systemd.preset(5); the behaviour is systemctl's (systemd, src/shared/install.c).
package service

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// FS is what this package needs of the files below a system root. Names are
// slash-separated and relative to it.
type FS interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Symlink(target, name string) error
	Readlink(name string) (string, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Remove(name string) error
}

// configDir is where the administrator's units and all links are.
const configDir = "etc/systemd/system"

// unitDirs are searched in this order.
var unitDirs = []string{configDir, "usr/local/lib/systemd/system", "usr/lib/systemd/system"}

// unitTypes are the suffixes that name a unit.
var unitTypes = []string{".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope", ".device"}

// maxLinks bounds chains of aliases.
const maxLinks = 16

// An Error is a unit that cannot be used as asked.
type Error struct {
	Unit   string
	Reason string
	Advice string
}

func (e *Error) Error() string { return "service " + e.Unit + ": " + e.Reason }

// Hint says what to do instead, where that is known.
func (e *Error) Hint() string { return e.Advice }

// ExitCode is that of a mistake in the manifest.
func (e *Error) ExitCode() int { return 3 }

// unit is a unit file with its [Install] section.
type unit struct {
	name     string // as asked for, an instance's name included
	path     string // of the file, relative to the root
	masked   bool
	install  install
	sections bool // it has an [Install] section with something in it
}

// install is an [Install] section.
type install struct {
	alias, wantedBy, requiredBy, upheldBy, also []string
	defaultInstance                             string
}

// FullName adds the suffix that may be left out.
func FullName(name string) string {
	if slices.Contains(unitTypes, path.Ext(name)) {
		return name
	}
	return name + ".service"
}

// validName tells whether a name is a unit's: no path, no blanks.
func validName(name string) bool {
	if !slices.Contains(unitTypes, path.Ext(name)) || len(name) > 255 {
		return false
	}
	stem := strings.TrimSuffix(name, path.Ext(name))
	if stem == "" || strings.HasPrefix(stem, "@") {
		return false
	}
	for _, r := range stem {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(`:-_.\@`, r):
		default:
			return false
		}
	}
	return true
}

// splitName takes a name apart: "getty@tty1.service" is "getty", "tty1",
// ".service". template says that there is an @.
func splitName(name string) (prefix, instance, suffix string, template bool) {
	suffix = path.Ext(name)
	prefix, instance, template = strings.Cut(strings.TrimSuffix(name, suffix), "@")
	return prefix, instance, suffix, template
}

// templateOf is the file that an instance is made of: "getty@.service".
func templateOf(name string) (string, bool) {
	prefix, instance, suffix, template := splitName(name)
	return prefix + "@" + suffix, template && instance != ""
}

func withInstance(name, instance string) string {
	prefix, _, suffix, _ := splitName(name)
	return prefix + "@" + instance + suffix
}

// find looks a unit up, following aliases, and reads its [Install] section.
func find(root FS, name string) (*unit, error) {
	if !validName(name) {
		return nil, &Error{name, "is no name of a unit", ""}
	}
	u := &unit{name: name}
	for range maxLinks {
		file, target, err := locate(root, u.name)
		if err != nil {
			return nil, err
		}
		switch {
		case file == "":
			return nil, notFound(root, name)
		case target == "":
			u.path = file
			return u, u.load(root)
		case target == "/dev/null":
			u.path, u.masked = file, true
			return u, nil
		}
		next := path.Base(target)
		// An alias of a template passes its instance on.
		if _, instance, _, _ := splitName(u.name); instance != "" {
			if _, have, _, template := splitName(next); template && have == "" {
				next = withInstance(next, instance)
			}
		}
		if next == u.name { // a link to a file of the same name elsewhere: a linked unit
			u.path = inRoot(path.Dir(file), target)
			return u, u.load(root)
		}
		u.name = next
	}
	return nil, &Error{name, "its aliases go round in a circle", ""}
}

// locate finds the file of a unit, or of its template, in the search path. For
// a link, target is where it points.
func locate(root FS, name string) (file, target string, err error) {
	names := []string{name}
	if t, ok := templateOf(name); ok {
		names = append(names, t)
	}
	for _, n := range names {
		for _, dir := range unitDirs {
			file := dir + "/" + n
			info, err := root.Lstat(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", "", fmt.Errorf("look up unit %s: %w", name, err)
			}
			if info.Mode()&fs.ModeSymlink != 0 {
				target, err := root.Readlink(file)
				return file, target, err
			}
			if info.Mode().IsRegular() {
				if info.Size() == 0 { // an empty file masks too
					return file, "/dev/null", nil
				}
				return file, "", nil
			}
		}
	}
	return "", "", nil
}

// inRoot resolves the target of a link in dir to a path below the root, on a
// system whose /lib is /usr/lib.
func inRoot(dir, target string) string {
	if !path.IsAbs(target) {
		target = path.Join("/", dir, target)
	}
	target = strings.TrimPrefix(path.Clean(target), "/")
	if strings.HasPrefix(target, "lib/") {
		target = "usr/" + target
	}
	return target
}

// load reads the unit file and its drop-ins.
func (u *unit) load(root FS) error {
	files := []string{u.path}
	names := []string{u.name}
	if t, ok := templateOf(u.name); ok {
		names = append(names, t)
	}
	dropIns := map[string]string{} // base name → path; the first directory wins
	for _, name := range names {
		for _, dir := range unitDirs {
			entries, err := root.ReadDir(dir + "/" + name + ".d")
			if err != nil {
				continue // none is the rule
			}
			for _, e := range entries {
				if strings.HasSuffix(e.Name(), ".conf") && dropIns[e.Name()] == "" {
					dropIns[e.Name()] = dir + "/" + name + ".d/" + e.Name()
				}
			}
		}
	}
	var order []string
	for base := range dropIns {
		order = append(order, base)
	}
	slices.Sort(order)
	for _, base := range order {
		files = append(files, dropIns[base])
	}
	for _, file := range files {
		data, err := root.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read unit %s: %w", u.name, err)
		}
		u.install.parse(data)
	}
	i := u.install
	u.sections = len(i.alias)+len(i.wantedBy)+len(i.requiredBy)+len(i.upheldBy)+len(i.also) > 0
	return nil
}

// parse adds what the [Install] section of a file says.
func (i *install) parse(data []byte) {
	section := ""
	for _, l := range logicalLines(data) {
		if strings.HasPrefix(l, "[") {
			section = l
			continue
		}
		key, value, ok := strings.Cut(l, "=")
		if !ok || section != "[Install]" {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Alias":
			assign(&i.alias, value)
		case "WantedBy":
			assign(&i.wantedBy, value)
		case "RequiredBy":
			assign(&i.requiredBy, value)
		case "UpheldBy":
			assign(&i.upheldBy, value)
		case "Also":
			i.also = append(i.also, words(value)...)
		case "DefaultInstance":
			i.defaultInstance = value
		}
	}
}

// assign adds words to a list; an empty assignment clears it.
func assign(list *[]string, value string) {
	if value == "" {
		*list = nil
		return
	}
	*list = append(*list, words(value)...)
}

func words(value string) []string {
	var out []string
	for _, w := range strings.Fields(value) {
		out = append(out, strings.Trim(w, `"'`))
	}
	return out
}

// logicalLines joins continued lines and drops comments and blank ones.
func logicalLines(data []byte) []string {
	var out []string
	pending := ""
	for l := range strings.Lines(string(data)) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "#") || strings.HasPrefix(l, ";") {
			continue // also in the middle of a continued line
		}
		if rest, continued := strings.CutSuffix(l, `\`); continued {
			pending += rest + " "
			continue
		}
		if l = strings.TrimSpace(pending + l); l != "" {
			out = append(out, l)
		}
		pending = ""
	}
	if l := strings.TrimSpace(pending); l != "" {
		out = append(out, l)
	}
	return out
}

// expand replaces the specifiers that a unit's name answers.
func expand(text, name string) (string, error) {
	prefix, instance, suffix, template := splitName(name)
	stem := strings.TrimSuffix(name, suffix)
	_, last := path.Split(strings.ReplaceAll(prefix, "-", "/"))
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case '%':
			out.WriteByte('%')
		case 'n':
			out.WriteString(name)
		case 'N':
			out.WriteString(stem)
		case 'p':
			out.WriteString(prefix)
		case 'j':
			out.WriteString(last)
		case 'i':
			if !template {
				instance = ""
			}
			out.WriteString(instance)
		default:
			return "", fmt.Errorf("%%%c in %q depends on the running machine", text[i], text)
		}
	}
	return out.String(), nil
}
