// SPDX-License-Identifier: GPL-3.0-or-later

package desc

import (
	"math"
	"strings"
)

// Decoder reads many records with little garbage: values share the memory of
// the text they stand in, and lists are cut from larger ones. The zero value
// is ready. It is not for several goroutines at once.
type Decoder struct {
	free []string // unused rest of the current block of list items
}

const listBlock = 4096

// noDigest is what libalpm writes for a backup file that was not installed
// (its NoExtract, for example).
const noDigest = "(null)"

// DecodeLocal reads the desc file of a local database entry.
func DecodeLocal(data []byte) (*Package, error) {
	p := new(Package)
	if err := new(Decoder).Local(p, string(data)); err != nil {
		return nil, err
	}
	return p, require(p)
}

// DecodeSync reads the desc file of a sync database entry.
func DecodeSync(data []byte) (*Package, error) {
	p := new(Package)
	if err := new(Decoder).Sync(p, "desc", string(data)); err != nil {
		return nil, err
	}
	return p, require(p)
}

// DecodeFiles reads the files file of a database entry, local or sync, into p.
func DecodeFiles(data []byte, p *Package) error {
	return new(Decoder).Files(p, string(data))
}

func require(p *Package) error {
	switch {
	case p.Name == "":
		return &Error{File: "desc", Field: "%NAME%", Err: ErrMissing}
	case p.Version == "":
		return &Error{File: "desc", Field: "%VERSION%", Err: ErrMissing}
	}
	return nil
}

// Local reads a local desc file into p. It does not ask for any field.
func (d *Decoder) Local(p *Package, text string) error {
	return d.read(p, "desc", text, (*record).local)
}

// Sync reads a desc or depends file of a sync database (named by file, for
// errors) into p. It does not ask for any field, since old databases spread
// them over two files.
func (d *Decoder) Sync(p *Package, file, text string) error {
	return d.read(p, file, text, (*record).sync)
}

// Files reads a files file into p.
func (d *Decoder) Files(p *Package, text string) error {
	return d.read(p, "files", text, (*record).files)
}

// record is the text of one file on its way into a Package.
type record struct {
	*Decoder
	p    *Package
	file string
	rest string
	line int // number of the line that was read last
	err  error
}

func (d *Decoder) read(p *Package, file, text string, field func(*record, string) bool) error {
	r := &record{Decoder: d, p: p, file: file, rest: text}
	if i := strings.IndexByte(text, 0); i >= 0 {
		r.line = strings.Count(text[:i], "\n") + 1
		return r.fail("", "", ErrNUL)
	}
	for r.err == nil && r.rest != "" {
		key := r.next()
		if len(key) < 3 || key[0] != '%' || key[len(key)-1] != '%' {
			continue // a blank line, or a value of a field that is not known
		}
		field(r, key)
	}
	return r.err
}

// next returns the next line without its end.
func (r *record) next() string {
	r.line++
	line := r.rest
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line, r.rest = line[:i], line[i+1:]
	} else {
		r.rest = ""
	}
	return line
}

func (r *record) fail(field, value string, err error) error {
	if r.err == nil {
		r.err = &Error{File: r.file, Line: r.line, Field: field, Value: value, Err: err}
	}
	return r.err
}

// common reads the fields that local and sync databases share.
func (r *record) common(key string) bool {
	p := r.p
	switch key {
	case "%NAME%":
		p.Name = r.checked(key, CheckName)
	case "%VERSION%":
		p.Version = r.checked(key, CheckVersion)
	case "%BASE%":
		p.Base = r.next()
	case "%DESC%":
		p.Description = r.next()
	case "%GROUPS%":
		p.Groups = r.list()
	case "%URL%":
		p.URL = r.next()
	case "%LICENSE%":
		p.Licenses = r.list()
	case "%ARCH%":
		p.Arch = r.next()
	case "%BUILDDATE%":
		p.BuildDate = r.number(key)
	case "%PACKAGER%":
		p.Packager = r.next()
	case "%REPLACES%":
		p.Replaces = r.list()
	case "%CONFLICTS%":
		p.Conflicts = r.list()
	case "%PROVIDES%":
		p.Provides = r.list()
	case "%DEPENDS%":
		p.Depends = r.list()
	case "%OPTDEPENDS%":
		p.OptDepends = r.list()
	case "%XDATA%":
		p.XData = r.list()
	default:
		return false
	}
	return true
}

func (r *record) sync(key string) bool {
	p := r.p
	switch key {
	case "%FILENAME%":
		p.Filename = r.checked(key, CheckFilename)
	case "%CSIZE%":
		p.CompressedSize = r.number(key)
	case "%ISIZE%":
		p.InstalledSize = r.number(key)
	case "%MD5SUM%":
		p.MD5 = r.next()
	case "%SHA256SUM%":
		p.SHA256 = r.next()
	case "%PGPSIG%":
		p.PGPSig = r.next()
	case "%MAKEDEPENDS%":
		p.MakeDepends = r.list()
	case "%CHECKDEPENDS%":
		p.CheckDepends = r.list()
	case "%FILES%":
		return r.files(key)
	default:
		return r.common(key)
	}
	return true
}

func (r *record) local(key string) bool {
	p := r.p
	switch key {
	case "%INSTALLDATE%":
		p.InstallDate = r.number(key)
	case "%SIZE%":
		p.InstalledSize = r.number(key)
	case "%REASON%":
		n := r.number(key)
		if n != int64(Explicit) && n != int64(Depend) {
			r.fail(key, "", ErrNumber)
			return true
		}
		p.Reason = Reason(n)
	case "%VALIDATION%":
		p.Validation = r.list()
	default:
		return r.common(key)
	}
	return true
}

func (r *record) files(key string) bool {
	switch key {
	case "%FILES%":
		first := r.line
		r.p.Files = r.list()
		for i, path := range r.p.Files {
			if err := checkPath(path); err != nil {
				r.line = first + 1 + i
				r.fail(key, path, err)
				break
			}
		}
	case "%BACKUP%":
		r.p.Backup = nil
		for r.rest != "" {
			line := r.next()
			if line == "" {
				break
			}
			path, md5, _ := strings.Cut(line, "\t")
			if md5 == noDigest {
				md5 = ""
			}
			if err := checkPath(path); err != nil {
				r.fail(key, path, err)
				break
			}
			r.p.Backup = append(r.p.Backup, Backup{path, md5})
		}
	default:
		return false
	}
	return true
}

func (r *record) checked(field string, check func(string) error) string {
	value := r.next()
	if err := check(value); err != nil {
		r.fail(field, value, err)
	}
	return value
}

// number reads a size or a time: digits only, as both formats write them.
func (r *record) number(field string) int64 {
	value := r.next()
	n, ok := parseNumber(value)
	if !ok {
		r.fail(field, value, ErrNumber)
	}
	return n
}

func parseNumber(s string) (n int64, ok bool) {
	if s == "" {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		digit := int64(s[i]) - '0'
		if digit < 0 || digit > 9 || n > (math.MaxInt64-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, true
}

// list reads lines up to a blank one.
func (r *record) list() []string {
	rest, n := r.rest, 0
	for rest != "" && rest[0] != '\n' {
		n++
		i := strings.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
	}
	items := r.take(n)
	for i := range items {
		items[i] = r.next()
	}
	return items
}

// take cuts a list of n items from the current block.
func (d *Decoder) take(n int) []string {
	switch {
	case n == 0:
		return nil
	case n > listBlock/8:
		return make([]string, n)
	case n > len(d.free):
		d.free = make([]string, listBlock)
	}
	items := d.free[:n:n]
	d.free = d.free[n:]
	return items
}
