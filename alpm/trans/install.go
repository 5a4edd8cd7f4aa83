// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"archive/tar"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/scriptlet"
	"github.com/rastos/rastos/alpm/trans/rootfs"
	"golang.org/x/sync/errgroup"
)

// installOne installs or upgrades one package with all that belongs to it.
func (r *runner) installOne(ctx context.Context, a *archive) error {
	op, kind, before, after := "install", EventInstall, scriptlet.PreInstall, scriptlet.PostInstall
	versions := []string{a.info.Version}
	if old := r.old[a.info.Name]; old != nil {
		op, kind, before, after = "upgrade", EventUpgrade, scriptlet.PreUpgrade, scriptlet.PostUpgrade
		versions = append(versions, old.Version)
	}
	if ctx.Err() != nil {
		return r.failed(op, a.info.Name, context.Cause(ctx))
	}
	r.tell(Event{Kind: kind, Name: a.info.Name, Text: strings.Join(versions, " "), Done: int64(r.done + 1), Total: int64(r.total)})
	if err := r.script(ctx, a.info.Name, a.scriptlet(), before, versions...); err != nil {
		return r.failed(op, a.info.Name, err)
	}
	// Files that were begun are finished: half a package is worse than late.
	// A scriptlet can be interrupted, for it may hang.
	if err := r.place(context.WithoutCancel(ctx), a, r.tree); err != nil {
		return r.failed(op, a.info.Name, err)
	}
	n := r.finished()
	r.tell(Event{Kind: kind, Name: a.info.Name, Done: int64(n), Total: int64(r.total), Finished: true})
	if err := r.script(ctx, a.info.Name, a.scriptlet(), after, versions...); err != nil {
		return r.failed(op, a.info.Name, err)
	}
	return nil
}

// place brings the files of a package and its database entry, in this order.
func (r *runner) place(ctx context.Context, a *archive, t *rootfs.Tree) error {
	old := r.old[a.info.Name]
	sums := a.mtreeMD5
	if !r.opt.DBOnly {
		t.Forget() // the package before made directories
		if old != nil {
			if err := r.clearWay(a, old, t); err != nil {
				return err
			}
		}
		res, err := r.extract(ctx, a, old, t)
		if err != nil {
			return err
		}
		for path, sum := range res.MD5 {
			sums[path] = sum
		}
		a.unlinked = res.Unlinked
		if err := r.unlinked(a.info, old, res.Unlinked); err != nil {
			return err
		}
		if old != nil {
			t.Forget()
			if err := r.removeObsolete(a, old); err != nil {
				return err
			}
		}
	}
	if err := r.record(a, old, sums); err != nil {
		return err
	}
	return r.forgetReplaced(a.step)
}

// extract writes the files of a package.
func (r *runner) extract(ctx context.Context, a *archive, old *desc.Package, t *rootfs.Tree) (extract.Result, error) {
	j := &placing{runner: r, a: a, old: old, tree: t}
	res, err := r.unpack(ctx, a, j.decide)
	for _, e := range append(j.events, extractWarnings(a.info.Name, res)...) {
		r.tell(e)
	}
	return res, err
}

// unpack extracts the verified archive of a package.
func (r *runner) unpack(ctx context.Context, a *archive, decide extract.Policy) (extract.Result, error) {
	f, err := a.openVerified()
	if err != nil {
		return extract.Result{}, err
	}
	defer f.Close()
	src, err := r.decoders.open(a, f)
	if err != nil {
		return extract.Result{}, err
	}
	defer src.Close()
	return r.root.Package(ctx, src, decide)
}

// extractWarnings words what an extraction left as it was.
func extractWarnings(name string, res extract.Result) []Event {
	var out []Event
	for _, d := range res.DirModes {
		out = append(out, dirModeWarning(name, d.Path, d.Have, d.Want))
	}
	for _, d := range res.DirOwners {
		out = append(out, Event{Kind: EventWarning, Name: name, Path: d.Path, About: AboutDirOwner,
			Args: []string{strconv.Itoa(d.HaveUID), strconv.Itoa(d.HaveGID), strconv.Itoa(d.WantUID), strconv.Itoa(d.WantGID)},
			Text: fmt.Sprintf("the directory keeps its owner %d:%d; the package has %d:%d", d.HaveUID, d.HaveGID, d.WantUID, d.WantGID)})
	}
	for _, l := range res.Unlinked {
		out = append(out, Event{Kind: EventWarning, Name: name, Path: l.Path, About: AboutHardLink, Args: []string{l.Target},
			Text: fmt.Sprintf("%s is left out: it is another name of %s, which was not extracted", l.Path, l.Target)})
	}
	for _, w := range res.Warnings {
		out = append(out, Event{Kind: EventWarning, Name: name, Text: w})
	}
	return out
}

func dirModeWarning(pkg, path string, has, wants uint32) Event {
	have, want := fmt.Sprintf("%o", has), fmt.Sprintf("%o", wants)
	return Event{Kind: EventWarning, Name: pkg, Path: path, About: AboutDirMode, Args: []string{have, want},
		Text: fmt.Sprintf("the directory keeps its mode %s; the package has %s", have, want)}
}

// record writes the entry in the local database, which makes the package
// count as installed.
func (r *runner) record(a *archive, old *desc.Package, sums map[string]string) error {
	p, extra := r.entry(a, sums)
	r.mu.Lock() // packages may be written side by side
	r.dirs.replace(p)
	r.mu.Unlock()
	if old != nil || r.pending[p.Name] {
		delete(r.pending, p.Name) // replaced, and back as somebody's dependency
		return r.local.Update(p, extra)
	}
	return r.local.Add(p, extra)
}

// entry is what the database will say of a package, and the files beside that.
func (r *runner) entry(a *archive, sums map[string]string) (*desc.Package, map[string][]byte) {
	p := *a.info
	p.Filename, p.CompressedSize, p.MD5, p.SHA256, p.PGPSig = "", 0, "", "", ""
	p.MakeDepends, p.CheckDepends = nil, nil
	p.Files = a.files
	p.InstallDate = r.env.now().Unix()
	p.Reason = a.step.Reason
	p.Validation = a.proof.validation
	p.Backup = slices.Clone(a.info.Backup)
	for i := range p.Backup {
		p.Backup[i].MD5 = sums[p.Backup[i].Path]
	}
	extra := map[string][]byte{}
	for name, file := range map[string]string{".MTREE": "mtree", ".INSTALL": "install", ".CHANGELOG": "changelog"} {
		if b := a.meta[name]; b != nil {
			extra[file] = b
		}
	}
	return &p, extra
}

// installParallel extracts new packages side by side, the largest first so
// that the last worker is not left alone with it, and runs their post_install
// scriptlets afterwards in the order of the plan.
func (r *runner) installParallel(ctx context.Context) error {
	if err := r.makeDirectories(ctx); err != nil {
		return err
	}
	bySize := slices.Clone(r.archives)
	slices.SortStableFunc(bySize, func(x, y *archive) int { return cmp.Compare(y.size, x.size) })
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.env.workers())
	for _, a := range bySize {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return r.extractOne(gctx, a) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("install packages (%d of %d were done): %w", r.done, r.total, context.Cause(ctx))
	}
	return r.postInstall(ctx)
}

func (r *runner) extractOne(ctx context.Context, a *archive) error {
	if ctx.Err() != nil {
		return nil // the first error is told by who had it
	}
	r.tell(Event{Kind: EventInstall, Name: a.info.Name, Text: a.info.Version, Total: int64(r.total)})
	t, err := rootfs.Open(r.env.Root) // a tree remembers, so it is one goroutine's
	if err != nil {
		return r.failed("install", a.info.Name, err)
	}
	defer t.Close()
	if err := r.place(context.WithoutCancel(ctx), a, t); err != nil {
		return r.failed("install", a.info.Name, err)
	}
	r.tell(Event{Kind: EventInstall, Name: a.info.Name, Done: int64(r.finished()), Total: int64(r.total), Finished: true})
	return nil
}

// makeDirectories makes all directories first, in the order of the plan, if
// packages do not agree on one: the first of them decides on its owner and
// mode, and that must not depend on which worker is faster.
func (r *runner) makeDirectories(ctx context.Context) error {
	if agreeOnDirectories(r.archives) {
		return nil
	}
	for _, a := range r.archives {
		src := &headers{list: a.dirEntries}
		_, err := r.root.Package(context.WithoutCancel(ctx), src, func(h *tar.Header) (extract.Decision, error) {
			return extract.Decision{Skip: r.noExtract.match(h.Name)}, nil
		})
		if err != nil {
			return r.failed("install", a.info.Name, err)
		}
	}
	return nil
}

// agreeOnDirectories also asks that every package lists the directories of its
// files, since those that it does not are made with a default mode.
func agreeOnDirectories(archives []*archive) bool {
	type attr struct{ mode, uid, gid int64 }
	have := map[string]attr{}
	for _, a := range archives {
		for i := range a.dirEntries {
			h := &a.dirEntries[i]
			want := attr{h.Mode, int64(h.Uid), int64(h.Gid)}
			if got, ok := have[h.Name]; ok && got != want {
				return false
			}
			have[h.Name] = want
		}
		last := ""
		for _, f := range a.files {
			dir, _ := rootfs.SplitPath(f)
			if dir != "" && dir != last && !a.has(dir+"/") {
				return false
			}
			last = dir
		}
	}
	return true
}

// headers is an archive of entries without content.
type headers struct {
	list []tar.Header
}

func (s *headers) Next() (*tar.Header, error) {
	if len(s.list) == 0 {
		return nil, io.EOF
	}
	h := &s.list[0]
	s.list = s.list[1:]
	return h, nil
}

func (s *headers) Read([]byte) (int, error) { return 0, io.EOF }
