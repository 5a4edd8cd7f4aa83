// SPDX-License-Identifier: GPL-3.0-or-later

package verify

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/mtree"
)

// list is what one package should consist of: paths, or entries of its .MTREE.
type list struct {
	index   int // of the package
	p       *desc.Package
	paths   []string
	entries []mtree.Entry
	backup  func() (map[string]bool, error) // paths of its backup files, read once

	found []tally // by part
	left  atomic.Int64
}

// tally is what was found of one part.
type tally struct {
	files, altered int
	findings       []Finding
	err            error
}

func (l *list) len() int { return max(len(l.paths), len(l.entries)) }

// size is how much of a file is read.
func (l *list) size(i int) int64 {
	if l.entries == nil {
		return 0
	}
	return l.entries[i].Size
}

// result puts the parts together.
func (l *list) result() *Result {
	r := &Result{Package: l.p}
	for _, t := range l.found {
		r.Files += t.files
		r.Altered += t.altered
		r.Findings = append(r.Findings, t.findings...)
		if r.Err == nil {
			r.Err = t.err
		}
	}
	return r
}

// open reads the list of a package and gives it to all workers.
func (w *worker) open(i int) {
	p := w.c.packages[i]
	l := &list{index: i, p: p, backup: sync.OnceValues(func() (map[string]bool, error) { return w.c.backups(p) })}
	if !w.c.opt.Full {
		files, err := w.c.filesOf(p)
		if err != nil {
			w.c.done(i, &Result{Package: p, Err: err})
			return
		}
		l.paths = files.Files
		w.c.share(l)
		return
	}
	packed, err := w.c.db.Mtree(p)
	if err == nil && packed == nil {
		w.c.done(i, &Result{Package: p, NoMtree: true})
		return
	}
	if err == nil {
		if l.entries, err = mtree.Decode(bytes.NewReader(packed)); err != nil {
			err = fmt.Errorf("the .MTREE of %s: %w", p.Name, err)
		}
	}
	if err != nil {
		w.c.done(i, &Result{Package: p, Err: err})
		return
	}
	w.c.share(l)
}

// filesOf reads the list of files into a copy of the package: what one check
// needs for a moment shall not stay with the database.
func (c *check) filesOf(p *desc.Package) (*desc.Package, error) {
	if p.Files != nil || p.Backup != nil {
		return p, nil
	}
	own := *p
	if err := c.db.LoadFiles(&own); err != nil {
		return nil, err
	}
	return &own, nil
}

func (c *check) backups(p *desc.Package) (map[string]bool, error) {
	own, err := c.filesOf(p)
	if err != nil {
		return nil, err
	}
	paths := make(map[string]bool, len(own.Backup))
	for _, b := range own.Backup {
		paths[b.Path] = true
	}
	return paths, nil
}
