// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
)

// fileQuery is -F: which packages of the repositories have a file, and what
// files they have.
func (s *session) fileQuery(ctx context.Context) int {
	o := s.opt
	if len(s.conf.Repos) == 0 {
		s.errorf("no usable package repositories configured.")
		return 1
	}
	if o.Refresh > 0 {
		if code := s.refresh(ctx, true); code != 0 {
			return code
		}
	}
	if !o.List && len(o.Targets) == 0 && o.Refresh == 0 {
		s.errorf("no targets specified (use -h for help)")
		return 1
	}
	list, err := s.openRepos(filesDB)
	if err != nil {
		s.errorf("%v", err)
		return 1
	}
	s.validRepos(list)
	f := &fileFinder{session: s, repos: list}
	if o.List {
		return f.list()
	}
	return f.search()
}

type fileFinder struct {
	*session
	repos repos
}

// wantedFile is one target of a search.
type wantedFile struct {
	text string
	path bool // compared with the whole path, not only its last part
	re   *regexp.Regexp
}

func (f *fileFinder) search() int {
	code := 0
	var wanted []wantedFile
	for _, target := range f.opt.Targets {
		w := wantedFile{text: target, path: strings.Contains(target, "/")}
		if w.path {
			for len(w.text) > 1 && w.text[0] == '/' {
				w.text = w.text[1:]
			}
		}
		if f.opt.Regex {
			var err error
			if w.re, err = compile(w.text); err != nil {
				f.errorf("invalid regular expression '%s'", w.text)
				code = 1
			}
		}
		wanted = append(wanted, w)
	}
	if code != 0 {
		return code
	}
	for _, w := range wanted {
		if !f.find(w) {
			code = 1
		}
	}
	return code
}

// find prints the packages that have the file.
func (f *fileFinder) find(w wantedFile) (found bool) {
	for i := range f.repos {
		r := &f.repos[i]
		for _, p := range r.DB.Packages() {
			if match := w.match(p.Files); len(match) > 0 {
				found = true
				f.show(r, p, match, w.path)
			}
		}
	}
	return found
}

func (w wantedFile) match(files []string) (match []string) {
	if w.path && w.re == nil {
		if slices.Contains(files, w.text) {
			return []string{w.text}
		}
		return nil
	}
	for _, file := range files {
		part := file
		if !w.path {
			slash := strings.LastIndexByte(file, '/')
			if part = file[slash+1:]; slash < 0 || part == "" {
				continue
			}
		}
		if w.re != nil && w.re.MatchString(part) || w.re == nil && part == w.text {
			match = append(match, file)
		}
	}
	return match
}

func (f *fileFinder) show(r *repo, p *desc.Package, files []string, path bool) {
	switch page := f.page(); {
	case f.opt.MachineReadable:
		f.machineReadable(r, p, files)
	case f.opt.Quiet:
		f.print(r.Name, "/", p.Name, "\n")
	case path:
		for _, file := range files {
			f.print(file, " is owned by ")
			page.Heading(r.Name, p)
			f.print("\n")
		}
	default:
		page.Heading(r.Name, p)
		page.Groups(p)
		page.Present(p, f.conf.Local.Package(p.Name))
		f.print("\n")
		for _, file := range files {
			f.print("    ", file, "\n")
		}
	}
}

func (f *fileFinder) machineReadable(r *repo, p *desc.Package, files []string) {
	for _, file := range files {
		f.print(r.Name, "\x00", p.Name, "\x00", p.Version, "\x00", file, "\n")
	}
}

// list prints the files of the targets, or of everything. As with pacman, the
// exit code is the number of targets that are not there.
func (f *fileFinder) list() int {
	if len(f.opt.Targets) == 0 {
		for i := range f.repos {
			for _, p := range f.repos[i].DB.Packages() {
				f.listOne(&f.repos[i], p)
			}
		}
		return 0
	}
	code := 0
	for _, target := range f.opt.Targets {
		in, name, named := strings.Cut(target, "/")
		if !named {
			name = target
		} else if name == "" {
			f.errorf("invalid package: '%s'", target)
			code++
			continue
		}
		found := false
		for i := range f.repos {
			r := &f.repos[i]
			if named && r.Name != in {
				continue
			}
			if p := r.DB.Package(name); p != nil {
				f.listOne(r, p)
				found = true
				break
			}
		}
		if !found {
			f.errorf("package '%s' was not found", target)
			code++
		}
	}
	return code
}

func (f *fileFinder) listOne(r *repo, p *desc.Package) {
	if f.opt.MachineReadable {
		f.machineReadable(r, p, p.Files)
		return
	}
	for _, file := range p.Files {
		if !f.opt.Quiet {
			f.print(f.tint.Title, p.Name, f.tint.Off, " ")
		}
		f.print(file, "\n")
	}
}
