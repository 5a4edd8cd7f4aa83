// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
)

// source is the archive that a package was staged from, should it be needed
// once more.
type source struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Time   int64  `json:"time"` // nanoseconds
	SHA256 string `json:"sha256,omitempty"`
}

func sourceOf(a *archive) (*source, error) {
	at, err := filepath.Abs(a.path)
	if err != nil {
		return nil, err
	}
	src := &source{Path: at, Size: a.proof.info.Size(), Time: a.proof.info.ModTime().UnixNano()}
	if a.step.File == "" {
		src.SHA256 = a.step.Package.SHA256
	}
	return src, nil
}

// archive opens it for the package that has that entry in the database. A
// power cut may have made it another one.
func (src *source) archive(entry *desc.Package) (*archive, error) {
	f, err := os.Open(src.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a := &archive{step: &Step{Package: entry}, path: src.Path, files: entry.Files}
	if a.proof.info, err = f.Stat(); err != nil {
		return nil, err
	}
	if a.proof.info.Size() != src.Size || a.proof.info.ModTime().UnixNano() != src.Time {
		return nil, fmt.Errorf("%s is another file now", src.Path)
	}
	if src.SHA256 == "" {
		return a, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, src.SHA256) {
		return nil, fmt.Errorf("%s: %w: it is %s", src.Path, ErrChecksum, got)
	}
	a.proof.validation = []string{"sha256"}
	return a, nil
}

// regain is again in a recovery: how files were left is not known any more, so
// that all that was left is held against the archive. Where that is gone, what
// is missing is told, for the rest is to be finished all the same.
func (s *switcher) regain(ctx context.Context, i int, p *stagedPackage) error {
	if p.Archive == nil || !s.scriptletsBefore(i) {
		return nil
	}
	a, err := p.Archive.archive(p.entry)
	if err == nil && s.root == nil {
		s.decoders = newDecoders()
		s.root, err = extract.OpenRootWith(s.env.Root, extract.Options{LateTimes: true})
	}
	if err == nil {
		g := &restaging{runner: s.runner, head: s.head, p: p, a: a, lost: s.lost(p), word: "found"}
		err = g.run(ctx)
	}
	if err != nil && !isTransient(err) {
		s.tellLost(p, err)
		err = nil
	}
	return err
}

// scriptletsBefore tells whether a scriptlet can have run before a step.
func (s *switcher) scriptletsBefore(i int) bool {
	if !s.scriptletsRun() {
		return false
	}
	for _, st := range s.steps[:i] {
		if st.remove != nil || s.runs(st) { // what a removed package had has gone with it
			return true
		}
	}
	return false
}

// tellLost tells of the files of a package that are not there.
func (s *switcher) tellLost(p *stagedPackage, cause error) {
	staged := map[string]bool{}
	tell := func(name string) {
		s.tell(Event{Kind: EventWarning, Name: p.Name, Path: name, About: AboutLost, Err: cause,
			Text: fmt.Sprintf("/%s was taken away by a program, and cannot be unpacked again (%v): install %s once more", name, cause, p.Name)})
	}
	gone := func(name string) bool {
		_, err := s.tree.Lstat(name)
		return errors.Is(err, fs.ErrNotExist)
	}
	for _, f := range p.Files {
		if f.Temp == "" {
			staged[f.Path] = f.Unlinked // which is to be gone
			continue
		}
		if staged[f.Path] = true; gone(f.Temp) {
			tell(f.Path)
		}
	}
	for _, name := range p.entry.Files {
		if !strings.HasSuffix(name, "/") && !staged[name] && !s.noExtract.match(name) && gone(name) {
			tell(name)
		}
	}
}
