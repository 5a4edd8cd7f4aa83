// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"archive/tar"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/sys/unix"
)

// file writes a regular file: straight under its name when nothing is there,
// else under a temporary one that is renamed.
func (j *job) file(h *tar.Header, name, path string, dec Decision) error {
	var there *present
	if dec.Same {
		there = j.openPresent(h, name)
	}
	if there != nil {
		defer unix.Close(there.fd)
		same, err := j.comparePresent(h, there)
		if err != nil {
			return err
		}
		if same {
			j.res.Same = append(j.res.Same, there.is(name))
			j.relocate(name, name)
			return nil
		}
	}
	fd, up, base, temp, err := j.create(h, path, dec.Settle != nil)
	if err != nil {
		return err
	}
	written := base
	if temp != "" {
		written = temp
	}
	if err := j.fill(h, name, fd, up, there, dec, temp != ""); err != nil {
		_ = unix.Unlinkat(up.fd, written, 0)
		return err
	}
	if temp == "" {
		j.wrote(path, File, false)
		return nil
	}
	return j.place(h, name, path, temp, dec)
}

// create opens a new file. temp is its name when it has not got its own yet.
func (j *job) create(h *tar.Header, path string, aside bool) (fd int, up *dir, base, temp string, err error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL
	mode := uint32(h.Mode) & 0o777
	for {
		up, base, err = j.parent(path)
		if err != nil {
			return -1, nil, "", "", fail("open the directory of it", h.Name, err)
		}
		if !aside {
			fd, err = openAt(up.fd, base, flags, mode)
			if err == nil {
				return fd, up, base, "", nil
			}
		}
		if errors.Is(err, unix.EEXIST) || aside {
			if err := notDirectory(up, base); err != nil {
				return -1, nil, "", "", fail("replace", h.Name, err)
			}
			// 0600 until it is complete: the temporary name is nobody's business.
			for err = unix.EEXIST; errors.Is(err, unix.EEXIST); {
				temp = j.r.tempName()
				fd, err = openAt(up.fd, temp, flags, 0o600)
			}
			if err == nil {
				return fd, up, base, temp, nil
			}
		}
		if !errors.Is(err, unix.ENOENT) || !up.removed() {
			return -1, nil, "", "", fail("create", h.Name, err)
		}
		j.dropParent()
	}
}

func notDirectory(up *dir, base string) error {
	var st unix.Stat_t
	err := unix.Fstatat(up.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return ErrFileOverDirectory
	}
	return err
}

// fill writes content and attributes and closes the file.
func (j *job) fill(h *tar.Header, name string, fd int, up *dir, there *present, dec Decision, aside bool) error {
	var sum hash.Hash
	if dec.MD5 || dec.Settle != nil {
		sum = md5.New()
	}
	left, err := h.Size, error(nil)
	if there != nil { // only where no hash is wanted
		left -= there.equal + int64(len(there.rest))
		err = j.beginning(h, fd, there)
	}
	if err == nil {
		err = j.copyContent(h, fd, left, sum)
	}
	if err == nil {
		err = j.fileAttributes(h, fd, up, aside)
	}
	if err == nil && j.r.opt.Durable {
		err = fail("flush", h.Name, unix.Fsync(fd))
	}
	if cerr := unix.Close(fd); err == nil {
		err = fail("close", h.Name, cerr) // a network file system reports a full disk here
	}
	if err == nil && sum != nil {
		j.res.MD5[name] = hex.EncodeToString(sum.Sum(nil))
	}
	return err
}

func (j *job) copyContent(h *tar.Header, fd int, left int64, sum hash.Hash) error {
	for left > 0 {
		part := j.buf[:min(left, int64(len(j.buf)))]
		if err := j.readContent(h, part); err != nil {
			return err
		}
		if sum != nil {
			sum.Write(part)
		}
		if err := writeAll(fd, part); err != nil {
			return fail("write", h.Name, err)
		}
		left -= int64(len(part))
		j.res.Bytes += int64(len(part))
		if left > 0 {
			if err := context.Cause(j.ctx); err != nil {
				return fmt.Errorf("extract %s: %w", h.Name, err)
			}
		}
	}
	return nil
}

// fileAttributes sets what open did not: the owner before the mode (a chown
// clears setuid) and before the extended attributes (it clears capabilities).
func (j *job) fileAttributes(h *tar.Header, fd int, up *dir, aside bool) error {
	mode := uint32(h.Mode) & 0o7777
	chown := j.r.ownerDiffers(up, h.Uid, h.Gid)
	if chown {
		if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
			return fail("set owner", h.Name, err)
		}
	}
	return j.fileModeAndTime(h, fd, mode, chown || aside)
}

func (j *job) fileModeAndTime(h *tar.Header, fd int, mode uint32, always bool) error {
	if always || mode&j.r.mask != 0 || mode > 0o777 {
		if err := unix.Fchmod(fd, mode); err != nil {
			return fail("set mode", h.Name, err)
		}
	}
	if err := j.setXattrs(h, fd); err != nil {
		return err
	}
	return fail("set time", h.Name, setTimes(fd, h.ModTime))
}

// place gives a complete file its name.
func (j *job) place(h *tar.Header, name, path, temp string, dec Decision) error {
	up := j.cur
	if dec.Settle != nil {
		after, err := dec.Settle(j.res.MD5[name])
		if err == nil {
			err = checkAs(h.Name, after.As)
		}
		if err != nil || after.Skip {
			_ = unix.Unlinkat(up.fd, temp, 0)
			if err != nil {
				return fmt.Errorf("extract %s: %w", h.Name, err)
			}
			j.skip(name)
			return nil
		}
		if after.As != "" {
			path = after.As
			j.relocate(name, path)
		}
	}
	return j.rename(h, up, temp, path)
}

// rename moves a temporary entry of up to its path, over what is there.
func (j *job) rename(h *tar.Header, up *dir, temp, path string) error {
	dirPath, base := split(path)
	to, err := j.r.acquire(dirPath)
	if err != nil {
		_ = unix.Unlinkat(up.fd, temp, 0)
		return fail("open the directory of it", h.Name, err)
	}
	defer j.r.release(to)
	replaced := unix.Faccessat(to.fd, base, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) == nil
	if err := unix.Renameat(up.fd, temp, to.fd, base); err != nil {
		_ = unix.Unlinkat(up.fd, temp, 0)
		if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
			err = ErrFileOverDirectory
		}
		return fail("rename to "+path, h.Name, err)
	}
	// Two links to one file: rename(2) then does nothing and leaves both.
	_ = unix.Unlinkat(up.fd, temp, 0)
	kind := File
	switch h.Typeflag {
	case tar.TypeSymlink:
		kind = Symlink
	case tar.TypeLink:
		kind = HardLink
	}
	j.wrote(path, kind, replaced)
	return nil
}
