// SPDX-License-Identifier: GPL-3.0-or-later

package desc

import (
	"strconv"
	"strings"
)

// EncodeLocal writes the desc file of a local database entry as libalpm does.
// Empty fields, and the reason if it is Explicit, are left out.
func EncodeLocal(p *Package) ([]byte, error) {
	w := &writer{file: "desc"}
	w.checked("%NAME%", p.Name, CheckName)
	w.checked("%VERSION%", p.Version, CheckVersion)
	w.field("%BASE%", p.Base)
	w.field("%DESC%", p.Description)
	w.field("%URL%", p.URL)
	w.field("%ARCH%", p.Arch)
	w.number("%BUILDDATE%", p.BuildDate)
	w.number("%INSTALLDATE%", p.InstallDate)
	w.field("%PACKAGER%", p.Packager)
	w.number("%SIZE%", p.InstalledSize)
	w.number("%REASON%", int64(p.Reason))
	w.list("%GROUPS%", p.Groups)
	w.list("%LICENSE%", p.Licenses)
	w.list("%VALIDATION%", p.Validation)
	w.list("%REPLACES%", p.Replaces)
	w.list("%DEPENDS%", p.Depends)
	w.list("%OPTDEPENDS%", p.OptDepends)
	w.list("%CONFLICTS%", p.Conflicts)
	w.list("%PROVIDES%", p.Provides)
	w.list("%XDATA%", p.XData)
	return w.done()
}

// EncodeSync writes the desc file of a sync database entry as repo-add does,
// which leaves extended data out though pacman would read it, and writes numbers
// even if they are 0.
func EncodeSync(p *Package) ([]byte, error) {
	w := &writer{file: "desc"}
	w.checked("%FILENAME%", p.Filename, CheckFilename)
	w.checked("%NAME%", p.Name, CheckName)
	w.field("%BASE%", p.Base)
	w.checked("%VERSION%", p.Version, CheckVersion)
	w.field("%DESC%", p.Description)
	w.list("%GROUPS%", p.Groups)
	w.anyNumber("%CSIZE%", p.CompressedSize)
	w.anyNumber("%ISIZE%", p.InstalledSize)
	w.field("%MD5SUM%", p.MD5)
	w.field("%SHA256SUM%", p.SHA256)
	w.field("%PGPSIG%", p.PGPSig)
	w.field("%URL%", p.URL)
	w.list("%LICENSE%", p.Licenses)
	w.field("%ARCH%", p.Arch)
	w.anyNumber("%BUILDDATE%", p.BuildDate)
	w.field("%PACKAGER%", p.Packager)
	w.list("%REPLACES%", p.Replaces)
	w.list("%CONFLICTS%", p.Conflicts)
	w.list("%PROVIDES%", p.Provides)
	w.list("%DEPENDS%", p.Depends)
	w.list("%OPTDEPENDS%", p.OptDepends)
	w.list("%MAKEDEPENDS%", p.MakeDepends)
	w.list("%CHECKDEPENDS%", p.CheckDepends)
	return w.done()
}

// EncodeFiles writes the files file of a database entry. It is empty for a
// package without files.
func EncodeFiles(p *Package) ([]byte, error) {
	w := &writer{file: "files"}
	for _, path := range p.Files {
		if err := checkPath(path); err != nil {
			w.fail("%FILES%", path, err)
		}
	}
	w.list("%FILES%", p.Files)
	if len(p.Backup) > 0 {
		items := make([]string, len(p.Backup))
		for i, b := range p.Backup {
			if err := checkPath(b.Path); err != nil {
				w.fail("%BACKUP%", b.Path, err)
			}
			digest := b.MD5
			if digest == "" {
				digest = noDigest
			}
			items[i] = b.Path + "\t" + digest
		}
		w.list("%BACKUP%", items)
	}
	return w.done()
}

// writer collects fields, and the first thing that cannot be written so that
// it reads back the same.
type writer struct {
	buf  []byte
	file string
	err  error
}

func (w *writer) done() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.buf, nil
}

func (w *writer) fail(field, value string, err error) {
	if w.err == nil {
		w.err = &Error{File: w.file, Field: field, Value: value, Err: err}
	}
}

func (w *writer) checked(field, value string, check func(string) error) {
	if err := check(value); err != nil {
		w.fail(field, value, err)
	}
	w.field(field, value)
}

func (w *writer) field(field, value string) {
	if value == "" {
		return
	}
	w.header(field)
	w.line(field, value)
	w.buf = append(w.buf, '\n')
}

func (w *writer) number(field string, n int64) {
	if n != 0 {
		w.anyNumber(field, n)
	}
}

func (w *writer) anyNumber(field string, n int64) {
	if n < 0 {
		w.fail(field, strconv.FormatInt(n, 10), ErrNumber)
	}
	w.field(field, strconv.FormatInt(n, 10))
}

func (w *writer) list(field string, items []string) {
	any := false
	for _, item := range items {
		if item == "" { // would end the list for its reader
			continue
		}
		if !any {
			w.header(field)
			any = true
		}
		w.line(field, item)
	}
	if any {
		w.buf = append(w.buf, '\n')
	}
}

func (w *writer) header(field string) {
	w.buf = append(append(w.buf, field...), '\n')
}

func (w *writer) line(field, value string) {
	switch {
	case strings.IndexByte(value, '\n') >= 0:
		w.fail(field, value, ErrNewline)
	case strings.IndexByte(value, 0) >= 0:
		w.fail(field, value, ErrNUL)
	}
	w.buf = append(append(w.buf, value...), '\n')
}
