// SPDX-License-Identifier: GPL-3.0-or-later

package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/rastos/rastos/alpm/extract"
)

// Identity tells one file from any other that was or will be under the same
// name: its inode with size and time of change of its content. A name that
// holds nothing has none.
func (t *Tree) Identity(name string) string {
	info, err := t.Lstat(name)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	if info.IsDir() {
		return fmt.Sprintf("d%d", st.Ino)
	}
	return fmt.Sprintf("%d.%d.%d", st.Ino, st.Size, info.ModTime().UnixNano())
}

// Inode tells a regular file from another of the same name, whatever becomes of
// its attributes.
func (t *Tree) Inode(name string) string {
	info, err := t.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return InodeOf(st.Ino, st.Size)
}

// InodeOf is the same of a file that was just written.
func InodeOf(inode uint64, size int64) string { return fmt.Sprintf("%d.%d", inode, size) }

// IsLeft tells whether a file is as it was when it was left where it is.
func (t *Tree) IsLeft(l *extract.Left) bool {
	info, err := t.Lstat(l.Path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && *l == extract.Left{Path: l.Path, Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid),
		Time: st.Mtim.Nano(), Inode: st.Ino, Size: st.Size}
}

// Move gives what is at one path another one, over what is there.
func (t *Tree) Move(from, to string) error {
	fromDir, fromBase := SplitPath(from)
	toDir, toBase := SplitPath(to)
	if fromDir == toDir {
		return t.Rename(from, toBase)
	}
	a, err := t.Dir(fromDir)
	if err != nil {
		return err
	}
	b, err := t.Dir(toDir)
	if err != nil {
		return err
	}
	return t.root.Rename(path.Join(a, fromBase), path.Join(b, toBase))
}

// Attr is how a directory is to be, or a file that stays.
type Attr struct {
	Mode uint32 `json:"mode"` // permissions with setuid, setgid and sticky bits
	UID  int    `json:"uid,omitempty"`
	GID  int    `json:"gid,omitempty"`
	Time int64  `json:"time,omitempty"` // nanoseconds; 0: as it comes
}

// Is tells whether a file is like that; for who is not root, the owner does not
// count.
func (a *Attr) Is(l *extract.Left) bool {
	return l.Mode == a.Mode && l.Time == a.Time && (os.Geteuid() != 0 || l.UID == a.UID && l.GID == a.GID)
}

// Mkdir makes one directory with its attributes.
func (t *Tree) Mkdir(name string, want Attr) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	if err := d.Mkdir(base, fs.FileMode(want.Mode&0o777)); err != nil {
		return err
	}
	delete(t.gone, name)
	return t.Dress(name, want)
}

// Dress gives a directory its attributes, but for the time.
func (t *Tree) Dress(name string, want Attr) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := d.Lchown(base, want.UID, want.GID); err != nil {
			return err
		}
	}
	mode := fs.FileMode(want.Mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if want.Mode&bit != 0 {
			mode |= flag
		}
	}
	return d.Chmod(base, mode)
}

// MkdirAll makes a directory and what is missing above it, with mode 0755.
func (t *Tree) MkdirAll(name string) error {
	if _, err := t.Dir(name); err == nil {
		return nil
	}
	up, base := SplitPath(name)
	if base == "" {
		return nil
	}
	if err := t.MkdirAll(up); err != nil {
		return err
	}
	err := t.Mkdir(name, Attr{Mode: 0o755})
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// SetTimes sets the time of a file.
func (t *Tree) SetTimes(name string, nanoseconds int64) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	when := time.Unix(0, nanoseconds)
	return d.Chtimes(base, when, when)
}

// SetTime sets the time of a directory that is there; any other is passed over.
func (t *Tree) SetTime(name string, nanoseconds int64) error {
	real, err := t.RealPath(name)
	if err != nil {
		return nil // it was removed since
	}
	info, err := t.root.Lstat(real)
	if err != nil || !info.IsDir() {
		return nil
	}
	when := time.Unix(0, nanoseconds)
	return t.root.Chtimes(real, when, when)
}

// OpenDir opens a directory for its file system to be flushed.
func (t *Tree) OpenDir(name string) (*os.File, error) {
	real, err := t.Dir(name)
	if err != nil {
		return nil, err
	}
	return t.root.Open(real)
}
