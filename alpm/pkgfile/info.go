// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// maxMetaFile bounds each of the package's own files that is read into memory.
const maxMetaFile = 64 << 20

// LoadInfo reads the package archive at path to its end: .PKGINFO, the sorted
// list of its files, and the archive's own name and size. Checksums and the
// signature are not looked at.
func LoadInfo(path string) (*desc.Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open package: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("stat package: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, &Error{Archive: path, Err: errors.New("not a regular file")}
	}
	p, err := ReadInfo(f, Limits{})
	if err != nil {
		return nil, named(path, err)
	}
	p.Filename, p.CompressedSize = filepath.Base(path), st.Size()
	return p, nil
}

// named puts the archive's path into an error of the Reader.
func named(path string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{Archive: path, Entry: e.Entry, Err: e.Err}
	}
	return &Error{Archive: path, Err: err}
}

// ReadInfo is LoadInfo for a stream.
func ReadInfo(r io.Reader, lim Limits) (*desc.Package, error) {
	return new(Decoders).ReadInfo(r, lim)
}

// ReadInfo is the function ReadInfo with decoders kept.
func (d *Decoders) ReadInfo(r io.Reader, lim Limits) (*desc.Package, error) {
	rd, err := d.NewReader(r, lim)
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	var p *desc.Package
	var files []string
	for {
		h, err := rd.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(h.Name, "./")
		switch {
		case name == ".PKGINFO" && p == nil:
			data, err := ReadMeta(rd, h)
			if err != nil {
				return nil, err
			}
			if p, err = desc.DecodePKGINFO(data); err != nil {
				return nil, &Error{Entry: h.Name, Err: err}
			}
		case name == "" || name[0] == '.':
		default:
			files = append(files, listName(name, h.Typeflag))
		}
	}
	if p == nil {
		return nil, &Error{Err: ErrNoInfo}
	}
	p.Files = sortedUnique(files)
	return p, nil
}

// ReadMeta reads one of the package's own files, which r stands at, into
// memory; a huge one is refused.
func ReadMeta(r *Reader, h *tar.Header) ([]byte, error) {
	if h.Size > maxMetaFile {
		return nil, &Error{Entry: h.Name, Err: ErrTooLarge}
	}
	data := make([]byte, h.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("read entry %q: %w", h.Name, err)
	}
	return data, nil
}

// listName is how file lists write a path: directories end in a slash.
func listName(name string, typ byte) string {
	if typ == tar.TypeDir && !strings.HasSuffix(name, "/") {
		return name + "/"
	}
	return name
}

func sortedUnique(files []string) []string {
	sort.Strings(files)
	out := files[:0]
	for i, f := range files {
		if i == 0 || f != files[i-1] {
			out = append(out, f)
		}
	}
	return out
}
