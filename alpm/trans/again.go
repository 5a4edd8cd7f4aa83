// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// allAgain is again of all packages, once the hooks have run that come before.
func (s *stager) allAgain(ctx context.Context) error {
	if !s.ran {
		return nil
	}
	s.ran = false
	for _, p := range s.staged {
		changed, err := s.again(ctx, s.head, p)
		if err == nil && changed {
			err = s.log.Append(kindStaged, p)
		}
		if err != nil {
			return s.failed("stage", p.Name, err)
		}
	}
	return nil
}

// again makes good what a hook or a scriptlet that ran since has done to what
// was prepared for a package: to files that were left in their places, and to
// those that lie beside theirs. It is on the disk before the journal speaks of
// it.
//
// When a cut comes before that, nothing tells any more how the files were. The
// recovery holds them against the archive: switcher.regain.
func (r *runner) again(ctx context.Context, h *header, p *stagedPackage) (changed bool, err error) {
	lost := r.lost(p)
	if !lost && !slices.ContainsFunc(p.left, func(l extract.Left) bool { return !r.tree.IsLeft(&l) }) {
		return false, nil
	}
	g := &restaging{runner: r, head: h, p: p, a: r.archives[p.Step-len(h.Remove)], lost: lost, word: "again"}
	return true, g.run(ctx)
}

// lost tells whether a staged file of a package has gone, with its directory
// perhaps.
func (r *runner) lost(p *stagedPackage) bool {
	return slices.ContainsFunc(p.Files, func(f stagedFile) bool {
		if f.Temp == "" {
			return false
		}
		_, err := r.tree.Lstat(f.Temp)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// restaging goes through the archive of a package once more: what has its
// content in its place is left there, and the rest is staged.
type restaging struct {
	*runner
	head *header
	p    *stagedPackage
	a    *archive
	// lost: not only is what was left looked at, but what was staged is staged
	// anew, all of it, for one of them may be another's second name.
	lost bool
	word string // part of temporary names, so that no two are the same

	beside map[string]int // in p.Files, by path
	temps  map[string]string
	plain  []stagedFile // what was left before, as it would be staged
	rooms  map[string]string

	unlinked map[string]bool // by path
}

func (g *restaging) run(ctx context.Context) error {
	g.beside, g.temps, g.rooms, g.unlinked = map[string]int{}, map[string]string{}, map[string]string{}, map[string]bool{}
	for i, f := range g.p.Files {
		switch {
		case f.Temp != "":
			g.beside[f.Path] = i
		case f.Unlinked:
			g.unlinked[f.Path] = true
		}
	}
	res, err := g.unpack(context.WithoutCancel(ctx), g.a, g.decide)
	if err != nil {
		return err
	}
	g.tree.Forget()
	if err := g.adopt(res.Same); err != nil {
		return err
	}
	if g.env.unsynced {
		return nil
	}
	return flushAll(g.env, g.tree, g.local.Dir(), g.head.Dirs)
}

func (g *restaging) decide(h *tar.Header) (extract.Decision, error) {
	name, listed, err := g.a.listed(h)
	if err != nil || g.noExtract.match(listed) {
		return extract.Decision{Skip: true, Gone: g.takenOut(g.old[g.p.Name], listed)}, err
	}
	_, beside := g.beside[name]
	if h.Typeflag == tar.TypeDir || beside && !g.lost || g.unlinked[name] {
		return extract.Decision{Skip: true}, nil
	}
	g.restaged++
	temp := path.Join(g.room(name), fmt.Sprintf("%s%s-%s-%x-%x", tempPrefix, g.head.ID, g.word, g.p.Step, g.restaged))
	if beside {
		g.temps[name] = temp
	} else {
		g.plain = append(g.plain, stagedFile{Path: name, Temp: temp, Plain: true, attr: attrOf(h)})
	}
	return extract.Decision{As: temp, Same: !beside}, nil
}

// room is the directory where a file is staged: its own or, where that is gone,
// the next one above that is looked through for what was staged.
func (g *restaging) room(name string) string {
	own, _ := rootfs.SplitPath(name)
	if at, known := g.rooms[own]; known {
		return at
	}
	at := "."
	for dir := own; dir != ""; dir, _ = rootfs.SplitPath(dir) {
		if real, err := g.tree.Dir(dir); err == nil && listHas(g.head.Dirs, real) {
			at = real
			break
		}
	}
	g.rooms[own] = at
	return at
}

// adopt makes what was found and staged the package's.
func (g *restaging) adopt(same []extract.Left) error {
	var files []stagedFile
	for _, f := range g.p.Files {
		if f.Keep != nil {
			continue
		}
		if temp := g.temps[f.Path]; temp != "" {
			if err := g.tree.Remove(f.Temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			f.Temp = temp
		}
		files = append(files, f)
	}
	g.p.Files = append(files, g.plain...)
	g.p.leave(same)
	return nil
}
