// SPDX-License-Identifier: GPL-3.0-or-later

package compare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rastos/rastos/btrfs"
)

// found is a file with what only a comparison needs.
type found struct {
	File
	inode  uint64
	links  uint64
	device uint64
}

// look describes a path of a tree; os.ErrNotExist where there is none. No link
// on the way is followed: below one there is nothing of this tree.
func look(root *os.File, p string) (found, error) {
	f, err := btrfs.OpenBeneath(root, self(p), unix.O_PATH)
	if err != nil {
		return found{}, absent(p, err)
	}
	defer f.Close()
	return describe(f)
}

func self(p string) string {
	if p == "" {
		return "."
	}
	return p
}

// absent makes one error of all the ways in which a path leads nowhere.
func absent(p string, err error) error {
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOENT) {
		return os.ErrNotExist
	}
	return fmt.Errorf("compare %q: %w", p, err)
}

func describe(f *os.File) (found, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return found{}, fmt.Errorf("compare %q: %w", f.Name(), err)
	}
	kind := map[uint32]string{
		unix.S_IFREG: "file", unix.S_IFDIR: "dir", unix.S_IFLNK: "link", unix.S_IFIFO: "fifo",
		unix.S_IFSOCK: "socket", unix.S_IFCHR: "char", unix.S_IFBLK: "block",
	}[st.Mode&unix.S_IFMT]
	out := found{
		File:  File{Type: kind, Mode: Perm(st.Mode & 0o7777), UID: st.Uid, GID: st.Gid},
		inode: st.Ino, links: uint64(st.Nlink), device: uint64(st.Rdev),
	}
	if kind == "file" {
		out.Size = st.Size
	}
	return out, nil
}

// namesIn lists a directory; nothing for what is none.
func namesIn(root *os.File, dir string) ([]string, error) {
	f, err := btrfs.OpenBeneath(root, self(dir), unix.O_RDONLY|unix.O_DIRECTORY)
	if err := ignoreAbsent(dir, err); err != nil || f == nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func ignoreAbsent(p string, err error) error {
	if err == nil {
		return nil
	}
	if err = absent(p, err); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// one compares a path of before with one of now.
func (c *comparer) one(from, p string, data bool) (Change, bool, error) {
	out := Change{Path: path.Clean(p)}
	was, err := look(c.before, from)
	if err == nil {
		out.Was = &was.File
	} else if !errors.Is(err, os.ErrNotExist) {
		return out, false, err
	}
	is, err := look(c.now, p)
	if err == nil {
		out.Is = &is.File
	} else if !errors.Is(err, os.ErrNotExist) {
		return out, false, err
	}
	switch {
	case out.Was == nil && out.Is == nil:
		return out, false, nil
	case out.Was == nil:
		out.Op = Added
		return out, true, nil
	case out.Is == nil:
		out.Op = Removed
		return out, true, nil
	}
	out.Op = Changed
	out.What, err = c.aspects(from, p, was, is, data)
	return out, len(out.What) > 0, err
}

func (c *comparer) aspects(from, p string, was, is found, data bool) (out []Aspect, err error) {
	if was.Type != is.Type {
		out = append(out, Type)
	} else {
		same, err := c.sameContent(from, p, was, is, data)
		if err != nil {
			return nil, err
		}
		if !same {
			out = append(out, Content)
		}
	}
	if was.Mode != is.Mode && !(was.Type == "link" || is.Type == "link") {
		out = append(out, Mode)
	}
	if was.UID != is.UID || was.GID != is.GID {
		out = append(out, Owner)
	}
	a, err := xattrs(c.before, from)
	if err != nil {
		return nil, err
	}
	b, err := xattrs(c.now, p)
	if err != nil {
		return nil, err
	}
	if a != b {
		out = append(out, Xattrs)
	}
	return out, nil
}

func (c *comparer) sameContent(from, p string, was, is found, data bool) (bool, error) {
	switch was.Type {
	case "char", "block":
		return was.device == is.device, nil
	case "link":
		a, err := target(c.before, from)
		if err != nil {
			return false, err
		}
		b, err := target(c.now, p)
		return a == b, err
	case "file":
		if was.Size != is.Size {
			return false, nil
		}
		if !data && was.inode == is.inode {
			return true, nil
		}
		return c.sameBytes(from, p)
	}
	return true, nil
}

func target(root *os.File, p string) (string, error) {
	f, err := btrfs.OpenBeneath(root, p, unix.O_PATH)
	if err != nil {
		return "", fmt.Errorf("compare %q: %w", p, err)
	}
	defer f.Close()
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(f.Fd()), "", buf)
	return string(buf[:max(n, 0)]), err
}

func (c *comparer) sameBytes(from, p string) (bool, error) {
	a, err := btrfs.OpenBeneath(c.before, from, unix.O_RDONLY|unix.O_NOATIME)
	if err != nil {
		return false, fmt.Errorf("compare %q: %w", from, err)
	}
	defer a.Close()
	b, err := btrfs.OpenBeneath(c.now, p, unix.O_RDONLY|unix.O_NOATIME)
	if err != nil {
		return false, fmt.Errorf("compare %q: %w", p, err)
	}
	defer b.Close()
	left, right := make([]byte, 128<<10), make([]byte, 128<<10)
	for {
		n, errA := io.ReadFull(a, left)
		m, errB := io.ReadFull(b, right)
		if !bytes.Equal(left[:n], right[:m]) {
			return false, nil
		}
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, fmt.Errorf("compare %q: %w", p, err)
			}
		}
		if errA != nil || errB != nil {
			return true, nil
		}
	}
}

// xattrs writes all extended attributes of a path as one text.
func xattrs(root *os.File, p string) (string, error) {
	f, err := btrfs.OpenBeneath(root, self(p), unix.O_PATH)
	if err != nil {
		return "", fmt.Errorf("compare %q: %w", p, err)
	}
	f.Close() // no link is on the way
	// There is no call for what is open by O_PATH.
	name := "/proc/self/fd/" + strconv.Itoa(int(root.Fd())) + "/" + self(p)
	n, err := unix.Llistxattr(name, nil)
	if err != nil || n == 0 {
		return "", xattrError(p, err)
	}
	list := make([]byte, n)
	if n, err = unix.Llistxattr(name, list); err != nil {
		return "", xattrError(p, err)
	}
	keys := strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00")
	slices.Sort(keys)
	var out strings.Builder
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for _, k := range keys {
		n, err := unix.Lgetxattr(name, k, value)
		if err != nil {
			return "", xattrError(p, err)
		}
		fmt.Fprintf(&out, "%s=%q\n", k, value[:n])
	}
	return out.String(), nil
}

func xattrError(p string, err error) error {
	if err == nil || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return fmt.Errorf("read the extended attributes of %q: %w", p, err)
}
