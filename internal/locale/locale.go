// SPDX-License-Identifier: GPL-3.0-or-later

// Package locale writes what a system calls itself and how it speaks: host
// name, time zone, language and console keyboard.
//
// Implemented: /etc/hostname, the machine's own line in /etc/hosts, the
// /etc/localtime link (and Debian's /etc/timezone where it exists),
// /etc/locale.conf (and Debian's /etc/default/locale likewise), the line of /etc/locale.gen, /etc/vconsole.conf. Time zone,
// locale and keymap must exist in the system. Other lines of these files stay.
//
// Not implemented: running locale-gen (Apply says when it is needed), X11
// keyboards, time synchronisation.
//
// The files are described in hostname(5), hosts(5), localtime(5),
// locale.conf(5), locale.gen(5) and vconsole.conf(5).
package locale

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
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

// Settings are those of a manifest. An empty one is left as it is.
type Settings struct {
	Hostname string // a label, or a full name with its domain
	Timezone string // "Europe/Berlin"
	Locale   string // "de_DE.UTF-8"
	Keymap   string // "de-latin1"
}

// A Result says what Apply leaves to do.
type Result struct {
	// LocaleGen is set when locale-gen must be run in the system: the locale
	// is listed in /etc/locale.gen but not compiled yet.
	LocaleGen bool
}

// An Error is a setting that the system cannot have.
type Error struct {
	Setting string // "timezone"
	Value   string
	Reason  string
	Advice  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s %q: %s", e.Setting, e.Value, e.Reason) }

// Hint says what to write or install instead, where that is known.
func (e *Error) Hint() string { return e.Advice }

// ExitCode is that of a mistake in the manifest.
func (e *Error) ExitCode() int { return 3 }

// Apply writes the settings. It looks for the mistakes in all of them first,
// and writes nothing if there are any.
func Apply(root FS, s Settings) (Result, error) {
	compiled, localeErr := checkLocale(root, s.Locale)
	if err := errors.Join(checkHostname(s.Hostname), checkTimezone(root, s.Timezone), localeErr, checkKeymap(root, s.Keymap)); err != nil {
		return Result{}, err
	}
	if err := root.MkdirAll("etc", 0o755); err != nil {
		return Result{}, fmt.Errorf("write locale settings: %w", err)
	}
	for _, write := range []func(FS, Settings) error{writeHostname, writeTimezone, writeLocale, writeKeymap} {
		if err := write(root, s); err != nil {
			return Result{}, fmt.Errorf("write locale settings: %w", err)
		}
	}
	return Result{LocaleGen: s.Locale != "" && !compiled}, nil
}

var hostnameFormat = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)
})

func checkHostname(name string) error {
	if name == "" || len(name) <= 64 && hostnameFormat().MatchString(name) {
		return nil
	}
	return &Error{"hostname", name, "is no host name", "letters, digits and -, at most 63 between dots and 64 in all"}
}

func writeHostname(root FS, s Settings) error {
	if s.Hostname == "" {
		return nil
	}
	if err := replace(root, "etc/hostname", s.Hostname+"\n"); err != nil {
		return err
	}
	old, err := read(root, "etc/hosts")
	if err != nil {
		return err
	}
	return replace(root, "etc/hosts", hosts(old, s.Hostname))
}

// hosts gives the machine its own line, at 127.0.1.1 as Debian does: the name
// is to be found with no network, and 127.0.0.1 is localhost's.
func hosts(old, hostname string) string {
	names := hostname
	if label, _, full := strings.Cut(hostname, "."); full {
		names += " " + label
	}
	own := "127.0.1.1 " + names
	var out []string
	have := map[string]bool{}
	for l := range strings.Lines(old) {
		l = strings.TrimSuffix(l, "\n")
		fields := strings.Fields(l)
		if len(fields) > 0 {
			if fields[0] == "127.0.1.1" {
				if have[fields[0]] {
					continue
				}
				l = own
			}
			have[fields[0]] = true
		}
		out = append(out, l)
	}
	for _, missing := range []string{"127.0.0.1 localhost", "::1 localhost", own} {
		address, _, _ := strings.Cut(missing, " ")
		if !have[address] {
			out = append(out, missing)
		}
	}
	return strings.Join(out, "\n") + "\n"
}

func writeKeymap(root FS, s Settings) error {
	return setVariable(root, "etc/vconsole.conf", "KEYMAP", s.Keymap)
}

// keymapDirs are where kbd keeps its keymaps, on Arch and on Debian.
var keymapDirs = []string{"usr/share/kbd/keymaps", "usr/share/keymaps"}

func checkKeymap(root FS, keymap string) error {
	if keymap == "" || keymap == "us" { // the kernel's own
		return nil
	}
	if strings.ContainsAny(keymap, "/\n\"' ") {
		return &Error{"keymap", keymap, "is no name of a keymap", ""}
	}
	var all []string
	for _, dir := range keymapDirs {
		names, err := list(root, dir, 6)
		if err != nil {
			return err
		}
		for _, name := range names {
			base, isMap := strings.CutSuffix(strings.TrimSuffix(path.Base(name), ".gz"), ".map")
			if !isMap {
				continue
			}
			if base == keymap {
				return nil
			}
			all = append(all, base)
		}
	}
	e := &Error{"keymap", keymap, "the system does not have it", "add the package kbd"}
	if len(all) > 0 {
		e.Advice = didYouMean(keymap, all)
	}
	return e
}

// setVariable sets one variable of a file of shell assignments.
func setVariable(root FS, name, variable, value string) error {
	if value == "" {
		return nil
	}
	old, err := read(root, name)
	if err != nil {
		return err
	}
	assignment := variable + "=" + value
	var out []string
	done := false
	for l := range strings.Lines(old) {
		l = strings.TrimSuffix(l, "\n")
		if strings.HasPrefix(strings.TrimSpace(l), variable+"=") {
			if done {
				continue
			}
			l, done = assignment, true
		}
		out = append(out, l)
	}
	if !done {
		out = append(out, assignment)
	}
	return replace(root, name, strings.Join(out, "\n")+"\n")
}

// read returns a file's text, or nothing if there is no such file.
func read(root FS, name string) (string, error) {
	data, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(data), err
}

// replace writes a file if it differs.
func replace(root FS, name, text string) error {
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() {
		if old, err := root.ReadFile(name); err == nil && string(old) == text {
			return nil
		}
	}
	return root.WriteFile(name, []byte(text), 0o644)
}

// list returns the files below a directory, relative to it; none if it does not
// exist. Links to directories are not entered.
func list(root FS, dir string, depth int) ([]string, error) {
	entries, err := root.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || depth == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() {
			out = append(out, e.Name())
			continue
		}
		below, err := list(root, dir+"/"+e.Name(), depth-1)
		if err != nil {
			return nil, err
		}
		for _, name := range below {
			out = append(out, e.Name()+"/"+name)
		}
	}
	return out, nil
}
