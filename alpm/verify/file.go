// SPDX-License-Identifier: GPL-3.0-or-later

package verify

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/mtree"
)

// pathMax is PATH_MAX, which counts the NUL too.
const pathMax = 4096

const bufferSize = 256 << 10

// worker is one goroutine and what it works with.
type worker struct {
	c      *check
	look   *extract.Look
	buf    []byte
	md5    hash.Hash
	sha256 hash.Hash
}

func newWorker(c *check) *worker {
	return &worker{c: c, look: c.root.Look(), buf: make([]byte, bufferSize), md5: md5.New(), sha256: sha256.New()}
}

func (w *worker) close() { w.look.Close() }

// part looks at some files of a package.
func (w *worker) part(p part) {
	j := &job{worker: w, list: p.list, tally: &p.list.found[p.nth]}
	for i := p.from; i < p.to && w.c.ctx.Err() == nil; i++ {
		if w.c.opt.Full {
			j.entry(&p.list.entries[i])
		} else {
			j.listed(p.list.paths[i])
		}
	}
	if p.list.left.Add(-1) == 0 {
		w.c.done(p.list.index, p.list.result())
	}
}

// job is a worker at one part of one package.
type job struct {
	*worker
	*list
	*tally
	file   thing
	damage bool // of the file that is looked at
}

// thing is a file to look at, in the root or in the database.
type thing struct {
	path string // as the package has it
	at   string
	inDB bool
}

// begin takes the next file; it tells whether that can be looked at.
func (j *job) begin(f thing) bool {
	j.file, j.damage = f, false
	if len(f.at) >= pathMax {
		j.find(Finding{Kind: TooLong})
		return false
	}
	return true
}

// find notes what is wrong with the file.
func (j *job) find(f Finding) {
	f.Package, f.Path, f.At = j.p.Name, j.file.path, j.file.at
	if f.Kind == Time || f.Kind == Size || f.Kind == Unreadable || f.Kind == NoDigest || f.Kind == Mismatch {
		f.Backup = j.isBackup(f)
	}
	j.findings = append(j.findings, f)
	if f.Damage() && !j.damage {
		j.damage = true
		j.altered++
	}
}

// isBackup tells whether the finding is what backup files are for. That they
// can be read is expected of them too.
func (j *job) isBackup(f Finding) bool {
	if f.Kind == Unreadable || f.Kind == NoDigest {
		return false
	}
	paths, err := j.backup()
	if err != nil && j.err == nil {
		j.err = err
	}
	return paths[j.file.path]
}

// listed looks at a path of the list of files.
func (j *job) listed(path string) {
	if !j.begin(thing{path: path, at: j.c.prefix + path}) {
		j.files++
		return
	}
	j.files++
	st, ok := j.lstat()
	if ok && st.IsDir() != strings.HasSuffix(path, "/") {
		j.find(Finding{Kind: Type})
	}
}

// lstat tells what there is, or that nothing is where something should be.
func (j *job) lstat() (extract.Stat, bool) {
	st, err := j.stat()
	if err == nil {
		return st, true
	}
	// pacman asks for what of the path comes after the root, in the database too.
	if rest, below := strings.CutPrefix(j.file.at, j.c.prefix); !below || !j.c.opt.NoExtract(rest) {
		j.find(Finding{Kind: Missing, Err: err})
	}
	return st, false
}

func (j *job) stat() (extract.Stat, error) {
	if !j.file.inDB {
		return j.look.Lstat(j.file.path)
	}
	info, err := os.Lstat(j.file.at)
	if err != nil {
		return extract.Stat{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return extract.Stat{Mode: st.Mode, UID: int(st.Uid), GID: int(st.Gid), Size: st.Size, Sec: st.Mtim.Sec}, nil
}

// thing is where the file of an entry is. Of the package's metadata only the
// scriptlets and the changelog are kept on the disk.
func (j *job) thing(path string) (f thing, is bool) {
	if path[0] != '.' {
		return thing{path: path, at: j.c.prefix + path}, true
	}
	name := ""
	switch path {
	case ".INSTALL":
		name = "install"
	case ".CHANGELOG":
		name = "changelog"
	default:
		return thing{}, false
	}
	return thing{path: path, at: j.c.local + j.p.Entry() + "/" + name, inDB: true}, true
}

// entry holds a file against its entry in .MTREE.
func (j *job) entry(e *mtree.Entry) {
	f, is := j.thing(e.Path)
	if !is || !j.begin(f) {
		return
	}
	j.files++
	st, ok := j.lstat()
	if !ok {
		return
	}
	switch e.Type {
	case mtree.File, mtree.Dir, mtree.Symlink:
	default:
		j.find(Finding{Kind: Unrecognised})
		return
	}
	if st.IsRegular() != (e.Type == mtree.File) || st.IsDir() != (e.Type == mtree.Dir) || st.IsSymlink() != (e.Type == mtree.Symlink) {
		j.find(Finding{Kind: Type})
		return
	}
	j.attributes(e, st)
	if e.Type == mtree.Symlink {
		j.link(e)
	}
	if e.Type != mtree.Dir && st.Sec != e.Sec {
		j.find(Finding{Kind: Time})
	}
	if e.Type == mtree.File {
		if st.Size != e.Size {
			j.find(Finding{Kind: Size})
		}
		j.content(e)
	}
}

func (j *job) attributes(e *mtree.Entry, st extract.Stat) {
	if st.UID != e.UID {
		j.find(Finding{Kind: UID})
	}
	if st.GID != e.GID {
		j.find(Finding{Kind: GID})
	}
	if st.Perm() != e.Mode {
		j.find(Finding{Kind: Permissions})
	}
}

func (j *job) link(e *mtree.Entry) {
	to, err := j.look.Readlink(j.file.path)
	switch {
	case err != nil:
		j.find(Finding{Kind: LinkUnread, Err: err})
	case to != e.Link:
		j.find(Finding{Kind: LinkTarget})
	}
}

// content compares digests. The SHA-256 alone decides where it matches.
func (j *job) content(e *mtree.Entry) {
	if e.MD5 == "" && e.SHA256 == "" {
		j.find(Finding{Kind: NoDigest, Digest: SHA256})
		return
	}
	j.md5.Reset()
	j.sha256.Reset()
	first := io.Writer(j.sha256)
	switch {
	case e.SHA256 == "":
		first = j.md5
	case e.MD5 != "" && j.c.opt.BothDigests:
		first = io.MultiWriter(j.md5, j.sha256)
	}
	err := j.read(first)
	wrong := err != nil || e.SHA256 != "" && hexSum(j.sha256) != e.SHA256
	if wrong && err == nil && e.MD5 != "" && !j.c.opt.BothDigests {
		err = j.read(j.md5)
	}
	if j.c.ctx.Err() != nil {
		return
	}
	if e.MD5 != "" && (wrong || e.SHA256 == "" || j.c.opt.BothDigests) {
		j.compare(MD5, j.md5, e.MD5, err)
	}
	if wrong {
		j.compare(SHA256, j.sha256, e.SHA256, err)
	}
}

func (j *job) compare(name string, h hash.Hash, want string, err error) {
	switch {
	case want == "":
	case err != nil:
		j.find(Finding{Kind: Unreadable, Digest: name, Err: err})
	case hexSum(h) != want:
		j.find(Finding{Kind: Mismatch, Digest: name})
	}
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// read gives the content of the file to a digest, and ends with the run.
func (j *job) read(to io.Writer) error {
	to = &stoppable{ctx: j.c.ctx, to: to}
	if !j.file.inDB {
		return j.look.Copy(to, j.file.path, j.buf)
	}
	f, err := os.Open(j.file.at)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, f)
	return err
}

type stoppable struct {
	ctx context.Context
	to  io.Writer
}

func (s *stoppable) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.to.Write(p)
}
