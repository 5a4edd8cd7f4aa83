// SPDX-License-Identifier: GPL-3.0-or-later

package pkgfile

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/rastos/rastos/alpm/desc"
)

// WriterOptions choose what goes into an archive beside the package's files.
type WriterOptions struct {
	// BuildInfo are keys of .BUILDINFO beside those that follow from the
	// package (pkgname, pkgver, …); they win over those. A value with line
	// breaks gives the key once for each line (options, installed).
	BuildInfo map[string]string
	Install   []byte // .INSTALL, the scriptlets; nil for none
	Changelog []byte // .CHANGELOG; nil for none

	Compression string // "zst" (default), "gz", or "tar" for none
	Fast        bool   // compress quickly rather than well

	// Epoch is the modification time of every entry, as SOURCE_DATE_EPOCH is
	// for makepkg. If it is zero, entries keep their own, in whole seconds.
	Epoch time.Time

	// TempDir is where content waits that does not fit in memory; empty is
	// the system's place for temporary files.
	TempDir string
}

// Writer makes a package archive. The checksums of all files stand before the
// files, so content is held back, in a temporary file once it is large, and
// the archive is written by Close.
//
// The result depends on nothing but the input: entries are sorted, parents
// that were not added become directories of mode 755 owned by root, and of
// several hard links the first in order carries the content.
type Writer struct {
	out    io.Writer
	info   desc.Package
	opt    WriterOptions
	spool  *spool
	items  map[string]*item
	closed bool
}

type item struct {
	h       tar.Header
	content *content // of a regular file; hard links share it
}

type content struct {
	offset, size int64 // in the spool
	md5, sha256  string
}

// ErrWrite is wrapped by every refusal of the Writer.
var ErrWrite = errors.New("cannot be in a package")

// NewWriter starts a package. From info comes .PKGINFO; an InstalledSize or
// BuildDate of zero is filled in from the files and Epoch.
func NewWriter(w io.Writer, info *desc.Package, opt WriterOptions) (*Writer, error) {
	switch opt.Compression {
	case "":
		opt.Compression = "zst"
	case "zst", "gz", "tar":
	default:
		return nil, fmt.Errorf("write package %s: no encoder for compression %q", info.Name, opt.Compression)
	}
	if _, err := desc.EncodePKGINFO(info); err != nil {
		return nil, fmt.Errorf("write package %s: %w", info.Name, err)
	}
	return &Writer{
		out: w, info: *info, opt: opt,
		spool: &spool{dir: opt.TempDir},
		items: make(map[string]*item),
	}, nil
}

// Add takes one entry: a regular file with its content, a directory, a
// symbolic link, a hard link to a path of the same package, or a FIFO. Names
// are relative to the root. Extended attributes are PAX records under
// "SCHILY.xattr.". Adding a path again replaces it.
func (w *Writer) Add(h *tar.Header, r io.Reader) error {
	if w.closed {
		return fmt.Errorf("add %q to package %s: the archive is closed", h.Name, w.info.Name)
	}
	name, err := cleanName(h.Name)
	if err == nil && name == "" { // the root itself: packages do not have it
		if h.Typeflag == tar.TypeDir {
			return nil
		}
		err = fmt.Errorf("%w: the root must be a directory", ErrWrite)
	}
	if err != nil {
		return fmt.Errorf("add %q to package %s: %w", h.Name, w.info.Name, err)
	}
	it := &item{h: w.header(h, name)}
	switch h.Typeflag {
	case tar.TypeReg:
		it.h.Size = h.Size
		it.content, err = w.hold(h.Size, r)
	case tar.TypeDir:
		it.h.Name += "/"
	case tar.TypeSymlink:
		if h.Linkname == "" || strings.IndexByte(h.Linkname, 0) >= 0 {
			err = fmt.Errorf("%w: a symbolic link without a target", ErrWrite)
		}
		it.h.Mode = 0o777
	case tar.TypeLink:
		it.h.Linkname, err = cleanName(h.Linkname)
	case tar.TypeFifo:
	default:
		err = fmt.Errorf("%w: entry of type %q", ErrWrite, h.Typeflag)
	}
	if err != nil {
		return fmt.Errorf("add %q to package %s: %w", h.Name, w.info.Name, err)
	}
	w.items[name] = it
	return nil
}

// header takes over what belongs into a package and nothing of where the
// header came from (its format, access times, device numbers).
func (w *Writer) header(h *tar.Header, name string) tar.Header {
	out := tar.Header{
		Typeflag: h.Typeflag, Name: name, Linkname: h.Linkname,
		Mode: h.Mode & 0o7777, Uid: h.Uid, Gid: h.Gid, Uname: h.Uname, Gname: h.Gname,
		ModTime: w.stamp(h.ModTime),
	}
	if out.Uid == 0 && out.Uname == "" {
		out.Uname = "root"
	}
	if out.Gid == 0 && out.Gname == "" {
		out.Gname = "root"
	}
	for key, value := range h.PAXRecords {
		if strings.HasPrefix(key, "SCHILY.xattr.") {
			if out.PAXRecords == nil {
				out.PAXRecords = make(map[string]string)
			}
			out.PAXRecords[key] = value
		}
	}
	return out
}

func (w *Writer) stamp(own time.Time) time.Time {
	switch {
	case !w.opt.Epoch.IsZero():
		return time.Unix(w.opt.Epoch.Unix(), 0)
	case own.IsZero():
		return time.Unix(0, 0)
	}
	return time.Unix(own.Unix(), 0)
}

func (w *Writer) hold(size int64, r io.Reader) (*content, error) {
	if r == nil {
		r = bytes.NewReader(nil)
	}
	// pacman 6 checks the md5 of .MTREE, pacman 7 the sha256.
	sum256, sum5 := sha256.New(), md5.New()
	offset, err := w.spool.add(io.TeeReader(r, io.MultiWriter(sum256, sum5)), size)
	if err != nil {
		return nil, err
	}
	return &content{
		offset: offset, size: size,
		md5: hex.EncodeToString(sum5.Sum(nil)), sha256: hex.EncodeToString(sum256.Sum(nil)),
	}, nil
}

func contentOf(data []byte) *content {
	sum5, sum256 := md5.Sum(data), sha256.Sum256(data)
	return &content{
		size: int64(len(data)), md5: hex.EncodeToString(sum5[:]), sha256: hex.EncodeToString(sum256[:]),
	}
}

// cleanName refuses what leads out of the root, and dot files at its top,
// which are the package's own.
func cleanName(name string) (string, error) {
	for strings.HasPrefix(name, "./") {
		name = name[2:]
	}
	name = strings.TrimSuffix(name, "/")
	if name == "" || name == "." {
		return "", nil
	}
	switch {
	case path.IsAbs(name), path.Clean(name) != name, name == "..", strings.HasPrefix(name, "../"):
		return "", fmt.Errorf("%w: the path is not a clean one below the root", ErrWrite)
	case name[0] == '.':
		return "", fmt.Errorf("%w: dot files at the top are reserved", ErrWrite)
	case strings.ContainsAny(name, "\x00\n"):
		return "", fmt.Errorf("%w: a path with a NUL or line break", ErrWrite)
	}
	return name, nil
}

// Close writes the archive. It does not close the writer below.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	defer w.spool.close()
	if err := w.write(); err != nil {
		return fmt.Errorf("write package %s: %w", w.info.Name, err)
	}
	return nil
}

// Abort drops the package instead of writing it.
func (w *Writer) Abort() {
	w.closed = true
	w.spool.close()
}

func (w *Writer) write() error {
	names, err := w.arrange()
	if err != nil {
		return err
	}
	head, err := w.metadata(names)
	if err != nil {
		return err
	}
	z, err := w.compressor()
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, m := range head {
		h := w.metaHeader(m)
		if err := t.WriteHeader(&h); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if _, err := t.Write(m.data); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	for _, name := range names {
		if err := w.writeItem(t, w.items[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("end the compressed stream: %w", err)
	}
	return nil
}

func (w *Writer) writeItem(t *tar.Writer, it *item) error {
	h := it.h
	if !isASCII(h.Name) || !isASCII(h.Linkname) {
		// Without this, libarchive converts names from UTF-8 and fails where
		// the locale is C. bsdtar under makepkg writes it too.
		records := map[string]string{"hdrcharset": "BINARY"}
		for key, value := range h.PAXRecords {
			records[key] = value
		}
		h.PAXRecords = records
	}
	if err := t.WriteHeader(&h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := io.Copy(t, w.spool.section(it.content.offset, h.Size))
	return err
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (w *Writer) compressor() (io.WriteCloser, error) {
	switch w.opt.Compression {
	case "gz":
		level := gzip.DefaultCompression
		if w.opt.Fast {
			level = gzip.BestSpeed
		}
		return gzip.NewWriterLevel(w.out, level)
	case "tar":
		return nopCloser{w.out}, nil
	}
	level := zstd.SpeedDefault
	if w.opt.Fast {
		level = zstd.SpeedFastest
	}
	return zstd.NewWriter(w.out, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1))
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
