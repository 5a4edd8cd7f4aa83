// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"path"
	"path/filepath"
	"strconv"
)

// Work is a system that a transaction is building, read-write. It ends by Seal
// or by Discard; a crash in between leaves it to Recover.
type Work struct {
	store *Store
	id    int
	base  int
}

// Journal is what a work folder says of itself to whoever finds it.
type Journal struct {
	Reason string `json:"reason"`
	Base   int    `json:"base"`
	Began  string `json:"began"`
}

// Begin opens a transaction on node base, or on an empty tree where base is 0.
// The journal is durable before anything else is made.
func (s *Store) Begin(base int, reason string) (*Work, error) {
	if base != 0 {
		if _, err := s.Get(base); err != nil {
			return nil, err
		}
	}
	id, err := s.Count(func(st *State) *int { return &st.Work })
	if err != nil {
		return nil, err
	}
	w := &Work{store: s, id: id, base: base}
	if err := s.Files.MkdirAll(w.name(), 0o700); err != nil {
		return nil, err
	}
	journal, err := encode(Journal{Reason: reason, Base: base, Began: s.Now().UTC().Format("2006-01-02T15:04:05Z")})
	if err != nil {
		return nil, err
	}
	if err := s.Files.WriteFile(path.Join(w.name(), "journal.json"), journal, 0o600); err != nil {
		return nil, err
	}
	if base == 0 {
		err = s.Subvols.Create(w.Root())
	} else {
		err = s.Subvols.Snapshot(s.Root(base), w.Root(), false)
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Work) name() string { return path.Join(workDir, strconv.Itoa(w.id)) }

// Base is the number of the node that the work started from, 0 for none.
func (w *Work) Base() int { return w.base }

// Root is the absolute path of the tree being built.
func (w *Work) Root() string {
	return filepath.Join(w.store.Top, filepath.FromSlash(w.name()), "root")
}

// Seal makes the work a node. Number, UUID, Parent and Created of n are set
// here. No process may hold a file of the work open for writing any more: a
// descriptor opened before still writes into a sealed subvolume's source, and
// what it writes after the snapshot is lost.
func (w *Work) Seal(n Node) (Node, error) {
	s := w.store
	number, err := s.Count(func(st *State) *int { return &st.Node })
	if err != nil {
		return n, err
	}
	n.Number, n.Parent, n.Created = number, w.base, s.Now().UTC()
	if n.UUID, err = s.NewUUID(); err != nil {
		return n, err
	}
	if err := s.Files.MkdirAll(path.Join(nodesDir, strconv.Itoa(number)), 0o755); err != nil {
		return n, err
	}
	if err := s.Subvols.Snapshot(w.Root(), s.Root(number), true); err != nil {
		return n, err
	}
	// The snapshot is durable, the new directory that holds it not yet.
	if err := s.Subvols.Sync(s.Top); err != nil {
		return n, err
	}
	if err := s.writeNode(n); err != nil {
		return n, err
	}
	return n, w.Discard()
}

// Discard throws the work away. Calling it after Seal or twice does nothing.
func (w *Work) Discard() error {
	return w.store.dropFolder(w.name())
}
