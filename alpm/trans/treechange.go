// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/rastos/rastos/alpm/extract"
)

// identity tells one file from any other that was or will be under the same
// name: its inode with size and time of change of its content. A name that
// holds nothing has none.
func (t *tree) identity(name string) string {
	info, err := t.lstat(name)
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

// moveOver is move; an empty directory is no obstacle to a .pacnew.
func (t *tree) moveOver(from, to string) error {
	err := t.move(from, to)
	if err == nil || !strings.HasSuffix(to, pacnewName("")) {
		return err
	}
	if info, e := t.lstat(to); e != nil || !info.IsDir() || t.remove(to+"/") != nil {
		return err
	}
	return t.move(from, to)
}

// inode tells a regular file from another of the same name, whatever becomes of
// its attributes.
func (t *tree) inode(name string) string {
	info, err := t.lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return inodeID(st.Ino, st.Size)
}

func inodeID(inode uint64, size int64) string { return fmt.Sprintf("%d.%d", inode, size) }

// move gives what is at one path another one, over what is there.
func (t *tree) move(from, to string) error {
	fromDir, fromBase := splitPath(from)
	toDir, toBase := splitPath(to)
	if fromDir == toDir {
		return t.rename(from, toBase)
	}
	a, err := t.dir(fromDir)
	if err != nil {
		return err
	}
	b, err := t.dir(toDir)
	if err != nil {
		return err
	}
	return t.root.Rename(path.Join(a, fromBase), path.Join(b, toBase))
}

// dirAttr is how a directory is to be, or a file that stays.
type dirAttr struct {
	Mode uint32 `json:"mode"` // permissions with setuid, setgid and sticky bits
	UID  int    `json:"uid,omitempty"`
	GID  int    `json:"gid,omitempty"`
	Time int64  `json:"time,omitempty"` // nanoseconds; 0: as it comes
}

// is tells whether a file is like that; for who is not root, the owner does not
// count.
func (a *dirAttr) is(l *extract.Left) bool {
	return l.Mode == a.Mode && l.Time == a.Time && (os.Geteuid() != 0 || l.UID == a.UID && l.GID == a.GID)
}

// mkdir makes one directory with its attributes.
func (t *tree) mkdir(name string, want dirAttr) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	if err := d.Mkdir(base, fs.FileMode(want.Mode&0o777)); err != nil {
		return err
	}
	delete(t.gone, name)
	return t.dress(name, want)
}

// dress gives a directory its attributes, but for the time.
func (t *tree) dress(name string, want dirAttr) error {
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

// mkdirAll makes a directory and what is missing above it, with mode 0755.
func (t *tree) mkdirAll(name string) error {
	if _, err := t.dir(name); err == nil {
		return nil
	}
	up, base := splitPath(name)
	if base == "" {
		return nil
	}
	if err := t.mkdirAll(up); err != nil {
		return err
	}
	err := t.mkdir(name, dirAttr{Mode: 0o755})
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (t *tree) setTimes(name string, nanoseconds int64) error {
	d, base, err := t.parent(name)
	if err != nil {
		return err
	}
	when := time.Unix(0, nanoseconds)
	return d.Chtimes(base, when, when)
}

// setTime sets the time of a directory that is there; any other is passed over.
func (t *tree) setTime(name string, nanoseconds int64) error {
	real, err := t.realPath(name)
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

// open opens a directory for its file system to be flushed.
func (t *tree) open(name string) (*os.File, error) {
	real, err := t.dir(name)
	if err != nil {
		return nil, err
	}
	return t.root.Open(real)
}
