// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/pkgfile"
)

// Limits guard against decompression bombs and hostile records. Zero means
// the default.
type Limits struct {
	MaxSize    int64 // bytes after decompression; default 4 GiB
	MaxRecord  int64 // bytes of one file in it; default 64 MiB
	MaxEntries int   // entries of the archive; default 4 million
}

func (l Limits) withDefaults() Limits {
	if l.MaxSize <= 0 {
		l.MaxSize = 4 << 30
	}
	if l.MaxRecord <= 0 {
		l.MaxRecord = 64 << 20
	}
	if l.MaxEntries <= 0 {
		l.MaxEntries = 4 << 20
	}
	return l
}

// Open reads the database at path, whose name is the file's name up to ".db"
// or ".files".
func Open(path string) (*DB, error) {
	return OpenWith(path, Options{})
}

// NameOf is the name of the repository whose database is at path.
func NameOf(path string) string {
	name := filepath.Base(path)
	for _, ext := range []string{".db", ".files"} {
		if i := strings.LastIndex(name, ext); i > 0 {
			if rest := name[i+len(ext):]; rest == "" || rest[0] == '.' {
				return name[:i]
			}
		}
	}
	return name
}

// Parse reads a database from r with the default limits.
func Parse(r io.Reader, name string) (*DB, error) { return ParseLimited(r, name, Limits{}) }

// ParseLimited reads a database from r.
func ParseLimited(r io.Reader, name string, lim Limits) (*DB, error) {
	db, _, err := parse(r, name, lim.withDefaults(), false)
	if err != nil {
		return nil, &Error{DB: name, Err: err}
	}
	return db, nil
}

// parse reads a database, and keeps the texts of its records if it is asked to.
func parse(r io.Reader, name string, lim Limits, keep bool) (*DB, []record, error) {
	plain, err := pkgfile.Decompress(r)
	if err != nil {
		return nil, nil, err
	}
	ahead := newReadAhead(plain)
	b := newBuilder(name, keep)
	err = b.read(newScanner(ahead, lim))
	ahead.stop()
	if cerr := plain.Close(); err == nil && cerr != nil {
		err = cerr
	}
	if err != nil {
		return nil, nil, err
	}
	db, err := b.finish()
	if err != nil || !b.keep {
		return db, nil, err
	}
	return db, b.records(), nil
}
