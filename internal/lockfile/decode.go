// SPDX-License-Identifier: GPL-3.0-or-later

package lockfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/rastos/rastos/alpm/desc"
)

// Error is a lock that cannot be used.
type Error struct {
	File         string
	Line, Column int // 0: unknown
	Err          error
}

func (e *Error) Error() string {
	name := e.File
	if name == "" {
		name = "lock"
	}
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %v", name, e.Line, e.Column, e.Err)
	}
	return fmt.Sprintf("%s: %v", name, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *Error) Hint() string {
	return "the lock is written by rastos, not by hand: take it from your version control again, or renew it by a run without --locked"
}

// ExitCode is that of a mistake in the manifest or what lies beside it.
func (e *Error) ExitCode() int { return 3 }

// file is a lock as TOML has it.
type file struct {
	Version  int            `toml:"version"`
	Manifest string         `toml:"manifest"`
	Packages []filePackage  `toml:"package"`
	Users    map[string]int `toml:"users"`
	Groups   map[string]int `toml:"groups"`
}

type filePackage struct {
	Name       string `toml:"name"`
	Version    string `toml:"version"`
	Repository string `toml:"repository"`
	Filename   string `toml:"filename"`
	Size       int64  `toml:"size"`
	SHA256     string `toml:"sha256"`
}

// Decode reads a lock; name is what messages call it.
func Decode(name string, data []byte) (*Lock, error) {
	if len(data) > MaxSize {
		return nil, &Error{File: name, Err: fmt.Errorf("it is larger than %d bytes", MaxSize)}
	}
	var f file
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, tomlError(name, err)
	}
	if f.Version != FormatVersion {
		return nil, &Error{File: name, Err: fmt.Errorf("it has the format version %d, and this rastos reads %d", f.Version, FormatVersion)}
	}
	l := &Lock{Manifest: f.Manifest, Users: f.Users, Groups: f.Groups}
	for _, p := range f.Packages {
		l.Packages = append(l.Packages, Package(p))
	}
	if err := l.check(); err != nil {
		return nil, &Error{File: name, Err: err}
	}
	return l, nil
}

// tomlError gives a mistake of the parser its place.
func tomlError(name string, err error) error {
	out := &Error{File: name, Err: err}
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		first := unknown.Errors[0]
		out.Line, out.Column = first.Position()
		out.Err = fmt.Errorf("unknown key %q", strings.Join(first.Key(), "."))
	case errors.As(err, &wrong):
		out.Line, out.Column = wrong.Position()
		out.Err = errors.New(strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return out
}

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// word tells whether s is what a database may call a package, and text.
func word(s string) bool { return desc.CheckName(s) == nil && utf8.ValidString(s) }

// account tells whether s can be a key of the lock. Systems have stranger names
// than useradd gives.
func account(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// check finds what no lock may say, whoever wrote it.
func (l *Lock) check() error {
	if !digest.MatchString(l.Manifest) {
		return fmt.Errorf("manifest is %q, not a SHA-256", l.Manifest)
	}
	for i, p := range l.Packages {
		if err := p.check(); err != nil {
			return err
		}
		if i > 0 && l.Packages[i-1].Name >= p.Name {
			return fmt.Errorf("package %q stands after %q: they are sorted by name, each once", p.Name, l.Packages[i-1].Name)
		}
	}
	for what, numbers := range map[string]map[string]int{"users": l.Users, "groups": l.Groups} {
		for name, n := range numbers {
			if !account(name) || n < 0 || int64(n) > 1<<32-2 {
				return fmt.Errorf("%s: %q = %d is no account with its number", what, name, n)
			}
		}
	}
	return nil
}

func (p Package) check() error {
	switch {
	case !word(p.Name):
		return fmt.Errorf("%q is no name of a package", p.Name)
	case desc.CheckVersion(p.Version) != nil || !utf8.ValidString(p.Version):
		return fmt.Errorf("package %s: %q is no version", p.Name, p.Version)
	case p.Repository == "" && (p.Filename != "" || p.Size != 0 || p.SHA256 != ""):
		return fmt.Errorf("package %s: it names an archive and no repository", p.Name)
	case p.Repository == "":
		return nil
	case !word(p.Repository):
		return fmt.Errorf("package %s: %q is no name of a repository", p.Name, p.Repository)
	case !word(p.Filename):
		return fmt.Errorf("package %s: %q is no name of an archive", p.Name, p.Filename)
	case p.Size <= 0:
		return fmt.Errorf("package %s: the size %d", p.Name, p.Size)
	case !digest.MatchString(p.SHA256):
		return fmt.Errorf("package %s: %q is no SHA-256", p.Name, p.SHA256)
	}
	return nil
}
