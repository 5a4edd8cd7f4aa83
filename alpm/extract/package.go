// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Source is the archive of a package, as *pkgfile.Reader and *tar.Reader are.
type Source interface {
	Next() (*tar.Header, error)
	Read(p []byte) (int, error)
}

// Decision is what a Policy wants done with an entry. The zero value extracts it.
type Decision struct {
	// Skip passes the entry over.
	Skip bool
	// Gone says of a skipped entry that what the root has of it goes, too, so
	// that no hard link can lead there.
	Gone bool
	// As is another path for it, for instance etc/x.pacnew.
	As string
	// MD5 asks for the hash of a file's content in Result.MD5.
	MD5 bool
	// Same leaves a file that is at the entry's own name, and not at As, if it
	// has the content: nothing is written then, nor are owner, mode and time
	// compared. It goes with neither MD5 nor Settle.
	Same bool
	// Settle, for a file, is asked once the content is written under a
	// temporary name and hashed: only then can it be known whether a backup
	// file is to be replaced, kept or put beside as .pacnew. Of its answer,
	// Skip and As count. The hash is in Result.MD5 whatever the answer.
	Settle func(md5 string) (Decision, error)
	// ReplaceLink lets a directory take the place of a symbolic link to a
	// directory, which is followed otherwise.
	ReplaceLink bool
}

// Policy decides on every entry that is a file of the package. Its error ends
// the extraction.
type Policy func(h *tar.Header) (Decision, error)

// Kind of a written entry.
type Kind uint8

// Kinds.
const (
	File Kind = iota
	Directory
	Symlink
	HardLink
)

// Written is one path that was made or replaced.
type Written struct {
	Path     string // below the root, without a trailing slash
	Kind     Kind
	Replaced bool // something was there before
}

// DirMode is an existing directory whose mode is not the package's.
type DirMode struct {
	Path       string
	Have, Want uint32
}

// DirOwner is an existing directory whose owner is not the package's.
type DirOwner struct {
	Path                               string
	HaveUID, HaveGID, WantUID, WantGID int
}

// Unlinked is a hard link that was not made, because the file of the package
// that it is another name of was passed over, and is not in the root either.
type Unlinked struct{ Path, Target string }

// Result is what an extraction did; after an error, what it did until then.
type Result struct {
	Entries int   // in the archive, metadata included
	Bytes   int64 // content written
	Written []Written
	Skipped []string
	Same    []Left            // files that were left since they have the content
	MD5     map[string]string // name in the archive → hash of its content there
	Meta    map[string][]byte // .PKGINFO, .BUILDINFO, .MTREE, .INSTALL, .CHANGELOG
	// Existing directories stay as they are; these are not as the package has them.
	DirModes  []DirMode
	DirOwners []DirOwner
	Unlinked  []Unlinked
	Warnings  []string
}

// maxMeta bounds a metadata file; the .MTREE of the largest packages has a few MiB.
const maxMeta = 64 << 20

// job is the extraction of one package.
type job struct {
	r      *Root
	ctx    context.Context
	src    Source
	policy Policy
	res    Result

	cur   *dir                 // the parent of the last entry
	links map[string]bool      // symbolic links that this package brought
	files map[string]string    // name in the archive → where it is ("": skipped); made at the first hard link
	moved map[string]string    // the same, for what is not at its own name
	gone  []string             // skipped, and not in the root for long
	made  map[string]time.Time // directories that this package made
	touch map[string]bool      // Durable: directories to flush
	buf   []byte
}

// Package extracts one package. Several goroutines may call it at once with
// different packages. A nil policy extracts everything. When it fails, what
// was written stays and is listed in the Result.
func (r *Root) Package(ctx context.Context, src Source, policy Policy) (Result, error) {
	buf := r.buffers.Get().(*[]byte)
	defer r.buffers.Put(buf)
	j := &job{
		r: r, ctx: ctx, src: src, policy: policy, buf: *buf,
		links: map[string]bool{}, moved: map[string]string{}, made: map[string]time.Time{},
		res: Result{MD5: map[string]string{}, Meta: map[string][]byte{}},
	}
	if r.opt.Durable {
		j.touch = map[string]bool{}
	}
	err := j.all()
	j.setParent(nil)
	if err == nil {
		err = j.finish()
	}
	return j.res, err
}

func (j *job) all() error {
	for {
		if err := context.Cause(j.ctx); err != nil {
			return fmt.Errorf("extract: %w", err)
		}
		h, err := j.src.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("extract: read the archive: %w", err)
		}
		j.res.Entries++
		if err := j.entry(h); err != nil {
			return err
		}
	}
}

func (j *job) entry(h *tar.Header) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := entryPath(h)
	if err != nil {
		return err
	}
	if err := checkType(h); err != nil {
		return err
	}
	if name[0] == '.' {
		return j.meta(h, name)
	}
	if err := j.checkParents(h.Name, name); err != nil {
		return err
	}
	d, err := j.decide(h)
	if err != nil {
		return err
	}
	if d.Skip {
		if j.skip(name); d.Gone {
			j.gone = append(j.gone, name)
		}
		return nil
	}
	at := name
	if d.As != "" {
		at = d.As
		j.relocate(name, at)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return j.directory(h, at, d)
	case tar.TypeSymlink:
		err = j.symlink(h, at)
	case tar.TypeLink:
		err = j.hardLink(h, at)
	default:
		return j.file(h, name, at, d)
	}
	if j.links[at] {
		j.links[name] = true // it will be one, wherever it is for now
	}
	return err
}

func (j *job) decide(h *tar.Header) (Decision, error) {
	if j.policy == nil {
		return Decision{}, nil
	}
	d, err := j.policy(h)
	if err != nil {
		return d, fmt.Errorf("extract %s: %w", h.Name, err)
	}
	return d, checkAs(h.Name, d.As)
}

func checkAs(name, as string) error {
	if as == "" {
		return nil
	}
	if reason := badPath(as); reason != "" {
		return &EntryError{Op: "choose the name " + as, Name: name, Err: errors.New(reason)}
	}
	return nil
}

// checkType refuses what no package holds.
func checkType(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeDir:
		return nil
	case tar.TypeSymlink:
		switch {
		case h.Linkname == "":
			return &HostileError{Name: h.Name, Reason: "a symbolic link to nothing"}
		case len(h.Linkname) > maxPath || strings.IndexByte(h.Linkname, 0) >= 0:
			return &HostileError{Name: h.Name, Reason: "a symbolic link to a path that cannot be"}
		}
		return nil
	case tar.TypeLink:
		if reason := badPath(h.Linkname); reason != "" {
			return &HostileError{Name: h.Name, Reason: "a hard link out of the package: " + reason}
		}
		return nil
	case tar.TypeChar, tar.TypeBlock:
		return &HostileError{Name: h.Name, Reason: "a device node where none belongs"}
	case tar.TypeFifo:
		return &HostileError{Name: h.Name, Reason: "a FIFO where none belongs"}
	default:
		return &HostileError{Name: h.Name, Reason: fmt.Sprintf("an entry of the unknown type %q", h.Typeflag)}
	}
}

// checkParents refuses a path through a symbolic link of the same package: it
// would write where the conflict check did not look. Links that were in the
// root before (a merged /usr) are followed, inside the root.
func (j *job) checkParents(entry, name string) error {
	if len(j.links) == 0 {
		return nil
	}
	for i := range len(name) {
		if name[i] == '/' && j.links[name[:i]] {
			return &HostileError{Name: entry, Reason: "a path through " + name[:i] + ", a symbolic link of the same package"}
		}
	}
	return nil
}

// meta keeps the package's own files; what else begins with a dot is passed
// over, as libalpm does.
func (j *job) meta(h *tar.Header, name string) error {
	switch name {
	case ".PKGINFO", ".BUILDINFO", ".MTREE", ".INSTALL", ".CHANGELOG":
	default:
		return nil
	}
	if h.Typeflag != tar.TypeReg {
		return &HostileError{Name: h.Name, Reason: "metadata that is not a file"}
	}
	if _, twice := j.res.Meta[name]; twice {
		return &HostileError{Name: h.Name, Reason: "metadata that is there twice"}
	}
	b, err := io.ReadAll(io.LimitReader(j.src, maxMeta+1))
	if err != nil {
		return fmt.Errorf("extract: read %s: %w", name, err)
	}
	if len(b) > maxMeta {
		return &HostileError{Name: h.Name, Reason: fmt.Sprintf("metadata of more than %d bytes", maxMeta)}
	}
	j.res.Meta[name] = b
	return nil
}

func (j *job) skip(name string) {
	j.res.Skipped = append(j.res.Skipped, name)
	j.relocate(name, "")
}

func (j *job) relocate(name, at string) {
	j.moved[name] = at
	if j.files != nil {
		j.files[name] = at
	}
}

func (j *job) wrote(path string, kind Kind, replaced bool) {
	j.res.Written = append(j.res.Written, Written{path, kind, replaced})
	if j.files != nil && kind != Directory {
		j.files[path] = path
	}
	if kind != Symlink && len(j.links) > 0 {
		delete(j.links, path)
	}
	if j.touch != nil {
		parent, _ := split(path)
		j.touch[parent] = true
	}
}

// finish sets the times of the directories that this package made, now that
// their content is there.
func (j *job) finish() error {
	if !j.r.opt.LateTimes {
		for path, t := range j.made {
			if err := j.r.setDirTime(path, t); err != nil {
				return err
			}
		}
	}
	for path := range j.touch {
		d, err := j.r.acquire(path)
		if err != nil {
			return fail("open directory", path, err)
		}
		err = unix.Fsync(d.fd)
		j.r.release(d)
		if err != nil {
			return fail("flush directory", path, err)
		}
	}
	return nil
}
