// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/internal/plan"
	"github.com/rastos/rastos/internal/report"
)

// RepoRequest says how the database of a package repository is changed.
type RepoRequest struct {
	DB               string // path of the database, NAME.db.tar.gz or its like
	Key              string // file with the private key that signs; empty: nothing is signed
	NewKey           string // make that key first, for "Name <name@example.org>"
	OnlyNew          bool
	PreventDowngrade bool
	RemoveOld        bool
	Workers          int
}

// RepoResult says what became of it.
type RepoResult struct {
	Database string        `json:"database"`
	Added    []RepoPackage `json:"added"`
	Removed  []string      `json:"removed"` // entries, as "acl-2.3.1-1"
	Skipped  []RepoSkip    `json:"skipped"`
	Signed   []string      `json:"signed"` // packages that got a signature
	Key      string        `json:"key,omitempty"`
	Public   string        `json:"public_key,omitempty"` // file with the public key, if it was made
}

// RepoPackage is one new entry.
type RepoPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	File    string `json:"file"`
	Signed  bool   `json:"signed"`
}

// RepoSkip is a package that was left alone.
type RepoSkip struct {
	File   string `json:"file"`
	Entry  string `json:"entry"`
	Reason string `json:"reason"`
}

// repoKeyError is a key that cannot sign.
type repoKeyError struct {
	file string
	err  error
}

func (e *repoKeyError) Error() string {
	return fmt.Sprintf("sign with the key in %s: %v", e.file, e.err)
}
func (e *repoKeyError) Unwrap() error { return e.err }
func (e *repoKeyError) Hint() string {
	switch {
	case errors.Is(e.err, fs.ErrNotExist):
		return "--new-key 'Name <name@example.org>' makes one there"
	case errors.Is(e.err, fs.ErrExist):
		return "leave --new-key out to sign with it"
	}
	return "it wants a private key, as gpg --export-secret-keys writes it"
}

// CreateRepo makes an empty database.
func (m *Machine) CreateRepo(ctx context.Context, sink report.Sink, r RepoRequest) (RepoResult, error) {
	if _, err := os.Lstat(r.DB); err == nil {
		return RepoResult{}, report.WithHint(fmt.Errorf("%s is already there", r.DB), "rastos repo add puts packages into it")
	}
	return m.changeRepo(ctx, sink, r, nil, func(opt repo.Options) (repo.Result, error) {
		return repo.Add(ctx, r.DB, nil, opt)
	})
}

// AddToRepo puts packages into a database, which is made if need be. With a
// key, packages without a signature get one first.
func (m *Machine) AddToRepo(ctx context.Context, sink report.Sink, r RepoRequest, packages []string) (RepoResult, error) {
	return m.changeRepo(ctx, sink, r, packages, func(opt repo.Options) (repo.Result, error) {
		return repo.Add(ctx, r.DB, packages, opt)
	})
}

// RemoveFromRepo takes packages out of a database.
func (m *Machine) RemoveFromRepo(ctx context.Context, sink report.Sink, r RepoRequest, names []string) (RepoResult, error) {
	return m.changeRepo(ctx, sink, r, nil, func(opt repo.Options) (repo.Result, error) {
		return repo.Remove(ctx, r.DB, names, opt)
	})
}

// changeRepo signs, changes the database and sums up. When the change fails,
// the signatures and the key that were made for it go again.
func (m *Machine) changeRepo(ctx context.Context, sink report.Sink, r RepoRequest, packages []string, change func(repo.Options) (repo.Result, error)) (res RepoResult, err error) {
	var scope plan.Scope
	defer scope.Close(&err)
	s, err := m.repoSigner(r, &scope)
	if err != nil {
		return RepoResult{}, err
	}
	opt := repo.Options{Workers: r.Workers, OnlyNew: r.OnlyNew, PreventDowngrade: r.PreventDowngrade, RemoveOld: r.RemoveOld}
	res = RepoResult{Database: r.DB, Added: []RepoPackage{}, Removed: []string{}, Skipped: []RepoSkip{}, Signed: []string{}}
	if s != nil {
		opt.Sign = s.sign
		res.Key, res.Public = s.key.Fingerprint(), s.public
		if res.Signed, err = s.packages(ctx, packages, &scope); err != nil {
			return RepoResult{}, err
		}
	}
	_, unsigned := os.Lstat(r.DB + ".sig")
	changed, err := change(opt)
	if err != nil {
		return RepoResult{}, err
	}
	scope.Keep()
	if s == nil && unsigned == nil {
		report.Warnf(sink, "%s was signed before and is not any more: --sign signs it", r.DB)
	}
	res.sum(changed)
	return res, nil
}

func (res *RepoResult) sum(changed repo.Result) {
	for _, p := range changed.Added {
		res.Added = append(res.Added, RepoPackage{Name: p.Name, Version: p.Version, File: p.Filename, Signed: p.PGPSig != ""})
	}
	for _, s := range changed.Skipped {
		res.Skipped = append(res.Skipped, RepoSkip{File: s.Path, Entry: s.Entry, Reason: s.Why})
	}
	new := map[string]bool{}
	for _, p := range changed.Added {
		new[p.Entry()] = true
	}
	for _, entry := range changed.Removed {
		if !new[entry] { // the same version again took its own place
			res.Removed = append(res.Removed, entry)
		}
	}
}

// repoSigner signs with one key.
type repoSigner struct {
	key    *keyring.Signer
	public string
}

// repoSigner reads the key, or makes it.
func (m *Machine) repoSigner(r RepoRequest, scope *plan.Scope) (*repoSigner, error) {
	if r.Key == "" {
		return nil, nil
	}
	if r.NewKey != "" {
		s, err := m.newRepoKey(r, scope)
		if err != nil {
			return nil, &repoKeyError{r.Key, err}
		}
		return s, nil
	}
	data, err := os.ReadFile(r.Key)
	if err != nil {
		return nil, &repoKeyError{r.Key, err}
	}
	key, err := keyring.ReadPrivate(bytes.NewReader(data))
	if err != nil {
		return nil, &repoKeyError{r.Key, err}
	}
	key.Now = m.Now
	return &repoSigner{key: key}, nil
}

// newRepoKey makes a key: the private part in the file named, the public one
// beside it.
func (m *Machine) newRepoKey(r RepoRequest, scope *plan.Scope) (*repoSigner, error) {
	who, err := mail.ParseAddress(r.NewKey)
	if err != nil {
		return nil, report.WithHint(fmt.Errorf("make it for %q: %w", r.NewKey, err), "write --new-key 'Name <name@example.org>'")
	}
	key, err := keyring.GenerateKey(who.Name, who.Address, m.Now(), m.Random)
	if err != nil {
		return nil, err
	}
	key.Now = m.Now
	var private, public bytes.Buffer
	if err := errors.Join(key.WritePrivate(&private), key.WritePublic(&public)); err != nil {
		return nil, err
	}
	s := &repoSigner{key: key, public: r.Key + ".pub"}
	for _, f := range []struct {
		path string
		data []byte
		perm fs.FileMode
	}{{r.Key, private.Bytes(), 0o600}, {s.public, public.Bytes(), 0o644}} {
		if err := createFile(f.path, f.data, f.perm, scope); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// createFile writes a file that was not there, and lets scope take it away.
func createFile(path string, data []byte, perm fs.FileMode, scope *plan.Scope) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	scope.Defer("remove "+path, func(context.Context) error { return os.Remove(path) })
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// packages signs those that have no signature, and names them.
func (s *repoSigner) packages(ctx context.Context, paths []string, scope *plan.Scope) ([]string, error) {
	signed := []string{}
	for _, path := range paths {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		_, err := os.Lstat(path + ".sig")
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("sign %s: %w", filepath.Base(path), err)
		}
		sig, err := s.signature(path)
		if err == nil {
			err = createFile(path+".sig", sig, 0o644, scope)
		}
		if err != nil {
			return nil, fmt.Errorf("sign %s: %w", filepath.Base(path), err)
		}
		signed = append(signed, path)
	}
	return signed, nil
}

// sign puts the signature of a database beside it.
func (s *repoSigner) sign(_ context.Context, path string) error {
	sig, err := s.signature(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path+".sig", sig, 0o644)
}

func (s *repoSigner) signature(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var sig bytes.Buffer
	if err := s.key.DetachSign(&sig, f); err != nil {
		return nil, err
	}
	return sig.Bytes(), nil
}
