// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"archive/tar"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func (j *job) symlink(h *tar.Header, path string) error {
	err := j.makeLink(h, path, func(up *dir, base string) error {
		if err := unix.Symlinkat(h.Linkname, up.fd, base); err != nil {
			return err
		}
		if j.r.ownerDiffers(up, h.Uid, h.Gid) {
			if err := unix.Fchownat(up.fd, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				_ = unix.Unlinkat(up.fd, base, 0)
				return err
			}
		}
		return setLinkTimes(up.fd, base, h.ModTime)
	})
	if err == nil {
		j.links[path] = true
	}
	return err
}

// hardLink links to a file that came earlier in the same package. A link to
// one that was passed over and is not in the root either is passed over too.
func (j *job) hardLink(h *tar.Header, path string) error {
	target, err := j.linkTarget(h)
	if err != nil || target == "" {
		return err
	}
	dirPath, targetBase := split(target)
	from, err := j.r.acquire(dirPath)
	if err != nil {
		return fail("open the directory of "+target, h.Name, err)
	}
	defer j.r.release(from)
	err = j.makeLink(h, path, func(up *dir, base string) error {
		return unix.Linkat(from.fd, targetBase, up.fd, base, 0)
	})
	if err == nil && j.links[target] {
		j.links[path] = true // a second name of a symbolic link
	}
	return err
}

// linkTarget says where the target of a hard link is in the root; "": nowhere,
// which the result then tells.
func (j *job) linkTarget(h *tar.Header) (string, error) {
	if j.files == nil {
		j.files = make(map[string]string, len(j.res.Written))
		for _, w := range j.res.Written {
			if w.Kind != Directory {
				j.files[w.Path] = w.Path
			}
		}
		for name, at := range j.moved {
			j.files[name] = at
		}
	}
	at, known := j.files[h.Linkname]
	if !known {
		return "", &HostileError{Name: h.Name, Reason: "a hard link to " + h.Linkname + ", which is not a file of the package"}
	}
	switch {
	case at != "":
		return at, nil
	case slices.Contains(j.gone, h.Linkname):
		return "", j.unlinked(h)
	}
	// The target was passed over (kept, or not wanted): what is there has to do.
	dirPath, base := split(h.Linkname)
	d, err := j.r.acquire(dirPath)
	if err != nil {
		return "", j.unlinked(h)
	}
	defer j.r.release(d)
	var st unix.Stat_t
	if unix.Fstatat(d.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return "", j.unlinked(h)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		j.links[h.Linkname] = true
	case unix.S_IFREG:
	default:
		return "", j.unlinked(h)
	}
	return h.Linkname, nil
}

func (j *job) unlinked(h *tar.Header) error {
	j.skip(strings.Trim(strings.TrimPrefix(h.Name, "./"), "/"))
	j.res.Unlinked = append(j.res.Unlinked, Unlinked{Path: h.Name, Target: h.Linkname})
	return nil
}

// makeLink makes a symbolic or hard link: under its name, or when something is
// there, under a temporary one that is renamed.
func (j *job) makeLink(h *tar.Header, path string, link func(up *dir, base string) error) error {
	for {
		up, base, err := j.parent(path)
		if err != nil {
			return fail("open the directory of it", h.Name, err)
		}
		err = link(up, base)
		if errors.Is(err, unix.EEXIST) {
			return j.replaceByLink(h, up, base, path, link)
		}
		if errors.Is(err, unix.ENOENT) && up.removed() {
			j.dropParent()
			continue
		}
		if err != nil {
			return fail("link", h.Name, err)
		}
		kind := Symlink
		if h.Typeflag == tar.TypeLink {
			kind = HardLink
		}
		j.wrote(path, kind, false)
		return nil
	}
}

func (j *job) replaceByLink(h *tar.Header, up *dir, base, path string, link func(*dir, string) error) error {
	if err := notDirectory(up, base); err != nil {
		return fail("replace", h.Name, err)
	}
	for {
		temp := j.r.tempName()
		err := link(up, temp)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return fail("link", h.Name, err)
		}
		return j.rename(h, up, temp, path)
	}
}
