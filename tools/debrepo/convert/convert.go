// SPDX-License-Identifier: GPL-3.0-or-later

package convert

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/tools/debrepo/debian"
)

// Converter writes packages into a directory.
type Converter struct {
	Out          string            // where the packages go
	Trim         bool              // leave documentation and translations out
	TrimMore     []string          // and these, if Trim
	Fast         bool              // compress quickly
	Alternatives map[string][]Link // by Debian package name

	added map[string][]addition // by Debian package name
}

// New gives a converter that writes into a directory.
func New(out string) (*Converter, error) {
	added, err := readAdditions()
	if err != nil {
		return nil, fmt.Errorf("read the files added to packages: %w", err)
	}
	return &Converter{Out: out, added: added}, nil
}

// Result is a package that has been written.
type Result struct {
	Path  string // of the archive
	Info  *desc.Package
	Paths map[string]Claim // all but parents that the archive adds by itself

	Installed int64 // bytes of its files
}

// Claim is how much a package is entitled to a path, when several have it.
type Claim int

// From the least to the most.
const (
	ByAlternative Claim = iota // a link that update-alternatives would have made
	ByFile
	ByAddition  // a file of ours
	ByDirectory // directories are shared by all
)

// Convert writes the package. Paths in skip are left out.
func (c *Converter) Convert(s *Source, info *desc.Package, skip map[string]bool) (*Result, error) {
	archive, err := debian.Open(s.Path)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	j := c.start(s.debianName(), info, skip)
	j.backups(s.Control.Conffiles)
	err = j.create(pkgfile.WriterOptions{Fast: c.Fast}, func() error {
		if err := archive.Files(j.entry); err != nil {
			return err
		}
		return j.finish()
	})
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", filepath.Base(s.Path), err)
	}
	return j.result, nil
}

// job is one package being written.
type job struct {
	*Converter
	debian string // Debian's name of it, by which the tables go
	info   *desc.Package
	result *Result
	w      *pkgfile.Writer
	skip   map[string]bool
	drop   []string
	copies map[string]string // from, to
	kinds  map[string]byte   // tar type by path
}

func (c *Converter) start(debianName string, info *desc.Package, skip map[string]bool) *job {
	drop := append(append([]string(nil), useless...), dropped[debianName]...)
	if c.Trim {
		drop = append(append(drop, documentation...), c.TrimMore...)
	}
	j := &job{
		Converter: c, debian: debianName, info: info, skip: skip, drop: drop,
		copies: make(map[string]string), kinds: make(map[string]byte),
		result: &Result{
			Path:  filepath.Join(c.Out, fmt.Sprintf("%s-%s-%s.pkg.tar.zst", info.Name, info.Version, info.Arch)),
			Info:  info,
			Paths: make(map[string]Claim),
		},
	}
	for _, pair := range copies[debianName] {
		j.copies[pair[0]] = pair[1]
	}
	return j
}

// create writes the archive to a temporary name and renames it when fill and
// all else went well.
func (j *job) create(opt pkgfile.WriterOptions, fill func() error) (err error) {
	f, err := os.CreateTemp(j.Out, ".package-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if j.w, err = pkgfile.NewWriter(f, j.info, opt); err != nil {
		return err
	}
	if err := fill(); err != nil {
		j.w.Abort()
		return err
	}
	if err := j.w.Close(); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), j.result.Path)
}

// entry takes one entry of the data archive.
func (j *job) entry(h *tar.Header, r io.Reader) error {
	out := *h
	switch h.Typeflag {
	case tar.TypeSymlink:
		out.Name, out.Linkname = placeLink(h.Name, h.Linkname)
	case tar.TypeLink:
		out.Name, out.Linkname = Place(h.Name), Place(h.Linkname)
	default:
		out.Name = Place(h.Name)
	}
	if out.Name == "" {
		return nil
	}
	to, copied := j.copies[out.Name]
	if !copied {
		return j.add(&out, r, ByFile)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, name := range []string{out.Name, to} {
		out.Name = name
		if err := j.add(&out, strings.NewReader(string(content)), ByFile); err != nil {
			return err
		}
	}
	return nil
}

// add puts an entry at its final path into the package.
func (j *job) add(h *tar.Header, r io.Reader, claim Claim) error {
	name := strings.TrimSuffix(h.Name, "/")
	if j.skip[name] || claim != ByAddition && below(name, j.drop) {
		return nil
	}
	h.Uname, h.Gname = "", ""
	if h.Typeflag == tar.TypeDir {
		claim = ByDirectory
		if own, ok := directories[name]; ok {
			h.Mode, h.Uid, h.Gid = own.mode, own.uid, own.gid
		}
	}
	if own, ok := overrides[name]; ok {
		h.Mode, h.Uid, h.Gid = own.mode, own.uid, own.gid
	}
	if err := j.w.Add(h, r); err != nil {
		return err
	}
	j.kinds[name], j.result.Paths[name] = h.Typeflag, claim
	if h.Typeflag == tar.TypeReg {
		j.result.Installed += h.Size
	}
	return nil
}

// finish adds what is not in the data archive.
func (j *job) finish() error {
	for _, file := range j.added[j.debian] {
		if err := j.addFile(file.name, file.mode, file.content); err != nil {
			return err
		}
	}
	for _, link := range j.Alternatives[j.debian] {
		if err := j.alternative(link); err != nil {
			return err
		}
	}
	for _, version := range j.kernels() {
		// By this file Arch's tools know which package a kernel is of.
		if err := j.addFile("usr/lib/modules/"+version+"/pkgbase", 0o644, []byte(j.info.Name+"\n")); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) alternative(link Link) error {
	_, taken := j.kinds[link.Name]
	_, there := j.kinds[link.Target]
	if taken || !there || link.Name == "" || link.Name == link.Target {
		return nil
	}
	return j.add(&tar.Header{
		Typeflag: tar.TypeSymlink, Name: link.Name,
		Linkname: relative(path.Dir(link.Name), link.Target),
		ModTime:  time.Unix(j.info.BuildDate, 0),
	}, nil, ByAlternative)
}

// backups lists the files that people change. The list stands before the files
// in the archive, so it is made from what will be there.
func (j *job) backups(conffiles []string) {
	names := make(map[string]bool)
	for _, name := range conffiles {
		names[Place(name)] = true
	}
	for _, to := range j.copies {
		names[to] = true
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return name == "" || below(name, j.drop) })
	for _, file := range j.added[j.debian] {
		if strings.HasPrefix(file.name, "etc/") {
			names[file.name] = true
		}
	}
	j.info.Backup = nil
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !j.skip[name] {
			j.info.Backup = append(j.info.Backup, desc.Backup{Path: name})
		}
	}
}

// kernels lists the versions whose vmlinuz is in the package.
func (j *job) kernels() []string {
	var versions []string
	for name := range j.kinds {
		if ok, _ := path.Match("usr/lib/modules/*/vmlinuz", name); ok {
			versions = append(versions, path.Base(path.Dir(name)))
		}
	}
	return versions
}

// addFile adds a file of ours.
func (j *job) addFile(name string, mode int64, content []byte) error {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)),
		ModTime: time.Unix(j.info.BuildDate, 0),
	}
	return j.add(h, strings.NewReader(string(content)), ByAddition)
}
