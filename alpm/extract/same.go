// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// present is a file that is where an entry belongs, being compared with it.
type present struct {
	fd    int
	stat  unix.Stat_t
	equal int64  // bytes from its beginning that are the entry's
	rest  []byte // of the entry, read after that
}

// openPresent opens the file that an entry may be equal to: of its size, with
// one name, without extended attributes on either side. nil: there is none.
func (j *job) openPresent(h *tar.Header, name string) *present {
	if len(xattrsOf(h)) > 0 {
		return nil
	}
	dirPath, base := split(name)
	d, err := j.r.acquire(dirPath)
	if err != nil {
		return nil
	}
	defer j.r.release(d)
	fd, err := openAt(d.fd, base, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOATIME, 0)
	if err != nil {
		return nil // also where we do not own it: then it is written anew
	}
	p := &present{fd: fd}
	st := &p.stat
	if err := unix.Fstat(fd, st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != h.Size || st.Nlink != 1 || hasXattrs(fd) {
		unix.Close(fd)
		return nil
	}
	return p
}

// Left is a file that was left where it is.
type Left struct {
	Path     string
	Mode     uint32 // permissions with setuid, setgid and sticky bits
	UID, GID int
	Time     int64 // nanoseconds
	Inode    uint64
	Size     int64
}

func (p *present) is(name string) Left {
	st := &p.stat
	return Left{Path: name, Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid), Time: st.Mtim.Nano(), Inode: st.Ino, Size: st.Size}
}

func hasXattrs(fd int) bool {
	n, err := unix.Flistxattr(fd, nil)
	return n > 0 || err != nil && !errors.Is(err, unix.ENOTSUP)
}

// comparePresent reads the entry and tells whether all of it is there already. Where
// it is not, p holds what was read until the first difference.
func (j *job) comparePresent(h *tar.Header, p *present) (bool, error) {
	other := j.r.buffers.Get().(*[]byte)
	defer j.r.buffers.Put(other)
	for p.equal < h.Size {
		want := j.buf[:min(h.Size-p.equal, int64(len(j.buf)))]
		if err := j.readContent(h, want); err != nil {
			return false, err
		}
		have := (*other)[:len(want)]
		if !readAt(p.fd, have, p.equal) || !bytes.Equal(have, want) {
			p.rest = want
			return false, nil
		}
		p.equal += int64(len(want))
	}
	return true, nil
}

// readAt fills buf from a place of a file; a file that cannot be read is
// another one.
func readAt(fd int, buf []byte, at int64) bool {
	for len(buf) > 0 {
		n, err := unix.Pread(fd, buf, at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return false
		}
		buf, at = buf[n:], at+int64(n)
	}
	return true
}

// readContent fills buf from the archive.
func (j *job) readContent(h *tar.Header, buf []byte) error {
	_, err := io.ReadFull(j.src, buf)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("extract %s: read the archive: %w", h.Name, err)
	}
	return nil
}

// beginning writes what comparePresent has read already: what is equal from the file
// that is there, since the archive is past it.
func (j *job) beginning(h *tar.Header, fd int, p *present) error {
	rest := bytes.Clone(p.rest) // the buffer is needed
	for at := int64(0); at < p.equal; {
		part := j.buf[:min(p.equal-at, int64(len(j.buf)))]
		if !readAt(p.fd, part, at) {
			return fail("read again", h.Name, unix.EIO)
		}
		if err := writeAll(fd, part); err != nil {
			return fail("write", h.Name, err)
		}
		at += int64(len(part))
	}
	j.res.Bytes += p.equal + int64(len(rest))
	return fail("write", h.Name, writeAll(fd, rest))
}
