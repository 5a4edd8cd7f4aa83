// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/scriptlet"
)

// postInstall runs the post_install functions of packages that were extracted
// side by side, in the order of the plan. To one that is installed in its turn
// the packages after it are not there yet, so that it cannot take away anything
// of theirs: here what is missing of a package is brought back when its turn
// comes.
func (r *runner) postInstall(ctx context.Context) error {
	r.ran = false
	for _, a := range r.archives {
		if r.ran {
			if err := r.bringBack(context.WithoutCancel(ctx), a); err != nil {
				return r.failed("install", a.info.Name, err)
			}
		}
		if err := r.script(ctx, a.info.Name, a.scriptlet(), scriptlet.PostInstall, a.info.Version); err != nil {
			return r.failed("install", a.info.Name, err)
		}
	}
	return nil
}

// bringBack extracts again what is missing of a package.
func (r *runner) bringBack(ctx context.Context, a *archive) error {
	gone, err := r.missing(a)
	if err != nil || len(gone) == 0 {
		return err
	}
	if err := r.withOtherNames(a, gone); err != nil {
		return err
	}
	for _, name := range a.aside {
		if gone[name] { // its name is free now
			if err := r.tree.Remove(pacnewName(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	j := &placing{runner: r, a: a, tree: r.tree}
	_, err = r.unpack(ctx, a, func(h *tar.Header) (extract.Decision, error) {
		if !gone[entryPath(h.Name)] {
			return extract.Decision{Skip: true}, nil
		}
		return j.decide(h)
	})
	r.tree.Forget()
	for _, e := range j.events {
		r.tell(e)
	}
	return err
}

// missing are the paths of a package, without the slash of directories, that
// were extracted and are not there.
func (r *runner) missing(a *archive) (map[string]bool, error) {
	never := map[string]bool{}
	for _, l := range a.unlinked {
		never[entryPath(l.Path)] = true
	}
	gone := map[string]bool{}
	for _, listed := range a.files {
		name := strings.TrimSuffix(listed, "/")
		if never[name] || r.noExtract.match(listed) {
			continue
		}
		switch _, err := r.tree.Lstat(name); {
		case errors.Is(err, fs.ErrNotExist):
			gone[name] = true
		case err != nil:
			return nil, err
		}
	}
	return gone, nil
}

// withOtherNames adds the other names of files that are gone: extracted anew, a
// file is another one than its other names lead to.
func (r *runner) withOtherNames(a *archive, gone map[string]bool) error {
	links, err := r.hardLinks(a)
	for added := true; added && err == nil; {
		added = false
		for name, target := range links {
			if gone[name] != gone[target] {
				gone[name], gone[target], added = true, true, true
			}
		}
	}
	return err
}

// hardLinks are the second names of a package's files, each with the name that
// it is a link to.
func (r *runner) hardLinks(a *archive) (map[string]string, error) {
	f, err := a.openVerified()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := r.decoders.open(a, f)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	links := map[string]string{}
	for {
		h, err := src.Next()
		switch {
		case errors.Is(err, io.EOF):
			return links, nil
		case err != nil:
			return nil, err
		case h.Typeflag == tar.TypeLink:
			links[entryPath(h.Name)] = entryPath(h.Linkname)
		}
	}
}
