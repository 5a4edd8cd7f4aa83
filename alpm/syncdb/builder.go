// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// ErrDuplicate means that a database has a package twice.
var ErrDuplicate = errors.New("the database has this package more than once")

// builder puts packages together from the files of the archive.
type builder struct {
	name    string
	decoder desc.Decoder
	keep    bool              // the texts, for an index
	entries map[string]*entry // by directory, "acl-2.3.1-2"
	current *entry            // of the file before: files of one package stand together
	block   []desc.Package    // packages not yet given out
	all     []*entry
}

// entry is one directory of the archive.
type entry struct {
	dir  string
	p    *desc.Package
	text string // of desc and depends, if it is kept
}

func newBuilder(name string, keep bool) *builder {
	return &builder{name: name, keep: keep, entries: make(map[string]*entry)}
}

func (b *builder) read(s *scanner) error {
	for {
		path, size, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		dir, file, err := splitPath(path)
		if err != nil {
			return fmt.Errorf("entry %q: %w", path, err)
		}
		switch file {
		case "desc", "depends", "files":
		default:
			continue // a directory, or a file of a later or earlier format
		}
		text, err := s.text(size)
		if err != nil {
			return fmt.Errorf("entry %q: %w", path, err)
		}
		if err := b.add(dir, file, text); err != nil {
			return b.placed(dir, err)
		}
	}
}

// splitPath takes "acl-2.3.1-2/desc" apart. What has another depth is no
// record, and what could lead elsewhere is refused.
func splitPath(path string) (dir, file string, err error) {
	path = strings.TrimPrefix(path, "./")
	slash := strings.IndexByte(path, '/')
	if slash == 0 || path == ".." || strings.HasPrefix(path, "../") {
		return "", "", desc.ErrPath
	}
	if slash < 0 {
		return path, "", nil
	}
	dir, file = path[:slash], path[slash+1:]
	if strings.IndexByte(file, '/') >= 0 {
		if strings.Contains("/"+file+"/", "/../") {
			return "", "", desc.ErrPath
		}
		return dir, "", nil
	}
	return dir, file, nil
}

func (b *builder) add(dir, file, text string) error {
	e := b.entry(dir)
	if file == "files" {
		b.keep = false // an index has no files
		return b.decoder.Files(e.p, text)
	}
	if b.keep {
		if e.text == "" {
			e.text = text
		} else { // a blank line ends a list
			e.text += "\n\n" + text
		}
	}
	return b.decoder.Sync(e.p, file, text)
}

// entry returns the entry of a directory, a new one at first.
func (b *builder) entry(dir string) *entry {
	if b.current != nil && b.current.dir == dir {
		return b.current
	}
	e := b.entries[dir]
	if e == nil {
		if len(b.block) == 0 {
			b.block = make([]desc.Package, 128)
		}
		e = &entry{dir: dir, p: &b.block[0]}
		b.block = b.block[1:]
		b.entries[dir] = e
		b.all = append(b.all, e)
	}
	b.current = e
	return e
}

// placed says in which database and entry a record is wrong.
func (b *builder) placed(dir string, err error) error {
	var e *desc.Error
	if errors.As(err, &e) {
		e.DB, e.Entry = b.name, dir
	}
	return err
}

func (b *builder) finish() (*DB, error) {
	packages := make([]*desc.Package, 0, len(b.all))
	for _, e := range b.all {
		if err := check(e.p, e.dir); err != nil {
			return nil, b.placed(e.dir, err)
		}
		packages = append(packages, e.p)
	}
	slices.SortFunc(packages, func(a, b *desc.Package) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(packages); i++ {
		if p := packages[i]; p.Name == packages[i-1].Name {
			return nil, b.placed(p.Entry(), &desc.Error{File: "desc", Err: ErrDuplicate})
		}
	}
	return &DB{Name: b.name, packages: packages}, nil
}

// records are the packages with their texts, sorted by name.
func (b *builder) records() []record {
	list := make([]record, len(b.all))
	for i, e := range b.all {
		list[i] = record{e.p, e.text}
	}
	slices.SortFunc(list, func(a, b record) int { return strings.Compare(a.p.Name, b.p.Name) })
	return list
}

// check holds a package against the directory that it came in.
func check(p *desc.Package, dir string) error {
	switch {
	case p.Name == "":
		return &desc.Error{File: "desc", Field: "%NAME%", Err: desc.ErrMissing}
	case p.Version == "":
		return &desc.Error{File: "desc", Field: "%VERSION%", Err: desc.ErrMissing}
	case len(dir) != len(p.Name)+1+len(p.Version) || !strings.HasPrefix(dir, p.Name) ||
		dir[len(p.Name)] != '-' || !strings.HasSuffix(dir, p.Version):
		return &desc.Error{File: "desc", Value: p.Entry(), Err: desc.ErrMismatch}
	}
	return nil
}
