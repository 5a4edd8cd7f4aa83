// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"time"
)

// Work is a system that a transaction is building, read-write. It ends by Seal
// or by Discard; a crash in between leaves it to Recover.
type Work struct {
	store   *Store
	id      int
	base    int
	release func()
}

// Journal is what a work folder says of itself to whoever finds it.
type Journal struct {
	Reason string    `json:"reason"`
	Base   int       `json:"base"`
	Began  time.Time `json:"began"`
	Holder
}

// Begin opens a transaction on node base, or on an empty tree where base is 0.
// The journal is durable before anything else is made. Until the work ends, no
// other process takes it for garbage.
func (s *Store) Begin(base int, reason string) (*Work, error) {
	if base != 0 {
		if _, err := s.Get(base); err != nil {
			return nil, err
		}
	}
	w, err := s.beginWork(base, reason)
	if err != nil {
		return nil, err
	}
	if base == 0 {
		err = s.Subvols.Create(w.Root())
	} else {
		err = s.Subvols.Snapshot(s.Root(base), w.Root(), false)
	}
	if err != nil {
		w.release()
		return nil, err
	}
	return w, nil
}

// beginWork makes the folder of a transaction with its journal.
func (s *Store) beginWork(base int, reason string) (*Work, error) {
	id, err := s.Count(func(st *State) *int { return &st.Work })
	if err != nil {
		return nil, err
	}
	if err := s.Files.MkdirAll(workName(id), 0o700); err != nil {
		return nil, err
	}
	journal, err := encode(Journal{Reason: reason, Base: base, Began: s.Now().UTC().Truncate(time.Second), Holder: s.Holder})
	if err != nil {
		return nil, err
	}
	release, _, err := s.hold(id)
	if err != nil {
		return nil, err
	}
	if err := s.Files.WriteFile(path.Join(workName(id), "journal.json"), journal, 0o600); err != nil {
		release()
		return nil, err
	}
	return &Work{store: s, id: id, base: base, release: release}, nil
}

// hold locks a work folder.
func (s *Store) hold(id int) (release func(), busy bool, err error) {
	if s.Hold == nil {
		return func() {}, false, nil
	}
	return s.Hold(filepath.Join(s.Top, filepath.FromSlash(workName(id)), "lock"))
}

// Holders lists who works on a node: what they make will be its child.
func (s *Store) Holders(base int) ([]Journal, error) {
	work, err := s.numbers(workDir)
	if err != nil {
		return nil, err
	}
	var out []Journal
	for _, id := range work {
		var j Journal
		name := path.Join(workName(id), "journal.json")
		data, err := s.Files.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just ended
		}
		if err != nil {
			return nil, err
		}
		if err := decode(data, &j, name); err != nil {
			return nil, err
		}
		if j.Base != base {
			continue
		}
		release, busy, err := s.hold(id)
		if err != nil {
			return nil, err
		}
		if busy {
			out = append(out, j)
			continue
		}
		release()
	}
	return out, nil
}

func workName(id int) string { return path.Join(workDir, strconv.Itoa(id)) }

// Base is the number of the node that the work started from, 0 for none.
func (w *Work) Base() int { return w.base }

// Root is the absolute path of the tree being built.
func (w *Work) Root() string {
	return filepath.Join(w.store.Top, filepath.FromSlash(workName(w.id)), "root")
}

// Seal makes the work a node, a child of its base. Number, UUID, Parent and
// Created of n are set here, and its Alias leads to it. No process may hold a file of the work open for
// writing any more: a descriptor opened before still writes into a sealed
// subvolume's source, and what it writes after the snapshot is lost.
func (w *Work) Seal(n Node) (Node, error) {
	n.Parent = w.base
	if err := w.store.place(w.Root(), &n); err != nil {
		return n, err
	}
	if err := w.store.settle(&n); err != nil {
		return n, err
	}
	return n, w.Discard()
}

// Copy makes a node with the very tree of another one. Number, UUID and Created
// of n are set here, and what is known of the tree is taken over.
func (s *Store) Copy(from int, n Node) (Node, error) {
	if err := s.copyTo(from, &n); err != nil {
		return n, err
	}
	return n, s.settle(&n)
}

func (s *Store) copyTo(from int, n *Node) error {
	old, err := s.Get(from)
	if err != nil {
		return err
	}
	n.Manifest, n.Packages, n.Count, n.Kernel = old.Manifest, old.Packages, old.Count, old.Kernel
	return s.place(s.Root(from), n)
}

// place gives a node its number and its tree. Without node.json it is none yet.
func (s *Store) place(root string, n *Node) error {
	number, err := s.Count(func(st *State) *int { return &st.Node })
	if err != nil {
		return err
	}
	n.Number, n.Created = number, s.Now().UTC()
	if n.UUID, err = s.NewUUID(); err != nil {
		return err
	}
	if err := s.Files.MkdirAll(path.Join(nodesDir, strconv.Itoa(number)), 0o755); err != nil {
		return err
	}
	return s.Subvols.Snapshot(root, s.Root(number), true)
}

// settle writes node.json, which makes the node exist.
func (s *Store) settle(n *Node) error {
	// The snapshot is durable, the new directory that holds it not yet.
	if err := s.Subvols.Sync(s.Top); err != nil {
		return err
	}
	if err := s.writeNode(*n); err != nil {
		return err
	}
	return s.adopt(n)
}

// Leave ends the work and lets its folder be. It is garbage from then on, unless
// Hold tells that somebody else works there.
func (w *Work) Leave() { w.release() }

// Discard throws the work away. Calling it after Seal or twice does nothing.
func (w *Work) Discard() error {
	defer w.release()
	return w.store.dropFolder(workName(w.id))
}
