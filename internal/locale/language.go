// SPDX-License-Identifier: GPL-3.0-or-later

package locale

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A locale's name: language, territory, character set, variant.
var localeFormat = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z]{1,8}(_[A-Z]{2})?(\.[A-Za-z0-9-]+)?(@[a-zA-Z0-9]+)?$`)
})

// checkLocale asks whether the system has the locale, compiled or to compile.
func checkLocale(root FS, name string) (compiled bool, err error) {
	if name == "" || builtIn(name) {
		return true, nil
	}
	if !localeFormat().MatchString(name) {
		return false, &Error{"locale", name, "is no name of a locale", "write it like de_DE.UTF-8"}
	}
	if isCompiled(root, name) {
		return true, nil
	}
	known, err := offered(root)
	if err != nil {
		return false, err
	}
	for _, l := range known {
		if fields := strings.Fields(l); normal(fields[0]) == normal(name) {
			return false, nil
		}
	}
	if len(known) == 0 {
		return false, &Error{"locale", name, "the system has no locales to compile", "C.UTF-8 needs none"}
	}
	var names []string
	for _, l := range known {
		names = append(names, strings.Fields(l)[0])
	}
	return false, &Error{"locale", name, "there is no such locale", didYouMean(name, names)}
}

// builtIn tells the locales that need no files.
func builtIn(name string) bool {
	return name == "C" || name == "POSIX" || normal(name) == "C.utf8"
}

// normal spells the character set as libc does when it looks for files.
func normal(name string) string {
	base, variant, hasVariant := strings.Cut(name, "@")
	if language, charset, ok := strings.Cut(base, "."); ok {
		base = language + "." + strings.ReplaceAll(strings.ToLower(charset), "-", "")
	}
	if hasVariant {
		base += "@" + variant
	}
	return base
}

// isCompiled looks for a directory of the locale's, or its name in the archive
// of all.
func isCompiled(root FS, name string) bool {
	for _, dir := range []string{name, normal(name)} {
		if _, err := root.Lstat("usr/lib/locale/" + dir); err == nil {
			return true
		}
	}
	archive, err := root.ReadFile("usr/lib/locale/locale-archive")
	return err == nil && bytes.Contains(archive, []byte("\x00"+normal(name)+"\x00"))
}

// genLine is a line of locale.gen, in use or not: name and character set.
var genLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^#?\s*([A-Za-z]{2,8}_[A-Z]{2}\S*|[A-Za-z]{2,3}(?:[.@]\S+)?)\s+([A-Za-z0-9-]+)\s*$`)
})

// offered lists what locale-gen can compile, as "name charset".
func offered(root FS) ([]string, error) {
	var out []string
	for _, name := range []string{"usr/share/i18n/SUPPORTED", "etc/locale.gen"} {
		text, err := read(root, name)
		if err != nil {
			return nil, err
		}
		for l := range strings.Lines(text) {
			if m := genLine().FindStringSubmatch(strings.TrimSuffix(l, "\n")); m != nil {
				out = append(out, m[1]+" "+m[2])
			}
		}
	}
	return out, nil
}

func writeLocale(root FS, s Settings) error {
	if s.Locale == "" {
		return nil
	}
	if !builtIn(s.Locale) {
		if err := listForGen(root, s.Locale); err != nil {
			return err
		}
	}
	// Debian's systemd reads the older file.
	if _, err := root.Lstat("etc/default/locale"); err == nil {
		if err := setVariable(root, "etc/default/locale", "LANG", s.Locale); err != nil {
			return err
		}
	}
	return setVariable(root, "etc/locale.conf", "LANG", s.Locale)
}

// listForGen puts the locale into use in locale.gen, so that it is also there
// after the next update of libc.
func listForGen(root FS, name string) error {
	known, err := offered(root)
	if err != nil || len(known) == 0 {
		return err
	}
	at := slices.IndexFunc(known, func(l string) bool { return normal(strings.Fields(l)[0]) == normal(name) })
	if at < 0 {
		return nil // compiled by other means
	}
	old, err := read(root, "etc/locale.gen")
	if err != nil {
		return err
	}
	var out []string
	done := false
	for l := range strings.Lines(old) {
		l = strings.TrimSuffix(l, "\n")
		if m := genLine().FindStringSubmatch(l); m != nil && m[1]+" "+m[2] == known[at] {
			l, done = known[at], true
		}
		out = append(out, l)
	}
	if !done {
		out = append(out, known[at])
	}
	return replace(root, "etc/locale.gen", strings.Join(out, "\n")+"\n")
}
