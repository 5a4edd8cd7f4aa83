// SPDX-License-Identifier: GPL-3.0-or-later

// Package pkglist reads the files that say what goes into a repository: TOML,
// strict, so that a mistyped key is an error.
//
//	packages = ["systemd", "bash"]     # Debian packages; apt adds what they need
//	exclude  = ["dpkg"]                # taken for installed: neither they nor what only they need
//	trim     = ["usr/share/zoneinfo/right/"]   # left out by --trim beside documentation and translations
//
//	[rename]                           # shell pattern over Debian's name = ours
//	"linux-image-*-cloud-amd64" = "linux"
//
//	[[local]]                          # a package of our own
//	name    = "hello"
//	version = "1.0-1"
//	depends = ["systemd"]
//	install = "post_install() { :; }"  # the scriptlet
//	tree    = "hello"                  # a directory beside the list, whose content becomes the package's
//	[[local.file]]                     # and single files
//	path    = "usr/bin/hello"
//	mode    = "0755"
//	content = "#!/bin/sh\necho hello\n"
//
// A file with [[local]] alone (NAME.package) describes packages to add to a repository.
package pkglist

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/rastos/rastos/alpm/desc"
)

// List is what a file says.
type List struct {
	Packages []string          `toml:"packages"`
	Exclude  []string          `toml:"exclude"`
	Trim     []string          `toml:"trim"`
	Rename   map[string]string `toml:"rename"`
	Local    []Local           `toml:"local"`
}

// Local is a package that does not come from Debian.
type Local struct {
	Name        string   `toml:"name"`
	Version     string   `toml:"version"` // with pkgrel
	Arch        string   `toml:"arch"`    // default "any"
	Description string   `toml:"description"`
	URL         string   `toml:"url"`
	License     []string `toml:"license"`
	Groups      []string `toml:"groups"`
	Depends     []string `toml:"depends"`
	OptDepends  []string `toml:"optdepends"`
	Provides    []string `toml:"provides"`
	Conflicts   []string `toml:"conflicts"`
	Replaces    []string `toml:"replaces"`
	Backup      []string `toml:"backup"`
	Install     string   `toml:"install"`
	Tree        string   `toml:"tree"` // absolute after Load
	Files       []File   `toml:"file"`
}

// File is one file of a local package. Exactly one of Content, Source and Link
// is meant; an empty file has none of them.
type File struct {
	Path    string `toml:"path"`
	Mode    string `toml:"mode"` // octal; default 0644
	Content string `toml:"content"`
	Source  string `toml:"source"` // a file beside the list; absolute after Load
	Link    string `toml:"link"`   // target of a symbolic link
}

// Perm is the file's mode.
func (f File) Perm() (fs.FileMode, error) {
	if f.Mode == "" {
		return 0o644, nil
	}
	mode, err := strconv.ParseUint(f.Mode, 8, 12)
	if err != nil {
		return 0, fmt.Errorf("mode %q: not an octal number", f.Mode)
	}
	return fs.FileMode(mode), nil
}

// Load reads the file at a path. Paths in it are taken from its directory.
func Load(name string) (*List, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read package list: %w", err)
	}
	l, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i := range l.Local {
		l.Local[i].below(dir)
	}
	return l, nil
}

func (p *Local) below(dir string) {
	at := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	p.Tree = at(p.Tree)
	for i := range p.Files {
		p.Files[i].Source = at(p.Files[i].Source)
	}
}

// Parse reads a list and reports all that is wrong with it.
func Parse(data []byte) (*List, error) {
	var l List
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		var (
			unknown *toml.StrictMissingError
			wrong   *toml.DecodeError
		)
		switch {
		case errors.As(err, &unknown):
			return nil, errors.New("unknown key:\n" + unknown.String())
		case errors.As(err, &wrong):
			return nil, errors.New("not understood:\n" + wrong.String())
		}
		return nil, err
	}
	return &l, l.check()
}

func (l *List) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, name := range append(append([]string(nil), l.Packages...), l.Exclude...) {
		if desc.CheckName(name) != nil {
			wrong("%q is no package name", name)
		}
	}
	for pattern, name := range l.Rename {
		if _, err := path.Match(pattern, ""); err != nil || desc.CheckName(name) != nil {
			wrong("rename %q to %q: not a pattern and a package name", pattern, name)
		}
	}
	for i := range l.Local {
		if err := l.Local[i].Check(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Check tells what is wrong with a local package.
func (p *Local) Check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("local package %q: "+format, append([]any{p.Name}, args...)...))
	}
	if desc.CheckName(p.Name) != nil {
		wrong("no valid name")
	}
	version, release, ok := strings.Cut(p.Version, "-")
	if desc.CheckVersion(p.Version) != nil || !ok || version == "" || release == "" || strings.Contains(release, "-") {
		wrong("version %q is not of the form version-release", p.Version)
	}
	for _, f := range p.Files {
		if f.Path == "" || path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || strings.HasPrefix(f.Path, "..") {
			wrong("%q is no clean path below the root", f.Path)
		}
		if _, err := f.Perm(); err != nil {
			wrong("%s: %w", f.Path, err)
		}
		if f.Content != "" && f.Source != "" || f.Link != "" && f.Content+f.Source != "" {
			wrong("%s: only one of content, source and link can be", f.Path)
		}
	}
	return errors.Join(errs...)
}

// ParseLocal reads the short description of a local package that fits on a
// command line: "name=rastos,version=1.0-1,tree=DIR,depends=a b".
func ParseLocal(s string) (*Local, error) {
	var p Local
	for _, part := range strings.Split(s, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "name":
			p.Name = value
		case "version":
			p.Version = value
		case "arch":
			p.Arch = value
		case "description":
			p.Description = value
		case "depends":
			p.Depends = strings.Fields(value)
		case "tree":
			p.Tree = value
		default:
			return nil, fmt.Errorf("local package %q: unknown key %q (known: name, version, arch, description, depends, tree)", s, key)
		}
	}
	return &p, p.Check()
}

// NameOf is the name that a Debian package has in the repository.
func (l *List) NameOf(name string) string {
	for pattern, to := range l.Rename {
		if ok, _ := path.Match(pattern, name); ok {
			return to
		}
	}
	return name
}
