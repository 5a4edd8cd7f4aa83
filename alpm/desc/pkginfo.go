// SPDX-License-Identifier: GPL-3.0-or-later

package desc

import (
	"strconv"
	"strings"
)

// maxInfoLine bounds a line, as pacman does.
const maxInfoLine = 512 << 10

// DecodePKGINFO reads a .PKGINFO: lines of `key = value`, comments after `#`,
// repeated keys for lists. Name and version are required.
func DecodePKGINFO(data []byte) (*Package, error) {
	const file = ".PKGINFO"
	p := new(Package)
	text := string(data)
	for n := 1; text != ""; n++ {
		line := text
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = ""
		}
		if len(line) > maxInfoLine {
			return nil, &Error{File: file, Line: n, Err: ErrLine}
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		err := ErrSyntax
		if ok {
			err = p.setInfo(key, value)
		}
		if err != nil {
			return nil, &Error{File: file, Line: n, Field: key, Value: value, Err: err}
		}
	}
	switch {
	case p.Name == "":
		return nil, &Error{File: file, Field: "pkgname", Err: ErrMissing}
	case p.Version == "":
		return nil, &Error{File: file, Field: "pkgver", Err: ErrMissing}
	}
	return p, nil
}

// setInfo takes one value. Keys that are not known are skipped.
func (p *Package) setInfo(key, value string) (err error) {
	if strings.IndexByte(value, 0) >= 0 {
		return ErrNUL
	}
	add := func(list *[]string) {
		if value != "" {
			*list = append(*list, value)
		}
	}
	number := func(n *int64) {
		if value == "" {
			return // not said, as pacman reads it
		}
		v, ok := parseNumber(value)
		if !ok {
			err = ErrNumber
		}
		*n = v
	}
	switch key {
	case "pkgname":
		p.Name, err = value, CheckName(value)
	case "pkgbase":
		p.Base = value
	case "pkgver":
		p.Version, err = value, CheckVersion(value)
	case "pkgdesc":
		p.Description = value
	case "url":
		p.URL = value
	case "builddate":
		number(&p.BuildDate)
	case "packager":
		p.Packager = value
	case "size":
		number(&p.InstalledSize)
	case "arch":
		p.Arch = value
	case "license":
		add(&p.Licenses)
	case "replaces":
		add(&p.Replaces)
	case "group":
		add(&p.Groups)
	case "conflict":
		add(&p.Conflicts)
	case "provides":
		add(&p.Provides)
	case "backup":
		if err = checkPath(value); err == nil {
			p.Backup = append(p.Backup, Backup{Path: value})
		}
	case "depend":
		add(&p.Depends)
	case "optdepend":
		add(&p.OptDepends)
	case "makedepend":
		add(&p.MakeDepends)
	case "checkdepend":
		add(&p.CheckDepends)
	case "xdata":
		add(&p.XData)
	}
	return err
}

// EncodePKGINFO writes a .PKGINFO in makepkg's order, without its leading
// comments.
func EncodePKGINFO(p *Package) ([]byte, error) {
	w := &infoWriter{writer{file: ".PKGINFO"}}
	if err := CheckName(p.Name); err != nil {
		w.fail("pkgname", p.Name, err)
	}
	if err := CheckVersion(p.Version); err != nil {
		w.fail("pkgver", p.Version, err)
	}
	base := p.Base
	if base == "" {
		base = p.Name
	}
	backup := make([]string, len(p.Backup))
	for i, b := range p.Backup {
		if err := checkPath(b.Path); err != nil {
			w.fail("backup", b.Path, err)
		}
		backup[i] = b.Path
	}
	w.pair("pkgname", p.Name)
	w.pair("pkgbase", base)
	w.pair("xdata", p.XData...)
	w.pair("pkgver", p.Version)
	w.pair("pkgdesc", p.Description)
	w.pair("url", p.URL)
	w.pair("builddate", strconv.FormatInt(p.BuildDate, 10))
	w.pair("packager", p.Packager)
	w.pair("size", strconv.FormatInt(p.InstalledSize, 10))
	w.pair("arch", p.Arch)
	w.pair("license", p.Licenses...)
	w.pair("replaces", p.Replaces...)
	w.pair("group", p.Groups...)
	w.pair("conflict", p.Conflicts...)
	w.pair("provides", p.Provides...)
	w.pair("backup", backup...)
	w.pair("depend", p.Depends...)
	w.pair("optdepend", p.OptDepends...)
	w.pair("makedepend", p.MakeDepends...)
	w.pair("checkdepend", p.CheckDepends...)
	return w.done()
}

type infoWriter struct{ writer }

func (w *infoWriter) pair(key string, values ...string) {
	for _, value := range values {
		if value == "" {
			continue
		}
		w.buf = append(append(w.buf, key...), " = "...)
		w.line(key, value)
	}
}
