// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"errors"
	"io/fs"
	"path"
)

// Batch is several nodes that come to be at once: all of them, or after a crash
// before Commit none.
type Batch struct {
	work  *Work // has no tree of its own
	nodes []Node
	works []*Work
}

// Batch opens one.
func (s *Store) Batch(reason string) (*Batch, error) {
	w, err := s.beginWork(0, reason)
	if err != nil {
		return nil, err
	}
	return &Batch{work: w}, nil
}

// Copy adds a node with the very tree of another one. The answer tells its
// number, which its children may name as their parent.
func (b *Batch) Copy(from int, n Node) (Node, error) {
	if err := b.work.store.copyTo(from, &n); err != nil {
		return n, err
	}
	return b.add(n), nil
}

// add notes a node, and answers as it will be after Commit.
func (b *Batch) add(n Node) Node {
	b.nodes = append(b.nodes, n)
	n.Alias = "" // it leads to the node then
	return n
}

// Seal adds a node that was built. Work.Seal says what must not be going on.
func (b *Batch) Seal(w *Work, n Node) (Node, error) {
	if err := b.work.store.place(w.Root(), &n); err != nil {
		return n, err
	}
	b.works = append(b.works, w)
	return b.add(n), nil
}

// CommitWith is Commit of nodes that come with a deployment: until they Stand, each
// says so in its record.
func (b *Batch) CommitWith(deployment int) error {
	for i := range b.nodes {
		b.nodes[i].With = deployment
	}
	return b.Commit()
}

// Commit makes all of them exist. One file's rename decides; what is left to do
// after it, Recover would do as well.
func (b *Batch) Commit() error {
	s := b.work.store
	data, err := encode(b.nodes)
	if err != nil {
		return err
	}
	if err := s.Subvols.Sync(s.Top); err != nil {
		return err
	}
	if err := s.Files.WriteFile(commitName(b.work.id), data, 0o600); err != nil {
		return err
	}
	return b.Discard()
}

// Discard lets go of the batch and of what was built for it. After Commit only
// leftovers go, before it nothing stays.
func (b *Batch) Discard() error {
	var all error
	for _, w := range b.works {
		all = errors.Join(all, w.Discard())
	}
	if err := b.work.store.finishBatch(b.work.id); err != nil {
		b.work.release() // the next Recover has to find what is to be finished
		return errors.Join(all, err)
	}
	return errors.Join(all, b.work.Discard())
}

func commitName(id int) string { return path.Join(workName(id), "commit.json") }

// finishBatch makes the nodes of a batch that was committed exist. One that is
// there already is left alone: it may have been changed since.
func (s *Store) finishBatch(id int) error {
	data, err := s.Files.ReadFile(commitName(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var nodes []Node
	if err := decode(data, &nodes, commitName(id)); err != nil {
		return err
	}
	for _, n := range nodes {
		_, err := s.Files.Lstat(metaName(n.Number))
		if errors.Is(err, fs.ErrNotExist) {
			err = s.writeNode(n)
			if err == nil {
				err = s.adopt(&n)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
