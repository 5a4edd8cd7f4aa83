// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"archive/tar"
	"context"
	"fmt"
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

// again stages what was left in its place and is no longer as it was then: a
// hook or a scriptlet that ran since has changed it or taken it away, and the
// package brings it. It is on the disk before the journal speaks of it.
//
// What one package's scriptlet does to the files of another is not in the
// journal: when a cut comes right after that, it stays as it is, until the
// other package is installed again.
func (r *runner) again(ctx context.Context, h *header, p *stagedPackage) (changed bool, err error) {
	temps := map[string]string{}
	for i := range p.left {
		if l := &p.left[i]; !r.tree.IsLeft(l) {
			dir, _ := rootfs.SplitPath(l.Path)
			temps[l.Path] = path.Join(dir, fmt.Sprintf("%s%s-again-%x-%x", tempPrefix, h.ID, p.Step, i))
		}
	}
	if len(temps) == 0 {
		return false, nil
	}
	a := r.archives[p.Step-len(h.Remove)]
	_, err = r.unpack(context.WithoutCancel(ctx), a, func(h *tar.Header) (extract.Decision, error) {
		name, _, err := a.listed(h)
		temp := temps[name]
		return extract.Decision{Skip: temp == "", As: temp}, err
	})
	if err != nil {
		return false, err
	}
	p.Files = slices.DeleteFunc(p.Files, func(f stagedFile) bool { return f.Keep != nil && temps[f.Path] != "" })
	kept := p.left[:0]
	for _, l := range p.left {
		if temp := temps[l.Path]; temp != "" {
			p.Files = append(p.Files, stagedFile{Path: l.Path, Temp: temp, Plain: true})
		} else {
			kept = append(kept, l)
		}
	}
	p.left = kept
	if r.env.unsynced {
		return true, nil
	}
	return true, flushAll(r.env, r.tree, r.local.Dir(), h.Dirs)
}
