// SPDX-License-Identifier: GPL-3.0-or-later

package verify

import (
	"context"
	"runtime"
	"strings"
	"sync"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
)

// How much of a package is given to one worker at a time: one large package
// must not leave the other processors without work.
const (
	partFiles = 2000
	partBytes = 32 << 20
)

// check is one run: workers take a part of a package whose list is read, or
// else read the list of the next package.
type check struct {
	ctx      context.Context
	stop     context.CancelFunc
	db       Database
	opt      Options
	prefix   string // the root with a slash at its end
	local    string
	root     *extract.Root
	packages []*desc.Package

	mu      sync.Mutex
	changed sync.Cond
	next    int // of packages
	parts   []part
	active  int       // workers at work, who may add parts
	results []*Result // nil until known
}

// part is some of the files of a package.
type part struct {
	list *list
	nth  int
	from int
	to   int
}

func newCheck(ctx context.Context, db Database, packages []*desc.Package, opt Options) (*check, error) {
	root, err := extract.OpenRoot(opt.Root)
	if err != nil {
		return nil, err
	}
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.NoExtract == nil {
		opt.NoExtract = func(string) bool { return false }
	}
	c := &check{
		db: db, opt: opt, root: root, packages: packages, results: make([]*Result, len(packages)),
		prefix: strings.TrimRight(opt.Root, "/") + "/", local: strings.TrimRight(opt.Local, "/") + "/",
	}
	c.ctx, c.stop = context.WithCancel(ctx)
	c.changed.L = &c.mu
	return c, nil
}

func (c *check) close() {
	c.stop()
	_ = c.root.Close()
}

// run starts the workers and reports results in order until all are known.
func (c *check) run(report func(Result) error) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	defer c.stop()
	unblock := context.AfterFunc(c.ctx, c.wake)
	defer unblock()
	for range c.opt.Workers {
		workers.Go(func() {
			w := newWorker(c)
			defer w.close()
			w.work()
		})
	}
	for i := range c.packages {
		r := c.wait(i)
		if r == nil {
			return c.ctx.Err()
		}
		if err := report(*r); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed.Broadcast()
}

// wait returns the result of a package, or nil when the run was ended.
func (c *check) wait(i int) *Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.results[i] == nil && c.ctx.Err() == nil {
		c.changed.Wait()
	}
	if c.ctx.Err() != nil { // a part that was cut short counts as done too
		return nil
	}
	r := c.results[i]
	c.results[i] = &Result{} // its findings are the reporter's now
	return r
}

// done makes a result known.
func (c *check) done(i int, r *Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.results[i] = r
	c.changed.Broadcast()
}

// work takes what there is to do until nothing is left.
func (w *worker) work() {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.ctx.Err() == nil {
		switch n := len(c.parts); {
		case n > 0:
			p := c.parts[n-1]
			c.parts = c.parts[:n-1]
			w.unlocked(func() { w.part(p) })
		case c.next < len(c.packages):
			i := c.next
			c.next++
			w.unlocked(func() { w.open(i) })
		case c.active > 0:
			c.changed.Wait()
		default:
			return
		}
	}
}

func (w *worker) unlocked(f func()) {
	c := w.c
	c.active++
	c.mu.Unlock()
	f()
	c.mu.Lock()
	c.active--
	c.changed.Broadcast()
}

// share cuts a list into parts, the first of which is taken first.
func (c *check) share(l *list) {
	var parts []part
	for from := 0; from < l.len(); {
		to, bytes := from, int64(0)
		for to < l.len() && to-from < partFiles && bytes < partBytes {
			bytes += l.size(to)
			to++
		}
		parts = append(parts, part{list: l, nth: len(parts), from: from, to: to})
		from = to
	}
	l.found = make([]tally, len(parts))
	l.left.Store(int64(len(parts)))
	if len(parts) == 0 {
		c.done(l.index, l.result())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(parts) - 1; i >= 0; i-- {
		c.parts = append(c.parts, parts[i])
	}
	c.changed.Broadcast()
}
