// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"archive/tar"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// parent returns the open directory that a path is in; entries of a package
// come sorted, so that it is nearly always the last one's. A directory for
// which the package has no entry is made with mode 0755.
func (j *job) parent(path string) (*dir, string, error) {
	dirPath, base := split(path)
	if j.cur != nil && j.cur.path == dirPath {
		return j.cur, base, nil
	}
	d, err := j.r.acquire(dirPath)
	if errors.Is(err, unix.ENOENT) {
		d, err = j.makeParents(dirPath)
	}
	if err != nil {
		return nil, "", err
	}
	j.setParent(d)
	return d, base, nil
}

func (j *job) setParent(d *dir) {
	if j.cur != nil {
		j.r.release(j.cur)
	}
	j.cur = d
}

// dropParent forgets a cached parent that was removed from the file system.
func (j *job) dropParent() {
	if j.cur != nil {
		j.r.forget(j.cur)
		j.setParent(nil)
	}
}

// makeParents makes a directory and those above it.
func (j *job) makeParents(path string) (*dir, error) {
	above, base := split(path)
	up, err := j.r.acquire(above)
	if errors.Is(err, unix.ENOENT) && above != "" {
		up, err = j.makeParents(above)
	}
	if err != nil {
		return nil, err
	}
	defer j.r.release(up)
	d, made, err := j.r.makeDir(up, base, path, dirAttr{mode: 0o755})
	if made {
		j.wrote(path, Directory, false)
	}
	return d, err
}

// directory makes a directory, or leaves the one that is there as it is.
func (j *job) directory(h *tar.Header, path string, dec Decision) error {
	for {
		up, base, err := j.parent(path)
		if err != nil {
			return fail("open the directory of it", h.Name, err)
		}
		want := dirAttr{mode: uint32(h.Mode) & 0o7777, uid: h.Uid, gid: h.Gid, time: h.ModTime, timed: true, replaceLink: dec.ReplaceLink}
		d, made, err := j.r.makeDir(up, base, path, want)
		if errors.Is(err, unix.ENOENT) && up.removed() {
			j.dropParent()
			continue
		}
		if err != nil {
			return fail("make directory", h.Name, err)
		}
		defer j.r.release(d)
		if !made {
			j.compare(path, d, want)
			return nil
		}
		j.made[path] = h.ModTime
		j.wrote(path, Directory, false)
		return j.setXattrs(h, d.fd)
	}
}

// compare notes where an existing directory is not as the package has it.
func (j *job) compare(path string, d *dir, want dirAttr) {
	if d.mode != want.mode {
		j.res.DirModes = append(j.res.DirModes, DirMode{path, d.mode, want.mode})
	}
	if j.r.uid == 0 && (d.uid != want.uid || d.gid != want.gid) {
		j.res.DirOwners = append(j.res.DirOwners, DirOwner{path, d.uid, d.gid, want.uid, want.gid})
	}
}

// removed tells whether an open directory is no longer in the file system.
func (d *dir) removed() bool {
	var st unix.Stat_t
	return unix.Fstat(d.fd, &st) == nil && st.Nlink == 0
}

// dirAttr is what a new directory gets.
type dirAttr struct {
	mode        uint32
	uid, gid    int
	time        time.Time
	timed       bool
	replaceLink bool
}

// makeDir makes one directory, or finds it there, and returns it in use. All
// of it happens under the lock, so that a directory is never seen by another
// package before its owner and mode are set.
func (r *Root) makeDir(up *dir, base, path string, want dirAttr) (d *dir, made bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if want.timed {
		// Also for a directory that another package made: the latest time wins,
		// whichever came first.
		if t, ours := r.times[path]; ours && want.time.After(t) {
			r.times[path] = want.time
		}
	}
	if d := r.dirs[path]; d != nil {
		if !d.removed() && !want.replaceLink {
			r.use(d)
			return d, false, nil
		}
		r.forgetLocked(d)
	}
	err = unix.Mkdirat(up.fd, base, want.mode)
	if errors.Is(err, unix.EEXIST) {
		d, err = r.existing(up, base, path, want)
		if d != nil || err != nil {
			return d, false, err
		}
		err = unix.Mkdirat(up.fd, base, want.mode)
	}
	if err != nil {
		return nil, false, err
	}
	fd, err := openAt(up.fd, base, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, true, err
	}
	if err := r.dirAttributes(fd, up, want); err != nil {
		unix.Close(fd)
		return nil, true, err
	}
	r.times[path] = want.time
	if !want.timed {
		delete(r.times, path)
	}
	return r.remember(path, fd, want.mode, want.uid, want.gid), true, nil
}

// existing opens the directory that is there already; nil when something else
// was there that a directory takes the place of: a file or a dead link of an
// older version, or a link to a directory when that is asked for.
func (r *Root) existing(up *dir, base, path string, want dirAttr) (*dir, error) {
	d, err := r.acquireLocked(path)
	if err == nil && !want.replaceLink {
		return d, nil
	}
	if err != nil && (!want.timed || !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ELOOP)) {
		if errors.Is(err, unix.ENOENT) {
			err = unix.ENOTDIR // there is something, but it leads nowhere
		}
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(up.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		r.drop(d)
		return nil, err
	}
	if d != nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return d, nil
	}
	r.drop(d)
	return nil, unix.Unlinkat(up.fd, base, 0)
}

// drop gives back and forgets a directory that was opened through a link.
func (r *Root) drop(d *dir) {
	if d == nil {
		return
	}
	d.users--
	r.forgetLocked(d)
}

func (r *Root) dirAttributes(fd int, up *dir, want dirAttr) error {
	chown := r.ownerDiffers(up, want.uid, want.gid)
	if chown {
		if err := unix.Fchown(fd, want.uid, want.gid); err != nil {
			return err
		}
	}
	// A setgid parent hands the bit down; mkdir ignores setuid and setgid.
	if chown || want.mode&r.mask != 0 || want.mode&0o6000 != 0 || up.mode&0o2000 != 0 {
		return unix.Fchmod(fd, want.mode)
	}
	return nil
}
