// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/rastos/rastos/internal/deploy/etcmerge"
)

const permBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// scan reads a tree into a value. Sockets, FIFOs and devices are left out:
// they are no configuration.
func scan(d Dir) (etcmerge.Tree, error) {
	t := etcmerge.Tree{}
	visit := func(name string, info fs.FileInfo) error { return scanOne(d, t, name, info) }
	top, err := d.Lstat(".")
	if err != nil {
		return nil, err
	}
	if err := visit(".", top); err != nil {
		return nil, err
	}
	return t, d.Walk(visit)
}

// scanOne adds one file of a tree.
func scanOne(d Dir, t etcmerge.Tree, name string, info fs.FileInfo) error {
	e := etcmerge.Entry{Type: info.Mode().Type(), Perm: info.Mode() & permBits}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.UID, e.GID = int(st.Uid), int(st.Gid)
	}
	var err error
	switch {
	case e.Type == 0:
		data, err := d.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		e.Digest, e.Size = hex.EncodeToString(sum[:]), int64(len(data))
	case e.Type&fs.ModeSymlink != 0:
		if e.Link, err = d.Readlink(name); err != nil {
			return err
		}
	case !e.Type.IsDir():
		return nil
	}
	if e.Xattrs, err = d.Xattrs(name); err != nil {
		return err
	}
	if len(e.Xattrs) == 0 {
		e.Xattrs = nil
	}
	t[name] = e
	return nil
}

// apply makes the changes in out; content of Take comes from next.
func apply(out, next Dir, changes []etcmerge.Change) error {
	for _, c := range changes {
		if err := change(out, next, c); err != nil {
			return fmt.Errorf("merge /etc/%s: %w", c.Path, err)
		}
	}
	return times(out, next, changes)
}

// times gives what was taken from the node the node's times, directories after
// what is in them: pacman -Qkk looks at them, and so do people.
func times(out, next Dir, changes []etcmerge.Change) error {
	for _, c := range slices.Backward(changes) {
		if c.Kind != etcmerge.Take {
			continue
		}
		info, err := next.Lstat(c.Source())
		if err != nil {
			return fmt.Errorf("merge /etc/%s: %w", c.Path, err)
		}
		if err := out.Chtimes(c.Path, info.ModTime(), info.ModTime()); err != nil {
			return fmt.Errorf("merge /etc/%s: %w", c.Path, err)
		}
	}
	return nil
}

func change(out, next Dir, c etcmerge.Change) error {
	switch c.Kind {
	case etcmerge.Remove:
		// Gone already where its directory became a file.
		if err := out.Remove(c.Path); err != nil && !isNotExist(err) && !errors.Is(err, syscall.ENOTDIR) {
			return err
		}
		return nil
	case etcmerge.Meta:
		return meta(out, c.Path, c.Entry)
	case etcmerge.Write:
		if err := out.WriteFile(c.Path, c.Data, c.Entry.Perm.Perm()); err != nil {
			return err
		}
		return meta(out, c.Path, c.Entry)
	}
	if err := take(out, next, c.Path, c.Source(), c.Entry); err != nil {
		return err
	}
	return meta(out, c.Path, c.Entry)
}

func take(out, next Dir, name, from string, e etcmerge.Entry) error {
	switch {
	case e.Type.IsDir():
		if name == "." {
			return nil
		}
		err := out.Mkdir(name, e.Perm.Perm())
		if errors.Is(err, fs.ErrExist) {
			// The path may have been a file until now; a directory stays.
			if info, err := out.Lstat(name); err != nil || info.IsDir() {
				return err
			}
			if err := out.RemoveAll(name); err != nil {
				return err
			}
			return out.Mkdir(name, e.Perm.Perm())
		}
		return err
	case e.Type&fs.ModeSymlink != 0:
		if err := out.RemoveAll(name); err != nil && !isNotExist(err) {
			return err
		}
		return out.Symlink(e.Link, name)
	}
	data, err := next.ReadFile(from)
	if err != nil {
		return err
	}
	// What stood here may be of another type; live still was what base was.
	if err := out.RemoveAll(name); err != nil && !isNotExist(err) {
		return err
	}
	return out.WriteFile(name, data, e.Perm.Perm())
}

func meta(out Dir, name string, e etcmerge.Entry) error {
	if err := out.Chown(name, e.UID, e.GID); err != nil {
		return err
	}
	if e.Type&fs.ModeSymlink != 0 {
		return nil
	}
	if err := out.SetXattrs(name, e.Xattrs); err != nil {
		return err
	}
	return out.Chmod(name, e.Perm)
}
