// SPDX-License-Identifier: GPL-3.0-or-later

package compare

import (
	"fmt"
	"path"
	"strings"

	"github.com/rastos/rastos/btrfs/stream"
)

// entry is what a name leads to, as far as the stream has come.
type entry struct {
	origin  string // its path before; of none where made
	made    bool   // by the stream
	touched bool   // something of it
	data    bool   // what it contains
	kids    map[string]*entry
	// A kid that is nil is gone. One that is not listed is as it was before,
	// where the directory was there before; in a new one there is none.
}

// ledger follows names through a stream: it renames directories and puts files
// aside under names that no tree ever had.
type ledger struct {
	root entry
	gone map[string]bool // paths of before whose entry was moved or deleted
}

func newLedger() *ledger {
	return &ledger{root: entry{kids: map[string]*entry{}}, gone: map[string]bool{}}
}

// kid finds a name in a directory; nil: there is none.
func (e *entry) kid(name string) *entry {
	if k, listed := e.kids[name]; listed || e.made {
		return k
	}
	k := &entry{origin: path.Join(e.origin, name)}
	e.put(name, k)
	return k
}

func (e *entry) put(name string, k *entry) {
	if e.kids == nil {
		e.kids = map[string]*entry{}
	}
	e.kids[name] = k
}

// find follows a path.
func (l *ledger) find(p string) (*entry, error) {
	e := &l.root
	if p == "" {
		return e, nil
	}
	for name := range strings.SplitSeq(p, "/") {
		if e = e.kid(name); e == nil {
			return nil, fmt.Errorf("compare: the stream names %q, which is not there", p)
		}
	}
	return e, nil
}

// parent finds the directory of a path.
func (l *ledger) parent(p string) (*entry, string, error) {
	dir, name := path.Split(p)
	e, err := l.find(strings.TrimSuffix(dir, "/"))
	return e, name, err
}

// take removes a name.
func (l *ledger) take(p string) (*entry, error) {
	dir, name, err := l.parent(p)
	if err != nil {
		return nil, err
	}
	e := dir.kid(name)
	if e == nil {
		return nil, fmt.Errorf("compare: the stream takes away %q, which is not there", p)
	}
	dir.put(name, nil)
	if !e.made {
		l.gone[e.origin] = true
	}
	return e, nil
}

// give puts an entry under a name, over whatever has it.
func (l *ledger) give(p string, e *entry) error {
	dir, name, err := l.parent(p)
	if err != nil {
		return err
	}
	if !dir.made {
		l.gone[path.Join(dir.origin, name)] = true // if it was there: a look will tell
	}
	if old := dir.kids[name]; old != nil && !old.made {
		l.gone[old.origin] = true
	}
	dir.put(name, e)
	return nil
}

// note takes down one command.
func (l *ledger) note(c *stream.Command) error {
	switch c.Kind {
	case stream.Mkfile, stream.Mkdir, stream.Mknod, stream.Mkfifo, stream.Mksock, stream.Symlink:
		return l.give(c.Path, &entry{made: true, data: true})
	case stream.Rename:
		e, err := l.take(c.Path)
		if err != nil {
			return err
		}
		return l.give(c.PathTo, e)
	case stream.Link:
		e, err := l.find(c.PathLink)
		if err != nil {
			return err
		}
		e.touched = true
		return l.give(c.Path, e)
	case stream.Unlink, stream.Rmdir:
		_, err := l.take(c.Path)
		return err
	case stream.Utimes, stream.Subvol, stream.Snapshot, stream.End:
		return nil
	}
	e, err := l.find(c.Path)
	if err != nil {
		return err
	}
	e.touched = true
	switch c.Kind {
	case stream.Write, stream.EncodedWrite, stream.Clone, stream.Truncate, stream.Fallocate, stream.UpdateExtent:
		e.data = true
	}
	return nil
}

// candidate is a path of either tree that has to be looked at.
type candidate struct {
	data bool   // what it contains may differ though the inode is the same
	from string // of one that moved: its path before
}

// candidates lists all paths, of before and of now. below lists the names in a
// directory of before; none, for what is no directory.
func (l *ledger) candidates(below func(dir string) ([]string, error)) (map[string]candidate, error) {
	out := map[string]candidate{}
	for p := range l.gone {
		out[p] = candidate{}
	}
	err := l.walk(&l.root, "", below, out)
	return out, err
}

func (l *ledger) walk(e *entry, p string, below func(string) ([]string, error), out map[string]candidate) error {
	moved := !e.made && e.origin != p
	if e.touched || e.made || moved {
		c := candidate{data: e.data}
		if moved {
			c.from = e.origin
			if _, known := out[e.origin]; !known {
				out[e.origin] = candidate{}
			}
		}
		out[p] = c
	}
	if moved {
		// What is below has moved with it, though no command says so.
		names, err := below(e.origin)
		if err != nil {
			return err
		}
		for _, name := range names {
			e.kid(name)
		}
	}
	for name, k := range e.kids {
		if k == nil {
			continue
		}
		if err := l.walk(k, path.Join(p, name), below, out); err != nil {
			return err
		}
	}
	return nil
}
