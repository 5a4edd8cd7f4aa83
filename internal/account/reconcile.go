// SPDX-License-Identifier: GPL-3.0-or-later

package account

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// FS is what this package needs of the files below a system root. Names are
// slash-separated and relative to it.
type FS interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Symlink(target, name string) error
	Readlink(name string) (string, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Chown(name string, uid, gid int) error
	Chmod(name string, mode fs.FileMode) error
}

// A Set is the account files of one system. A file that does not exist is
// missing from it.
type Set map[Kind][]byte

// Read reads the account files below etc in a system root ("etc", or "" where
// the FS is an /etc itself).
func Read(root FS, etc string) (Set, error) {
	set := Set{}
	for _, kind := range Kinds {
		data, err := root.ReadFile(join(etc, string(kind)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read accounts: %w", err)
		}
		set[kind] = data
	}
	return set, nil
}

// Write writes those files of the set that differ from what is there. Files
// keep their modes; new ones get the usual ones.
func (s Set) Write(root FS, etc string) error {
	for _, kind := range Kinds {
		data, ok := s[kind]
		if !ok {
			continue
		}
		name := join(etc, string(kind))
		if old, err := root.ReadFile(name); err == nil && string(old) == string(data) {
			continue
		}
		if err := s.writeOne(root, kind, name, data); err != nil {
			return fmt.Errorf("write accounts: %w", err)
		}
	}
	return nil
}

func (s Set) writeOne(root FS, kind Kind, name string, data []byte) error {
	perm := fs.FileMode(0o644)
	if kind == Shadow || kind == GShadow {
		perm = 0o600
	}
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() {
		perm = info.Mode().Perm()
	}
	if err := root.WriteFile(name, data, perm); err != nil {
		return err
	}
	// Debian's shadow files are readable by the group of that name.
	if kind == Shadow || kind == GShadow {
		if group, ok := Decode(Group, s[Group]).Get("shadow"); ok && perm&0o040 != 0 {
			gid, _ := group.Number(fieldUID)
			return root.Chown(name, 0, gid)
		}
	}
	return nil
}

func join(dir, name string) string { return strings.TrimPrefix(dir+"/"+name, "/") }

// Reconcile carries the users and groups of a live machine into the account
// files of a tree that is being built on it, before a scriptlet or
// systemd-sysusers makes system users there: it then finds those names and
// numbers taken, and gives this machine's numbers to names that exist here.
// Passwords are not carried over. A name with two numbers, or a number with two
// names, is a conflict: the caller stops, for no later step could mend it.
//
// The numbers of people are live's alone: those in the tree came there from this
// machine, when an earlier node was built, and who was removed or renumbered
// since must not stand in the way for ever. No package ships files of theirs.
func Reconcile(live, next Set) (Set, []Conflict) {
	out := Set{}
	for kind, data := range next {
		out[kind] = data
	}
	var conflicts []Conflict
	for _, kind := range []Kind{Group, Passwd} {
		from, into := Decode(kind, live[kind]), Decode(kind, next[kind])
		field := shapes[kind].number
		into.dropPeople(from)
		for _, e := range from.Entries() {
			if have, ok := into.Get(e.Name()); ok {
				if have[field] != e[field] {
					conflicts = append(conflicts, Conflict{Kind: kind, Name: e.Name(), Field: shapes[kind].names[field], Live: e[field], Next: have[field]})
				}
				continue
			}
			n, _ := e.Number(field)
			if other, taken := into.byNumber(n); taken && !twin(from, e.Name(), other.Name()) {
				conflicts = append(conflicts, Conflict{Kind: kind, Name: e.Name(),
					Why: fmt.Sprintf("its number %d belongs to %s in the new node", n, other.Name())})
				continue
			}
			carried := e.clone()
			if carried[fieldPassword] != "" {
				carried[fieldPassword] = "x"
			}
			into.Add(carried)
		}
		out[kind] = into.Encode()
	}
	return out, conflicts
}

// dropPeople takes out the people who are not in live with the same number.
func (f *File) dropPeople(live *File) {
	field := shapes[f.kind].number
	f.lines = slices.DeleteFunc(f.lines, func(l line) bool {
		if l.entry == nil || !person(l.entry) {
			return false
		}
		same, ok := live.Get(l.entry.Name())
		return !ok || same[field] != l.entry[field]
	})
}

// twin tells whether two names share their number on the live machine already:
// somebody wanted it so.
func twin(f *File, a, b string) bool {
	one, ok1 := f.Get(a)
	two, ok2 := f.Get(b)
	field := shapes[f.kind].number
	return ok1 && ok2 && one[field] == two[field]
}

// Numbers are the numbers of a system's users and groups by name.
type Numbers struct {
	Users  map[string]int `json:"users"`
	Groups map[string]int `json:"groups"`
}

// Numbers reads them.
func (s Set) Numbers() Numbers {
	read := func(kind Kind) map[string]int {
		out := map[string]int{}
		for _, e := range Decode(kind, s[kind]).Entries() {
			if n, ok := e.Number(shapes[kind].number); ok {
				if _, seen := out[e.Name()]; !seen {
					out[e.Name()] = n
				}
			}
		}
		return out
	}
	return Numbers{Users: read(Passwd), Groups: read(Group)}
}
