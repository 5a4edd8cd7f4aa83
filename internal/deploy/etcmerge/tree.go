// SPDX-License-Identifier: GPL-3.0-or-later

// Package etcmerge merges three states of /etc: the pristine one that the
// running node shipped (base), the live one, and the pristine one of the node
// to come (next).
//
// A merge is worked out on values: Tree holds what is compared (type, mode,
// owner, extended attributes, content; never times), Merge returns the list of
// changes that turn the live tree into the merged one, and the conflicts. The
// package touches no file; who reads and writes trees gives the content of a
// file through Source.
//
// The rules, for every path:
//
//	live = base           take next (also its absence)
//	next = base           keep live (also its absence)
//	live = next           keep live
//	both changed          merge field by field; text line by line; account
//	                      files by key; else keep live, lay next beside it as
//	                      <path>.rastnew and report a conflict
//	deleted live, changed in next   stays deleted, reported
//	changed live, gone in next      stays, reported
//	different types       a Clash, found before anything is written
//
// machine-id, SSH host keys, adjtime and keytabs always stay as they are live.
package etcmerge

import (
	"io/fs"
	"maps"
)

// Entry is one file of a tree as far as a merge looks at it.
type Entry struct {
	Type   fs.FileMode       // type bits only; 0 is a regular file
	Perm   fs.FileMode       // permission, setuid, setgid and sticky bits
	UID    int               // owner
	GID    int               // group
	Link   string            // target of a symbolic link
	Digest string            // of a regular file's content; any stable digest
	Size   int64             // of a regular file's content, bytes
	Xattrs map[string]string // extended attributes, name to value
}

// Tree maps slash-separated paths below /etc (no leading slash) to entries.
// The top directory itself is ".".
type Tree map[string]Entry

// Source reads regular files of the three trees.
type Source interface {
	// Content returns the bytes of a regular file of one side.
	Content(side Side, path string) ([]byte, error)
}

// Side names one of the three trees.
type Side int

// The three sides of a merge.
const (
	Base Side = iota
	Live
	Next
)

func (s Side) String() string {
	return [...]string{"base", "live", "next"}[s]
}

func sameMeta(a, b Entry) bool {
	return a.Perm == b.Perm && a.UID == b.UID && a.GID == b.GID && maps.Equal(a.Xattrs, b.Xattrs)
}

func sameContent(a, b Entry) bool {
	return a.Type == b.Type && a.Link == b.Link && a.Digest == b.Digest
}

func same(a, b Entry) bool { return sameContent(a, b) && sameMeta(a, b) }

// lookup is a map look-up that tells absence apart from a zero entry.
type lookup struct {
	Entry
	ok bool
}

func (t Tree) at(path string) lookup {
	e, ok := t[path]
	return lookup{e, ok}
}

func (a lookup) equal(b lookup) bool {
	if !a.ok || !b.ok {
		return a.ok == b.ok
	}
	return same(a.Entry, b.Entry)
}
