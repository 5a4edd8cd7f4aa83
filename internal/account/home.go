// SPDX-License-Identifier: GPL-3.0-or-later

package account

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// MakeHome makes a home directory and what is in it from the start. homes is
// where homes live and at the name of this one in it ("anna" in the subvolume
// that is mounted at /home; "" where homes is the home itself, which must
// exist). skel is the system root whose etc/skel a new home begins with; nil
// for none.
//
// Keys are added to .ssh/authorized_keys if they are not there; DropKeys are
// taken out; all else in it stays. In a home that its user can write to, homes
// should be confined to that home: a .ssh that is a link is refused, but the
// user could make one between the look and the write.
func MakeHome(homes FS, at string, h Home, skel FS) error {
	fail := func(err error) error { return fmt.Errorf("make home of %s: %w", h.User, err) }
	if at != "" {
		exists, dir := isDir(homes, at)
		if exists && !dir {
			return fail(fmt.Errorf("%s is no directory", h.Path))
		}
		if !exists {
			if err := ownDir(homes, at, 0o700, h); err != nil {
				return fail(err)
			}
			if skel != nil {
				if err := copySkel(skel, "etc/skel", homes, at, h); err != nil {
					return fail(err)
				}
			}
		}
	}
	if err := writeKeys(homes, at, h); err != nil {
		return fail(err)
	}
	return nil
}

func ownDir(root FS, name string, perm fs.FileMode, h Home) error {
	if err := root.MkdirAll(name, perm); err != nil {
		return err
	}
	if err := root.Chmod(name, perm); err != nil { // whatever the umask left
		return err
	}
	return root.Chown(name, h.UID, h.GID)
}

// copySkel copies files, directories and links; nothing else belongs into a
// skeleton.
func copySkel(skel FS, from string, homes FS, to string, h Home) error {
	entries, err := skel.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		src, dst := from+"/"+e.Name(), join(to, e.Name())
		info, err := skel.Lstat(src)
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			if err = ownDir(homes, dst, info.Mode().Perm(), h); err == nil {
				err = copySkel(skel, src, homes, dst, h)
			}
		case info.Mode()&fs.ModeSymlink != 0:
			var target string
			if target, err = skel.Readlink(src); err == nil {
				err = homes.Symlink(target, dst)
			}
			if err == nil {
				err = homes.Chown(dst, h.UID, h.GID)
			}
		case info.Mode().IsRegular():
			var data []byte
			if data, err = skel.ReadFile(src); err == nil {
				err = ownFile(homes, dst, data, info.Mode().Perm(), h)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func ownFile(root FS, name string, data []byte, perm fs.FileMode, h Home) error {
	if err := root.WriteFile(name, data, perm); err != nil {
		return err
	}
	return root.Chown(name, h.UID, h.GID)
}

// writeKeys brings .ssh/authorized_keys up to date, with the owner and modes
// without which sshd does not read it.
func writeKeys(homes FS, at string, h Home) error {
	ssh := join(at, ".ssh")
	name := ssh + "/authorized_keys"
	exists, dir := isDir(homes, ssh)
	switch {
	case exists && !dir:
		return fmt.Errorf("%s/.ssh is no directory", h.Path)
	case !exists && len(h.SSHKeys) == 0:
		return nil
	case !exists:
		if err := ownDir(homes, ssh, 0o700, h); err != nil {
			return err
		}
	}
	if info, err := homes.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s/.ssh/authorized_keys is no regular file", h.Path)
	}
	old, err := homes.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	merged := mergeKeys(string(old), h.SSHKeys, h.DropKeys)
	if merged == string(old) {
		return nil
	}
	return ownFile(homes, name, []byte(merged), 0o600, h)
}

// mergeKeys adds and drops keys; they are the same if type and data are,
// whatever their comments.
func mergeKeys(old string, add, drop []string) string {
	var dropped, have []string
	for _, key := range drop {
		if !slices.Contains(identities(add), identity(key)) {
			dropped = append(dropped, identity(key))
		}
	}
	var out strings.Builder
	for l := range strings.Lines(old) {
		id := identity(l)
		if id != "" && slices.Contains(dropped, id) {
			continue
		}
		have = append(have, id)
		out.WriteString(strings.TrimSuffix(l, "\n") + "\n")
	}
	for _, key := range add {
		if id := identity(key); !slices.Contains(have, id) {
			have = append(have, id)
			out.WriteString(strings.TrimSpace(key) + "\n")
		}
	}
	return out.String()
}

func identities(keys []string) []string {
	var out []string
	for _, k := range keys {
		out = append(out, identity(k))
	}
	return out
}

// identity is the type and data of a key line, or "" for a comment or a line
// with options, which is a person's own and stays.
func identity(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 2 || !slices.Contains(keyTypes, fields[0]) {
		return ""
	}
	return fields[0] + " " + fields[1]
}
