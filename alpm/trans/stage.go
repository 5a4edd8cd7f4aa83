// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/journal"
	"github.com/rastos/rastos/alpm/scriptlet"
	"github.com/rastos/rastos/alpm/trans/rootfs"
	"golang.org/x/sync/errgroup"
)

// tempPrefix begins all temporary names; no package has it.
const tempPrefix = ".rastos-"

// stager brings the files of all packages of a plan beside where they belong.
type stager struct {
	*runner
	head   *header
	log    *journal.Log
	number atomic.Uint64
	// taken are paths that are no directory in some package of the plan, where
	// packages overlap: a directory of that name is made when its turn comes.
	taken map[string]bool
	at    map[string]spot // by directory as written
	// owners counts the packages that have a file now and change or go.
	owners map[string]int
}

// stage writes everything of the plan that is new to the disk, leaving what is
// there as it is. When it fails, what it did is to be taken back by undo.
func (r *runner) stage(ctx context.Context) (*stager, error) {
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	s := &stager{runner: r, at: map[string]spot{}, head: &header{
		Version: journalVersion, ID: hex.EncodeToString(id), Options: r.opt, NoUpgrade: r.env.NoUpgrade, NoExtract: r.env.NoExtract,
		Packages: len(r.archives), Change: r.change, Teachers: r.teachers,
	}}
	for _, rm := range r.plan.Remove {
		s.head.Remove = append(s.head.Remove, removalStep{
			Name: rm.Package.Name, Version: rm.Package.Version, Pending: r.isReplaced(rm.Package.Name)})
	}
	if !r.opt.DBOnly {
		s.countOwners()
		if err := s.survey(); err != nil {
			return nil, err
		}
	}
	var err error
	if s.log, err = journal.Create(r.env.journalPath()); err != nil {
		return nil, err
	}
	s.log.Step = r.env.step
	if err := errors.Join(s.log.Append(kindBegin, s.head), s.log.Sync()); err != nil {
		return s, err
	}
	if !r.opt.DBOnly {
		if err := s.makeDirectories(ctx); err != nil {
			return s, err
		}
	}
	if err := s.packages(ctx); err != nil {
		return s, err
	}
	r.decoders = newDecoders() // used ones keep some ten megabytes each
	return s, s.flush()
}

// makeDirectories makes all new directories, in the order of the plan: the
// first package that has one decides on its owner and mode.
func (s *stager) makeDirectories(ctx context.Context) error {
	made := map[string]bool{}
	for _, m := range s.head.Made {
		made[m.Path] = true
	}
	if len(made) == 0 {
		return nil
	}
	for _, a := range s.archives {
		var list []tar.Header
		for _, h := range a.dirEntries {
			if dir := strings.TrimSuffix(h.Name, "/"); made[dir] && !s.noExtract.match(h.Name) {
				list = append(list, h)
			}
		}
		_, err := s.root.Package(context.WithoutCancel(ctx), &headers{list: list}, func(*tar.Header) (extract.Decision, error) {
			return extract.Decision{}, s.env.step("mkdir")
		})
		if err != nil {
			return s.failed("stage", a.info.Name, err)
		}
	}
	return nil
}

// packages stages them side by side, the largest first so that the last worker
// is not left alone with it.
func (s *stager) packages(ctx context.Context) error {
	order := make([]int, len(s.archives))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(s.archives[y].size, s.archives[x].size) })
	s.staged = make([]*stagedPackage, len(s.archives))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.env.workers())
	var mu sync.Mutex // keeps the events in the order of their numbers
	done := int64(0)
	for _, i := range order {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			a := s.archives[i]
			if gctx.Err() != nil {
				return nil // the first error is told by who had it
			}
			p, err := s.one(gctx, i, a)
			if err != nil {
				return s.failed("stage", a.info.Name, err)
			}
			s.staged[i] = p
			mu.Lock()
			defer mu.Unlock()
			done++
			s.tell(Event{Kind: EventStage, Name: a.info.Name, Done: done, Total: int64(len(s.archives))})
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("stage packages: %w", context.Cause(ctx))
	}
	return nil
}

// one stages one package.
func (s *stager) one(ctx context.Context, i int, a *archive) (*stagedPackage, error) {
	p := &stagedPackage{Step: len(s.head.Remove) + i, Name: a.info.Name, Version: a.info.Version}
	if old := s.old[a.info.Name]; old != nil {
		p.Old = old.Version
	}
	if before := s.local.Package(a.info.Name); before != nil {
		p.Before = before.Version
	}
	for _, rm := range s.head.Remove {
		if rm.Pending && slices.Contains(a.step.Replaces, rm.Name) && !s.comesBack(rm.Name) {
			p.Replaces = append(p.Replaces, rm)
		}
	}
	sums := a.mtreeMD5
	if !s.opt.DBOnly {
		j := &staging{stager: s, a: a, p: p}
		res, err := s.unpack(ctx, a, j.decide)
		if err != nil {
			return nil, err
		}
		for path, sum := range res.MD5 {
			sums[path] = sum
		}
		p.warnings = extractWarnings(a.info.Name, res)
		p.leave(res.Same)
		p.unlink(res.Unlinked)
		if s.scriptletsRun() || s.hooksRun() {
			if p.Archive, err = sourceOf(a); err != nil {
				return nil, err
			}
		} else {
			p.left = nil // nobody will ask
		}
	}
	entry, extra := s.entry(a, sums)
	for name := range extra {
		p.Extra = append(p.Extra, name)
	}
	sort.Strings(p.Extra)
	p.entry = entry
	if err := s.local.Stage(entry, extra); err != nil {
		return nil, err
	}
	return p, s.log.Append(kindStaged, p)
}

// comesBack tells whether a package that is replaced is installed all the same,
// as somebody's dependency.
func (s *stager) comesBack(name string) bool {
	return slices.ContainsFunc(s.archives, func(a *archive) bool { return a.info.Name == name })
}

// staging decides where each file of one package is staged.
type staging struct {
	*stager
	a *archive
	p *stagedPackage
}

func (j *staging) decide(h *tar.Header) (extract.Decision, error) {
	if err := j.env.step("stage"); err != nil {
		return extract.Decision{}, err
	}
	name, listed, err := j.a.listed(h)
	if err != nil || j.noExtract.match(listed) {
		return extract.Decision{Skip: true, Gone: j.takenOut(j.old[j.p.Name], listed)}, err
	}
	f := stagedFile{Path: name}
	if h.Typeflag == tar.TypeDir {
		at := j.at[name]
		f.Dir = attrOf(h)
		f.Late = at.late
		f.Unlink = at.late && j.linkGoes(name)
		j.p.Files = append(j.p.Files, f)
		return extract.Decision{Skip: at.late}, nil
	}
	dir, _ := rootfs.SplitPath(name)
	at, known := j.at[dir]
	if !known && dir != "" {
		return extract.Decision{}, fmt.Errorf("%s: its directory was not looked at", name)
	}
	if dir == "" {
		at.dir = "."
	}
	f.Temp = path.Join(at.dir, fmt.Sprintf("%s%s-%x", tempPrefix, j.head.ID, j.number.Add(1)))
	f.Link, f.Plain = h.Linkname, h.Typeflag != tar.TypeSymlink && h.Typeflag != tar.TypeLink
	same := f.Plain && at.dir == cmp.Or(dir, ".") && !at.new && !at.late && j.stays(name)
	if same {
		f.attr = attrOf(h)
	}
	j.p.Files = append(j.p.Files, f)
	return extract.Decision{As: f.Temp, MD5: j.a.backup[name], Same: same}, nil
}

// stays tells whether a file may be left where it is if it is right: it is the
// installed version's, and nothing else of the transaction is about its path.
func (j *staging) stays(name string) bool {
	old := j.old[j.p.Name]
	if old == nil || j.check.overlap || j.scriptletsRun() && scriptlet.Defines(j.a.scriptlet(), scriptlet.PreUpgrade) || j.owners[name] != 1 || !listHas(old.Files, name) || j.a.backup[name] || j.noUpgrade.match(name) {
		return false
	}
	_, was := backupSum(old, name)
	return !was
}

// leave takes the files out that need not be written, but for those whose
// owner, mode or time is another: these are set at the switch.
func (p *stagedPackage) leave(same []extract.Left) {
	is := make(map[string]*extract.Left, len(same))
	for i := range same {
		is[same[i].Path] = &same[i]
	}
	p.left = same
	kept := p.Files[:0]
	for _, f := range p.Files {
		if l := is[f.Path]; l != nil {
			if f.attr.Is(l) {
				continue
			}
			f.Temp, f.Keep, f.Inode = "", f.attr, rootfs.InodeOf(l.Inode, l.Size)
		}
		kept = append(kept, f)
	}
	p.Files = kept
}

// unlink takes the places out of hard links that could not be made.
func (p *stagedPackage) unlink(list []extract.Unlinked) {
	for _, l := range list {
		for i := range p.Files {
			if f := &p.Files[i]; f.Path == entryPath(l.Path) {
				f.Temp, f.Unlinked = "", true
			}
		}
	}
}

func attrOf(h *tar.Header) *rootfs.Attr {
	return &rootfs.Attr{Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid, Time: h.ModTime.UnixNano()}
}

// countOwners counts how many of the packages that change have a file.
func (s *stager) countOwners() {
	s.owners = map[string]int{}
	count := func(p *desc.Package) {
		for _, f := range p.Files {
			if !strings.HasSuffix(f, "/") {
				s.owners[f]++
			}
		}
	}
	for _, p := range s.old {
		count(p)
	}
	for _, p := range s.check.removed {
		count(p)
	}
}

// flush makes everything that was staged last.
func (s *stager) flush() error {
	if err := s.env.step("flush"); err != nil {
		return err
	}
	if s.env.unsynced {
		return nil
	}
	return flushAll(s.env, s.tree, s.local.Dir(), s.head.Dirs)
}
