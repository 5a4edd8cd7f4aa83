// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/tools/debrepo/pkglist"
)

// Local writes a package of our own. All files get the time stamp of
// filesystem's and belong to root, so that the same description gives the same
// package.
func (c *Converter) Local(p *pkglist.Local) (*Result, error) {
	info := &desc.Package{
		Name: p.Name, Base: p.Name, Version: p.Version, Arch: p.Arch, Description: p.Description, URL: p.URL,
		Licenses: p.License, Groups: p.Groups, Depends: p.Depends, OptDepends: p.OptDepends,
		Provides: p.Provides, Conflicts: p.Conflicts, Replaces: p.Replaces,
		Packager: "rastOS debrepo", BuildDate: filesystemDate.Unix(),
	}
	if info.Arch == "" {
		info.Arch = "any"
	}
	for _, name := range p.Backup {
		info.Backup = append(info.Backup, desc.Backup{Path: name})
	}
	opt := pkgfile.WriterOptions{Fast: c.Fast, Epoch: filesystemDate}
	if p.Install != "" {
		opt.Install = []byte(p.Install)
	}
	j := c.start("", info, nil)
	j.drop = nil
	err := j.create(opt, func() error {
		if p.Tree != "" {
			if err := j.tree(p.Tree); err != nil {
				return err
			}
		}
		for _, f := range p.Files {
			if err := j.localFile(f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("make package %s: %w", p.Name, err)
	}
	return j.result, nil
}

func (j *job) tree(root string) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		inside, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: filepath.ToSlash(inside), Mode: int64(st.Mode().Perm()), Size: st.Size(), ModTime: st.ModTime()}
		switch {
		case st.Mode().IsRegular():
			h.Typeflag = tar.TypeReg
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			return j.add(h, f, ByFile)
		case st.IsDir():
			h.Typeflag, h.Size = tar.TypeDir, 0
		case st.Mode()&fs.ModeSymlink != 0:
			h.Typeflag, h.Size = tar.TypeSymlink, 0
			if h.Linkname, err = os.Readlink(name); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s: neither file, directory nor link", name)
		}
		return j.add(h, nil, ByFile)
	})
}

func (j *job) localFile(f pkglist.File) error {
	perm, err := f.Perm()
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Mode: int64(perm), ModTime: time.Unix(j.info.BuildDate, 0)}
	var content io.Reader = strings.NewReader(f.Content)
	h.Size = int64(len(f.Content))
	switch {
	case f.Link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
	case f.Source != "":
		file, err := os.Open(f.Source)
		if err != nil {
			return err
		}
		defer file.Close()
		st, err := file.Stat()
		if err != nil {
			return err
		}
		content, h.Size = file, st.Size()
	}
	return j.add(h, content, ByFile)
}
