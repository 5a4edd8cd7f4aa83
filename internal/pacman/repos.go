// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/alpm/version"
	"github.com/rastos/rastos/internal/flow"
)

// The endings of databases: of packages, and of packages with their files.
const (
	packageDB = ".db"
	filesDB   = ".files"
)

// repo is a repository with its database, which is empty where there is none.
type repo struct {
	*conf.Repo
	DB *syncdb.DB
	// err says why the database cannot be used.
	err error
}

// repos are the repositories in order.
type repos []repo

// openRepos reads and verifies the databases of all repositories. One that was
// never downloaded is empty.
func (s *session) openRepos(ext string) (repos, error) {
	ring, err := flow.ConfKeys(&s.conf.Config)
	if err != nil {
		return nil, err
	}
	list := make(repos, len(s.conf.Repos))
	var all sync.WaitGroup
	for i := range s.conf.Repos {
		r := &list[i]
		r.Repo = &s.conf.Repos[i]
		all.Go(func() { r.DB, r.err = openRepo(r.Repo, s.conf.DBPath+"sync/"+r.Name+ext, ring, ext == packageDB) })
	}
	all.Wait()
	for i := range list {
		if r := &list[i]; r.DB == nil {
			r.DB = syncdb.New(r.Name, nil)
		}
		if errors.Is(list[i].err, fs.ErrNotExist) {
			list[i].err = nil // it was warned of when the settings were read
		}
	}
	s.opened = append(s.opened, list...)
	return list, nil
}

func openRepo(r *conf.Repo, path string, ring *keyring.Ring, index bool) (*syncdb.DB, error) {
	opt := syncdb.Options{Name: r.Name, Index: index}
	if level := r.SigLevel.Database; level.Check != keyring.Never {
		sig, err := os.ReadFile(path + ".sig")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		opt.Vouch = func(data io.Reader) error { return vouch(ring, data, sig, level) }
	}
	return syncdb.OpenWith(path, opt)
}

// vouch holds data against its signature, as the level asks.
func vouch(ring *keyring.Ring, data io.Reader, sig []byte, level keyring.Level) error {
	switch {
	case level.Check == keyring.Optional && len(sig) == 0:
		return nil
	case len(sig) == 0:
		return &keyring.Error{Reason: keyring.Missing}
	case ring == nil:
		return &keyring.Error{Reason: keyring.NoKeyring}
	}
	_, err := ring.Verify(data, sig, level)
	return err
}

// usableRepos opens the repositories for an operation that cannot do without;
// ok is false, and was said, where there is none or one is not valid.
func (s *session) usableRepos(ext string) (list repos, ok bool) {
	if len(s.conf.Repos) == 0 {
		s.errorf("no usable package repositories configured.")
		return nil, false
	}
	list, err := s.openRepos(ext)
	if err != nil {
		s.errorf("%v", err)
		return nil, false
	}
	return list, s.validRepos(list)
}

// validRepos says which databases cannot be used, and first what is wrong with
// their signatures. Where there is none, registering said so.
func (s *session) validRepos(list repos) bool {
	ok := true
	for _, r := range list {
		var bad *keyring.Error
		if errors.As(r.err, &bad) && bad.Reason != keyring.Missing {
			s.signatureFailed(r.Name, bad)
		}
	}
	for _, r := range list {
		if r.err != nil {
			s.errorf("database '%s' is not valid (%s)", r.Name, databaseError(r.err))
			ok = false
		}
	}
	return ok
}

// databaseError is what pacman says of a database that cannot be used.
func databaseError(err error) string {
	var bad *keyring.Error
	if errors.As(err, &bad) {
		return "invalid or corrupted database (PGP signature)"
	}
	return fmt.Sprintf("invalid or corrupted database: %v", err)
}

// find returns the first package of that name, and its repository.
func (list repos) find(name string) (*repo, *desc.Package) {
	for i := range list {
		if p := list[i].DB.Package(name); p != nil {
			return &list[i], p
		}
	}
	return nil, nil
}

// newer returns the package of a repository that is an upgrade of p, or nil.
// As with pacman, the first repository that has the name decides.
func (list repos) newer(p *desc.Package) (*repo, *desc.Package) {
	r, q := list.find(p.Name)
	if q == nil || version.Compare(q.Version, p.Version) <= 0 {
		return nil, nil
	}
	return r, q
}

// ignored tells whether pacman.conf or the command line keeps a package as it is.
func (s *session) ignored(p *desc.Package) bool {
	matches := func(patterns []string, name string) bool {
		for _, pattern := range patterns {
			if solve.Match(pattern, name) {
				return true
			}
		}
		return false
	}
	for _, g := range p.Groups {
		if matches(s.conf.IgnoreGroup, g) {
			return true
		}
	}
	return matches(s.conf.IgnorePkg, p.Name)
}
