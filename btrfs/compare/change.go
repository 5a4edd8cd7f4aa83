// SPDX-License-Identifier: GPL-3.0-or-later

package compare

import (
	"fmt"
	"strconv"
)

// Op is what happened to a path.
type Op string

// The differences of a path.
const (
	Added   Op = "added"
	Removed Op = "removed"
	Changed Op = "changed"
	Renamed Op = "renamed"
)

// Aspect is what differs in a path that both trees have.
type Aspect string

// The aspects, in the order in which they are told.
const (
	Type    Aspect = "type"
	Content Aspect = "content" // of a link its target, of a device its numbers
	Mode    Aspect = "mode"
	Owner   Aspect = "owner"
	Xattrs  Aspect = "xattrs"
)

// Perm are the permission bits with setuid, setgid and sticky; as text in octal.
type Perm uint32

// String writes it as chmod takes it.
func (p Perm) String() string { return fmt.Sprintf("%04o", uint32(p)) }

// MarshalText makes it that in JSON.
func (p Perm) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads it again.
func (p *Perm) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 12)
	*p = Perm(n)
	return err
}

// File is what is told of one side.
type File struct {
	Type string `json:"type"` // file, dir, link, fifo, socket, char, block
	Mode Perm   `json:"mode"`
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
	Size int64  `json:"size"` // bytes; of files
}

// Change is one path that differs.
type Change struct {
	Path string   `json:"path"` // relative to the subvolume, "." for itself
	Op   Op       `json:"op"`
	From string   `json:"from,omitempty"` // of a renamed one: its path before
	What []Aspect `json:"what,omitempty"`
	Was  *File    `json:"was,omitempty"`
	Is   *File    `json:"is,omitempty"`
}
