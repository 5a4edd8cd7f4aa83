// SPDX-License-Identifier: GPL-3.0-or-later

package debian

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/pkgfile"
)

const (
	arMagic  = "!<arch>\n"
	arHeader = 60
	// maxControl bounds the unpacked control archive, which is read whole.
	maxControl = 256 << 20
)

// ErrFormat is wrapped where a file is no binary package.
var ErrFormat = errors.New("not a Debian binary package")

// Archive is an open .deb file.
type Archive struct {
	Built time.Time // of the package, from the first member's header

	name          string
	source        io.ReaderAt
	control, data *io.SectionReader
}

// Open opens the package at a path.
func Open(name string) (*Archive, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open package: %w", err)
	}
	a, err := New(f, name)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return a, nil
}

// New finds the members of a package; the name is for errors.
func New(source io.ReaderAt, name string) (*Archive, error) {
	a := &Archive{name: name, source: source}
	if err := a.scan(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return a, nil
}

// Close closes what Open has opened.
func (a *Archive) Close() error {
	if c, ok := a.source.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (a *Archive) scan() error {
	magic := make([]byte, len(arMagic))
	if _, err := a.source.ReadAt(magic, 0); err != nil || string(magic) != arMagic {
		return fmt.Errorf("%w: it does not begin as an ar archive", ErrFormat)
	}
	header := make([]byte, arHeader)
	for offset := int64(len(arMagic)); ; {
		if _, err := a.source.ReadAt(header, offset); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimSpace(string(header[:16])), "/")
		size, err := strconv.ParseInt(strings.TrimSpace(string(header[48:58])), 10, 64)
		if err != nil || size < 0 || string(header[58:]) != "`\n" {
			return fmt.Errorf("%w: a damaged member header at byte %d", ErrFormat, offset)
		}
		member := io.NewSectionReader(a.source, offset+arHeader, size)
		switch {
		case name == "debian-binary":
			if seconds, err := strconv.ParseInt(strings.TrimSpace(string(header[16:28])), 10, 64); err == nil {
				a.Built = time.Unix(seconds, 0)
			}
		case strings.HasPrefix(name, "control.tar"):
			a.control = member
		case strings.HasPrefix(name, "data.tar"):
			a.data = member
		}
		offset += arHeader + size + size&1
	}
	if a.control == nil || a.data == nil {
		return fmt.Errorf("%w: no control or no data archive in it", ErrFormat)
	}
	return nil
}

// Control holds the files of the control archive.
type Control struct {
	Paragraph
	Conffiles []string // with a leading slash
	Scripts   map[string]string
}

// Control reads the control archive.
func (a *Archive) Control() (*Control, error) {
	c := &Control{Scripts: make(map[string]string)}
	err := a.each(a.control, func(h *tar.Header, r io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(r, maxControl))
		if err != nil {
			return err
		}
		switch name := path.Base(h.Name); name {
		case "control":
			all, err := ReadParagraphs(bytes.NewReader(text))
			if err != nil {
				return err
			}
			if len(all) != 1 {
				return fmt.Errorf("%w: %d paragraphs in its control file", ErrFormat, len(all))
			}
			c.Paragraph = all[0]
		case "conffiles":
			c.Conffiles = conffiles(string(text))
		case "preinst", "postinst", "prerm", "postrm":
			c.Scripts[name] = string(text)
		}
		return nil
	})
	if err == nil && c.Paragraph["Package"] == "" {
		err = fmt.Errorf("%w: no control file in it", ErrFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("read control of %s: %w", a.name, err)
	}
	return c, nil
}

// conffiles leaves out what a package no longer ships ("remove-on-upgrade").
func conffiles(text string) []string {
	var names []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			names = append(names, line)
		}
	}
	return names
}

// Files calls yield for every entry of the data archive.
func (a *Archive) Files(yield func(h *tar.Header, r io.Reader) error) error {
	if err := a.each(a.data, yield); err != nil {
		return fmt.Errorf("read files of %s: %w", a.name, err)
	}
	return nil
}

func (a *Archive) each(member *io.SectionReader, yield func(*tar.Header, io.Reader) error) error {
	if _, err := member.Seek(0, io.SeekStart); err != nil {
		return err
	}
	plain, err := decompress(member)
	if err != nil {
		return err
	}
	defer plain.Close()
	t := tar.NewReader(plain)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return drain(plain)
		}
		if err != nil {
			return err
		}
		if err := yield(h, t); err != nil {
			return err
		}
	}
}

// drain reads to the end, where a checksum of the whole may stand.
func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// decompress prefers the xz program to our own decoder, which takes about
// twice as long.
func decompress(member *io.SectionReader) (io.ReadCloser, error) {
	magic := make([]byte, 6)
	if _, err := member.ReadAt(magic, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if string(magic) == "\xfd7zXZ\x00" && member.Size() > smallXZ {
		if r, err := startXZ(member); err == nil {
			return r, nil
		}
	}
	return pkgfile.Decompress(member)
}
