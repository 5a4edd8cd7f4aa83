// SPDX-License-Identifier: GPL-3.0-or-later

// Package node keeps the tree of nodes: sealed, read-only snapshots of whole
// systems in the folder @rastos of a btrfs file system's top level.
//
//	@rastos/state.json            counters, never reused, durable before use
//	@rastos/nodes/<id>/root       the sealed tree
//	@rastos/nodes/<id>/node.json  what is known of it; without it the node does not exist
//	@rastos/work/<tx>/root        what a transaction is building; garbage after a crash
//	@rastos/work/<tx>/etc         an /etc beside it, of a tree that only this boot sees
//	@rastos/work/<tx>/lock        held by the process that works there
//	@rastos/work/<tx>/commit.json several nodes that come to be at once
//
// A node comes to be in this order, so that a power cut leaves either no node
// or a whole one: read-write snapshot of the base into work, changes there,
// file system synced, read-only snapshot straight into nodes/<id> (a read-only
// subvolume cannot be moved), node.json written by rename. Several that belong
// together are a Batch: sealed one by one, and there by one rename. Recover
// finishes a batch whose rename was made, and removes what else a cut left.
//
// A change of a node makes another one that replaces it: so a branch of the tree
// has versions, and an alias leads to its newest. Which nodes a change of a whole
// subtree is about, Tree works out.
package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Folder is the directory of rastOS below the top level of the file system.
const Folder = "@rastos"

// Node describes one sealed system. Number is for people and names the
// folder, UUID is for machines; neither is ever reused.
type Node struct {
	Number   int       `json:"number"`
	UUID     string    `json:"uuid"`
	Origin   string    `json:"origin,omitempty"`   // UUID of the node that it was received from
	Parent   int       `json:"parent,omitempty"`   // 0: a root of the tree
	Replaces int       `json:"replaces,omitempty"` // the node that this is a newer version of
	Label    string    `json:"label,omitempty"`
	Alias    string    `json:"new_alias,omitempty"` // asked for when it was made, and not in State yet
	Pinned   bool      `json:"pinned,omitempty"`    // never deleted to make room
	Reason   string    `json:"reason"`              // the command or story that made it
	Created  time.Time `json:"created"`
	Manifest string    `json:"manifest,omitempty"` // sha256 of the manifest it was made from
	Packages string    `json:"packages,omitempty"` // sha256 of the sorted "name version" lines
	Count    int       `json:"package_count"`
	Kernel   string    `json:"kernel,omitempty"` // release, as in usr/lib/modules/<release>
	Files    bool      `json:"files,omitempty"`  // not only packages made it differ from what it replaces
	Taken    bool      `json:"taken,omitempty"`  // a picture of a running system: kept as long as [snapshots] keep says
	Doomed   bool      `json:"doomed,omitempty"` // being deleted: there is no way back
	With     int       `json:"with,omitempty"`   // the deployment that it came with and goes with, as long as that has no boot entry
	Owned    bool      `json:"owned,omitempty"`  // made for a deployment: it goes when the last one that runs it does
}

// Identity is the same on all machines that have this very tree by sending.
func (n Node) Identity() string {
	if n.Origin != "" {
		return n.Origin
	}
	return n.UUID
}

// Subvolumes is what a Store needs of btrfs. Paths are absolute.
type Subvolumes interface {
	Create(path string) error
	Snapshot(src, dst string, readOnly bool) error
	Delete(path string) error
	Sync(path string) error
	IsSubvolume(path string) (bool, error)
	// Below lists the subvolumes inside one, deepest first.
	Below(path string) ([]string, error)
}

// Files is what a Store needs of the folder @rastos. Names are slash-separated
// and relative to the top level. WriteFile is atomic and durable on return:
// temporary file, fsync, rename, fsync of the directory.
type Files interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	ReadDir(name string) ([]fs.DirEntry, error)
	Lstat(name string) (fs.FileInfo, error)
	RemoveAll(name string) error
}

// NotFoundError says that no node has the number.
type NotFoundError struct{ Number int }

func (e *NotFoundError) Error() string { return fmt.Sprintf("there is no node %d", e.Number) }

// Hint says where to look.
func (e *NotFoundError) Hint() string { return "rastos snapshot tree lists the nodes" }

// ErrNoState is returned where a top level holds no rastOS system.
var ErrNoState = errors.New("no rastOS system is on this file system (it has no @rastos/state.json)")

// State holds the counters. The next numbers are handed out, then written.
type State struct {
	Node       int `json:"node"`       // number of the newest node
	Deployment int `json:"deployment"` // number of the newest deployment
	Work       int `json:"work"`       // number of the newest transaction

	// Aliases are names that people gave to nodes. One leads to the newest
	// version of its node.
	Aliases map[string]int `json:"aliases,omitempty"`
}

func decode(data []byte, into any, what string) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

func encode(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}
