// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/mtree"
	"github.com/rastos/rastos/alpm/pkgfile"
	"golang.org/x/sync/errgroup"
)

// archive is what the head of a package archive tells before anything of it
// is extracted.
type archive struct {
	step       *Step
	path       string
	proof      proof
	info       *desc.Package     // .PKGINFO
	meta       map[string][]byte // .INSTALL, .MTREE, .CHANGELOG as they are
	files      []string          // sorted; directories end in "/"
	size       int64             // bytes of all files
	places     []place           // where they go
	backup     map[string]bool
	mtreeMD5   map[string]string // of backup files
	dirEntries []tar.Header      // the directories, to be made in order

	// Of its extraction:
	unlinked []extract.Unlinked // hard links that were not made
	aside    []string           // files that are beside what has their names, as .pacnew
}

// place sums up the bytes below one directory near the root.
type place struct {
	dir   string
	bytes int64
	files int64
}

// maxMeta bounds a metadata file of an archive.
const maxMeta = 64 << 20

// openVerified opens the archive and makes sure that it is the one that was
// verified.
func (a *archive) openVerified() (*os.File, error) {
	f, err := os.Open(a.path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !a.proof.is(info) {
		err = &VerifyError{Object: a.step.Package.Entry(), Path: a.path, Err: errors.New("it was changed after it was verified")}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// unpackedSlack is what an archive may unpack to beyond its files: the heads
// and the padding of very many small ones.
const unpackedSlack = 1 << 30

// limits keeps an archive to the size that the database gives: one that holds
// far more would fill the disk.
func (a *archive) limits() pkgfile.Limits {
	size := a.step.Package.InstalledSize
	if size <= 0 || size > 1<<50 {
		return pkgfile.Limits{} // the engine's own
	}
	return pkgfile.Limits{MaxSize: 2*size + unpackedSlack}
}

// decoders are kept over a run, apart for archives that something vouches for
// and those (SigLevel Never, no checksum) for which nothing but their own
// streams does.
type decoders struct{ proven, plain *pkgfile.Decoders }

func newDecoders() decoders {
	return decoders{&pkgfile.Decoders{Proven: true}, &pkgfile.Decoders{}}
}

// open starts reading an archive.
func (d decoders) open(a *archive, f io.Reader) (*pkgfile.Reader, error) {
	if a.proof.strong() {
		return d.proven.NewReader(f, a.limits())
	}
	return d.plain.NewReader(f, a.limits())
}

// readHeads reads the heads of all archives of a plan.
func readHeads(env *Env, plan *Plan, d decoders) ([]*archive, error) {
	out := make([]*archive, len(plan.Install))
	var g errgroup.Group
	g.SetLimit(env.workers())
	for i := range plan.Install {
		g.Go(func() error {
			st := &plan.Install[i]
			path := archivePath(env, st)
			a := &archive{step: st, path: path, proof: plan.proven[path]}
			if err := a.read(d); err != nil {
				return fmt.Errorf("read %s: %w", st.Package.Entry(), err)
			}
			out[i] = a
			return nil
		})
	}
	return out, g.Wait()
}

func (a *archive) read(d decoders) error {
	f, err := a.openVerified()
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := d.open(a, f)
	if err != nil {
		return err
	}
	defer r.Close()
	meta, listed, err := scanHead(r)
	if err != nil {
		return err
	}
	if meta[".PKGINFO"] == nil {
		return &VerifyError{Object: a.step.Package.Entry(), Path: a.path, Err: pkgfile.ErrNoInfo}
	}
	if a.info, err = desc.DecodePKGINFO(meta[".PKGINFO"]); err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return &VerifyError{Object: a.step.Package.Entry(), Path: a.path, Err: err}
	}
	a.meta = map[string][]byte{}
	for _, name := range []string{".INSTALL", ".MTREE", ".CHANGELOG"} {
		if b := meta[name]; b != nil {
			a.meta[name] = b
		}
	}
	a.backup = make(map[string]bool, len(a.info.Backup))
	for _, b := range a.info.Backup {
		a.backup[b.Path] = true
	}
	return a.list(func(visit func(mtree.Entry) bool) error {
		if text := meta[".MTREE"]; text != nil {
			return mtree.Walk(bytes.NewReader(text), visit)
		}
		for _, e := range listed {
			visit(e)
		}
		return nil
	})
}

// scanHead reads the metadata, which comes first in an archive. Without an
// .MTREE there the whole archive is gone through for the list of its files.
func scanHead(r *pkgfile.Reader) (meta map[string][]byte, listed []mtree.Entry, err error) {
	meta = map[string][]byte{}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return meta, listed, nil
		}
		if err != nil {
			return nil, nil, err
		}
		name := strings.TrimPrefix(h.Name, "./")
		switch {
		case strings.HasPrefix(name, "."):
			if h.Size > maxMeta {
				return nil, nil, fmt.Errorf("%s: %w", name, pkgfile.ErrTooLarge)
			}
			if meta[name], err = io.ReadAll(io.LimitReader(r, maxMeta)); err != nil {
				return nil, nil, err
			}
		case meta[".MTREE"] != nil && meta[".PKGINFO"] != nil:
			return meta, nil, nil
		default:
			listed = append(listed, entryOf(h, name))
		}
	}
}

func entryOf(h *tar.Header, name string) mtree.Entry {
	e := mtree.Entry{
		Path: strings.TrimSuffix(name, "/"), Type: mtree.File, Mode: uint32(h.Mode), UID: h.Uid, GID: h.Gid,
		Size: h.Size, Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond()),
	}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Type = mtree.Dir
	case tar.TypeSymlink:
		e.Type, e.Link = mtree.Symlink, h.Linkname
	}
	return e
}

// check compares the archive with what the plan was made from: a database
// could otherwise describe one package and deliver another.
func (a *archive) check() error {
	want := a.step.Package
	if a.info.Name != want.Name || a.info.Version != want.Version {
		return fmt.Errorf("%w: it is %s-%s", ErrMismatch, a.info.Name, a.info.Version)
	}
	for _, f := range []struct {
		what      string
		got, want []string
	}{
		{"architecture", []string{a.info.Arch}, []string{want.Arch}},
		{"depends", a.info.Depends, want.Depends}, {"conflicts", a.info.Conflicts, want.Conflicts},
		{"replaces", a.info.Replaces, want.Replaces}, {"provides", a.info.Provides, want.Provides},
		{"groups", a.info.Groups, want.Groups},
	} {
		if !sameSet(f.got, f.want) {
			return fmt.Errorf("%w: %s is %q instead of %q", ErrMismatch, f.what, f.got, f.want)
		}
	}
	return nil
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	if slices.Equal(a, b) {
		return true
	}
	a, b = slices.Clone(a), slices.Clone(b)
	sort.Strings(a)
	sort.Strings(b)
	return slices.Equal(a, b)
}

// list takes over what is installed: all but the archive's own dot files.
func (a *archive) list(walk func(visit func(mtree.Entry) bool) error) error {
	a.mtreeMD5 = map[string]string{}
	places := map[string]*place{}
	err := walk(func(e mtree.Entry) bool {
		if strings.HasPrefix(e.Path, ".") {
			return true
		}
		// The line that the path is a part of is not kept.
		name := strings.Clone(e.Path)
		if e.Type == mtree.Dir {
			name += "/"
			a.dirEntries = append(a.dirEntries, dirHeader(&e))
		}
		a.files = append(a.files, name)
		if a.backup[e.Path] {
			a.mtreeMD5[name] = e.MD5
		}
		a.size += e.Size
		dir := nearRoot(name)
		if places[dir] == nil {
			places[dir] = &place{dir: dir}
		}
		places[dir].bytes += e.Size
		places[dir].files++
		return true
	})
	sort.Strings(a.files)
	a.files = slices.Clip(a.files)
	for _, p := range places {
		a.places = append(a.places, *p)
	}
	return err
}

func dirHeader(e *mtree.Entry) tar.Header {
	return tar.Header{
		Typeflag: tar.TypeDir, Name: e.Path + "/", Mode: int64(e.Mode), Uid: e.UID, Gid: e.GID,
		ModTime: time.Unix(e.Sec, e.Nsec),
	}
}

func (a *archive) scriptlet() []byte { return a.meta[".INSTALL"] }

// nearRoot is the part of a path that decides which mount it is on, as far as
// the check for space looks: two levels.
func nearRoot(path string) string {
	for i, seen := 0, 0; i < len(path); i++ {
		if path[i] == '/' {
			if seen++; seen == 2 {
				return path[:i]
			}
		}
	}
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return ""
}

// has tells whether the package has a path ("usr/bin/x", "usr/bin/").
func (a *archive) has(path string) bool { return listHas(a.files, path) }

func listHas(sorted []string, path string) bool {
	_, ok := slices.BinarySearch(sorted, path)
	return ok
}
