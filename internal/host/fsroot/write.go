// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Keep as uid or gid leaves it as it is.
const Keep = -1

// tempPrefix begins the names of files that are being written. One that a
// crash left behind is garbage.
const tempPrefix = ".rastos-tmp-"

// WriteFile replaces a file, or a link of that name, at once: there is the old
// one or the whole new one at any time. The mode is perm exactly, whatever the
// umask; the owner is this process's.
func (r *FS) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return r.WriteFileOwned(name, data, perm, Keep, Keep)
}

// WriteFileOwned is WriteFile with an owner, set before the file has its name.
func (r *FS) WriteFileOwned(name string, data []byte, perm fs.FileMode, uid, gid int) error {
	err := r.in(name, func(dir *os.File, base string) error {
		return r.replace(dir, base, func(tmp string) error {
			return r.writeTemp(dir, tmp, data, perm, uid, gid)
		})
	})
	return r.fail("write", name, err)
}

// replace makes something under a temporary name and renames it.
func (r *FS) replace(dir *os.File, base string, create func(tmp string) error) error {
	tmp := tempPrefix + rand.Text()
	err := create(tmp)
	if err == nil {
		err = control(dir, func(fd int) error {
			return retry(func() error { return unix.Renameat(fd, tmp, fd, base) })
		})
	}
	if err != nil {
		_ = control(dir, func(fd int) error { return unix.Unlinkat(fd, tmp, 0) })
		return err
	}
	return r.syncDir(dir)
}

func (r *FS) writeTemp(dir *os.File, tmp string, data []byte, perm fs.FileMode, uid, gid int) error {
	f, err := openat2(dir, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600, unix.RESOLVE_BENEATH)
	if err != nil {
		return err
	}
	defer f.Close()
	if uid != Keep || gid != Keep {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	// After chown, which clears setuid.
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if r.sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

// Mkdir makes one directory with exactly the mode perm.
func (r *FS) Mkdir(name string, perm fs.FileMode) error {
	return r.fail("mkdir", name, r.mkdir(name, perm))
}

func (r *FS) mkdir(name string, perm fs.FileMode) error {
	return r.in(name, func(dir *os.File, base string) error {
		err := control(dir, func(fd int) error { return unix.Mkdirat(fd, base, unixPerm(perm)) })
		if err != nil {
			return err
		}
		if err := chmod(dir, base, perm); err != nil { // the umask took bits away
			return err
		}
		return r.syncDir(dir)
	})
}

// MkdirAll makes a directory and its parents. What is there stays as it is;
// links to directories inside the root are followed.
func (r *FS) MkdirAll(name string, perm fs.FileMode) error {
	return r.fail("mkdir", name, r.mkdirAll(name, perm))
}

func (r *FS) mkdirAll(name string, perm fs.FileMode) error {
	f, err := r.openAt(name, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent, _, serr := split(name)
	if serr != nil {
		return serr
	}
	if parent != "" {
		if err := r.mkdirAll(parent, perm); err != nil {
			return err
		}
	}
	err = r.mkdir(name, perm)
	if errors.Is(err, fs.ErrExist) {
		// Somebody else made it, or it is a link into nothing: see which.
		f, err := r.openAt(name, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
	return err
}

// Symlink makes a link; target is written as it is.
func (r *FS) Symlink(target, name string) error {
	return r.fail("symlink", name, r.in(name, func(dir *os.File, base string) error {
		if err := control(dir, func(fd int) error { return unix.Symlinkat(target, fd, base) }); err != nil {
			return err
		}
		return r.syncDir(dir)
	}))
}

// ReplaceSymlink makes a link in place of the file or link of that name, at once.
func (r *FS) ReplaceSymlink(target, name string) error {
	return r.fail("symlink", name, r.in(name, func(dir *os.File, base string) error {
		return r.replace(dir, base, func(tmp string) error {
			return control(dir, func(fd int) error { return unix.Symlinkat(target, fd, tmp) })
		})
	}))
}

// Link makes a hard link. A link at oldName is linked, not followed.
func (r *FS) Link(oldName, newName string) error {
	return r.fail("link "+oldName+" to", newName, r.pair(oldName, newName, func(from, to int, oldBase, newBase string) error {
		return unix.Linkat(from, oldBase, to, newBase, 0)
	}))
}

// Rename renames, replacing a file of the new name.
func (r *FS) Rename(oldName, newName string) error {
	return r.fail("rename "+oldName+" to", newName, r.pair(oldName, newName, func(from, to int, oldBase, newBase string) error {
		return unix.Renameat(from, oldBase, to, newBase)
	}))
}

// pair calls fn on two names. The new directory is synced first: after a cut
// between the two, a file has both names rather than none.
func (r *FS) pair(oldName, newName string, fn func(from, to int, oldBase, newBase string) error) error {
	return r.in(oldName, func(from *os.File, oldBase string) error {
		return r.in(newName, func(to *os.File, newBase string) error {
			err := control(from, func(fd int) error {
				return control(to, func(tofd int) error { return fn(fd, tofd, oldBase, newBase) })
			})
			if err != nil {
				return err
			}
			if err := r.syncDir(to); err != nil {
				return err
			}
			return r.syncDir(from)
		})
	})
}
