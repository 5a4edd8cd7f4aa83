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
func (p *Package) setInfo(key, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return ErrNUL
	}
	switch key {
	case "pkgname":
		p.Name = value
		return CheckName(value)
	case "pkgver":
		p.Version = value
		return CheckVersion(value)
	case "builddate":
		return setNumber(&p.BuildDate, value)
	case "size":
		return setNumber(&p.InstalledSize, value)
	case "backup":
		err := checkPath(value)
		if err == nil {
			p.Backup = append(p.Backup, Backup{Path: value})
		}
		return err
	}
	if list := p.infoList(key); list != nil {
		if value != "" {
			*list = append(*list, value)
		}
	} else if text := p.infoText(key); text != nil {
		*text = value
	}
	return nil
}

// setNumber reads a number; an empty one is not said, as pacman reads it.
func setNumber(n *int64, value string) error {
	if value == "" {
		return nil
	}
	v, ok := parseNumber(value)
	*n = v
	if !ok {
		return ErrNumber
	}
	return nil
}

// infoText is the field that a key sets, or nil.
func (p *Package) infoText(key string) *string {
	switch key {
	case "pkgbase":
		return &p.Base
	case "pkgdesc":
		return &p.Description
	case "url":
		return &p.URL
	case "packager":
		return &p.Packager
	case "arch":
		return &p.Arch
	}
	return nil
}

// infoList is the list that a key adds to, or nil.
func (p *Package) infoList(key string) *[]string {
	switch key {
	case "license":
		return &p.Licenses
	case "replaces":
		return &p.Replaces
	case "group":
		return &p.Groups
	case "conflict":
		return &p.Conflicts
	case "provides":
		return &p.Provides
	case "depend":
		return &p.Depends
	case "optdepend":
		return &p.OptDepends
	case "makedepend":
		return &p.MakeDepends
	case "checkdepend":
		return &p.CheckDepends
	case "xdata":
		return &p.XData
	}
	return nil
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
