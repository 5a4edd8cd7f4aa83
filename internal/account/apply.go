// SPDX-License-Identifier: GPL-3.0-or-later

package account

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A User is a person who logs in, as the manifest names one.
type User struct {
	Name         string
	UID          *int     // nil: the number it has, or the first free one from 1000
	Comment      string   // full name
	Shell        string   // empty: the one it has, or /bin/bash
	PasswordHash string   // empty: the one it has, or locked
	Groups       []string // beside the user's own
	SSHKeys      []string
}

// Numbers given to people, as in login.defs(5).
const (
	firstUID     = 1000
	lastUID      = 60000
	firstSubID   = 100000
	subIDCount   = 65536
	defaultShell = "/bin/bash"
)

// A Home is a home directory that must exist. Homes are on another subvolume
// than the system, so making them is a second step: MakeHome.
type Home struct {
	User     string
	Path     string // as in passwd: /home/anna
	UID, GID int
	SSHKeys  []string
	DropKeys []string // keys to take out of authorized_keys; Apply leaves it empty
}

// Apply makes the users in the account files below etc of a system root, or
// changes those that exist to what is asked for. It never renumbers and never
// removes. now is the date of password changes. It reports the mistakes of all
// users at once, each as a *UserError, and writes nothing if there are any.
func Apply(root FS, users []User, now time.Time) ([]Home, error) {
	set, err := Read(root, "etc")
	if err != nil {
		return nil, err
	}
	a := newApplier(root, set, now)
	var homes []Home
	var mistakes []error
	for _, u := range users {
		home, err := a.user(u)
		mistakes = append(mistakes, err)
		homes = append(homes, home)
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	for kind, f := range a.files {
		set[kind] = f.Encode()
	}
	if err := set.Write(root, "etc"); err != nil {
		return nil, err
	}
	return homes, nil
}

// applier holds the decoded files while users are made. gshadow, subuid and
// subgid are kept up only where the system has them.
type applier struct {
	root  FS
	files map[Kind]*File
	day   string // of now, as shadow counts
}

func newApplier(root FS, set Set, now time.Time) *applier {
	a := &applier{root: root, files: map[Kind]*File{}, day: strconv.FormatInt(now.Unix()/86400, 10)}
	for _, kind := range Kinds {
		data, ok := set[kind]
		if ok || kind == Passwd || kind == Group || kind == Shadow {
			a.files[kind] = Decode(kind, data)
		}
	}
	return a
}

func (a *applier) user(u User) (Home, error) {
	if err := a.check(u); err != nil {
		return Home{}, err
	}
	entry, exists := a.files[Passwd].Get(u.Name)
	if !exists {
		uid, err := a.freeUID(u)
		if err != nil {
			return Home{}, err
		}
		gid := a.primaryGroup(u.Name, uid)
		home := "/home/" + u.Name
		entry = Entry{u.Name, "x", strconv.Itoa(uid), strconv.Itoa(gid), "", home, defaultShell}
		a.subordinate(u.Name)
	}
	uid, _ := entry.Number(fieldUID)
	if u.UID != nil && *u.UID != uid {
		return Home{}, &UserError{u.Name, fmt.Sprintf("it has the number %d here, and files on the disk carry it; the manifest asks for %d", uid, *u.UID),
			fmt.Sprintf("write uid = %d", uid)}
	}
	if u.Comment != "" {
		entry[fieldComment] = u.Comment
	}
	if u.Shell != "" {
		entry[fieldShell] = u.Shell
	}
	a.files[Passwd].Set(entry)
	a.password(u)
	for _, group := range u.Groups {
		a.join(u.Name, group)
	}
	gid, _ := entry.Number(fieldGID)
	return Home{User: u.Name, Path: entry[fieldHome], UID: uid, GID: gid, SSHKeys: u.SSHKeys}, nil
}

// check looks for every mistake that does not depend on other users.
func (a *applier) check(u User) error {
	fail := func(err error, hint string) error { return &UserError{u.Name, err.Error(), hint} }
	if err := CheckName(u.Name); err != nil {
		return fail(err, "")
	}
	if err := checkText("comment", u.Comment); err != nil {
		return fail(err, "")
	}
	if u.PasswordHash != "" {
		if err := CheckHash(u.PasswordHash); err != nil {
			return fail(err, "leave it out to allow no login by password")
		}
	}
	for i, key := range u.SSHKeys {
		if err := CheckKey(key); err != nil {
			return fail(fmt.Errorf("ssh_keys, number %d: %w", i+1, err), "")
		}
	}
	if err := a.checkShell(u.Shell); err != nil {
		return fail(err, "name a shell that is there, or add the package that brings it")
	}
	for _, group := range u.Groups {
		if _, ok := a.files[Group].Get(group); ok || group == u.Name {
			continue
		}
		var names []string
		for _, e := range a.files[Group].Entries() {
			names = append(names, e.Name())
		}
		hint := "a package that is not installed may make it"
		if near := nearest(group, names); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		return fail(fmt.Errorf("there is no group %s", group), hint)
	}
	return nil
}

// checkShell refuses a shell that the system does not have: nobody could log
// in with it.
func (a *applier) checkShell(shell string) error {
	if shell == "" {
		return nil
	}
	if !strings.HasPrefix(shell, "/") {
		return fmt.Errorf("the shell %s is no absolute path", shell)
	}
	if err := checkText("shell", shell); err != nil {
		return err
	}
	if _, err := a.root.Lstat(strings.TrimPrefix(shell, "/")); err != nil {
		return fmt.Errorf("the shell %s is not in the system", shell)
	}
	return nil
}

// freeUID is the number asked for, or the first one that neither a user nor a
// group has.
func (a *applier) freeUID(u User) (int, error) {
	if u.UID != nil {
		if other, taken := a.files[Passwd].byNumber(*u.UID); taken {
			return 0, &UserError{u.Name, fmt.Sprintf("the number %d belongs to %s", *u.UID, other.Name()), "leave uid out to get a free one"}
		}
		return *u.UID, nil
	}
	for n := firstUID; n <= lastUID; n++ {
		_, user := a.files[Passwd].byNumber(n)
		_, group := a.files[Group].byNumber(n)
		if !user && !group {
			return n, nil
		}
	}
	return 0, &UserError{u.Name, fmt.Sprintf("no number from %d to %d is free", firstUID, lastUID), ""}
}

// primaryGroup makes the user's own group, with the user's number if it is free.
func (a *applier) primaryGroup(name string, uid int) int {
	groups := a.files[Group]
	if e, ok := groups.Get(name); ok {
		gid, _ := e.Number(fieldUID)
		return gid
	}
	gid := uid
	for _, taken := groups.byNumber(gid); taken; _, taken = groups.byNumber(gid) {
		gid = max(gid+1, firstUID)
	}
	groups.Add(Entry{name, "x", strconv.Itoa(gid), ""})
	if gshadow := a.files[GShadow]; gshadow != nil {
		gshadow.Set(Entry{name, "!", "", ""})
	}
	return gid
}

// password writes the hash. A user without one is locked, never open.
func (a *applier) password(u User) {
	shadow := a.files[Shadow]
	entry, exists := shadow.Get(u.Name)
	if !exists {
		entry = Entry{u.Name, "!", a.day, "0", "99999", "7", "", "", ""}
	}
	if u.PasswordHash != "" && entry[fieldPassword] != u.PasswordHash {
		entry[fieldPassword], entry[2] = u.PasswordHash, a.day
	}
	shadow.Set(entry)
}

func (a *applier) join(user, group string) {
	for _, kind := range []Kind{Group, GShadow} {
		f := a.files[kind]
		if f == nil {
			continue
		}
		entry, ok := f.Get(group)
		if !ok {
			continue // a group without a gshadow line is not rare
		}
		members := split(entry[fieldMembers])
		if !slices.Contains(members, user) {
			entry[fieldMembers] = strings.Join(append(members, user), ",")
			f.Set(entry)
		}
	}
}

// subordinate gives a user numbers for containers, where the system has files
// for them, as useradd does.
func (a *applier) subordinate(user string) {
	for _, kind := range []Kind{Subuid, Subgid} {
		f := a.files[kind]
		if f == nil {
			continue
		}
		start := firstSubID
		for _, e := range f.Entries() {
			if e.Name() == user {
				start = -1
				break
			}
			if from, ok := e.Number(1); ok {
				if count, ok := e.Number(2); ok {
					start = max(start, from+count)
				}
			}
		}
		if start > 0 {
			f.Add(Entry{user, strconv.Itoa(start), strconv.Itoa(subIDCount)})
		}
	}
}

// isDir tells whether a name is a directory itself, not a link to one.
func isDir(root FS, name string) (exists, dir bool) {
	info, err := root.Lstat(name)
	return err == nil, err == nil && info.Mode()&fs.ModeType == fs.ModeDir
}
