// SPDX-License-Identifier: GPL-3.0-or-later

package repos

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

// Request says how the database of a package repository is changed.
type Request struct {
	DB               string // path of the database, NAME.db.tar.gz or its like
	Key              string // file with the private key that signs; empty: nothing is signed
	NewKey           string // make that key first, for "Name <name@example.org>"
	OnlyNew          bool
	PreventDowngrade bool
	RemoveOld        bool
	Workers          int
}

// Result says what became of it.
type Result struct {
	Database string    `json:"database"`
	Added    []Package `json:"added"`
	Removed  []string  `json:"removed"` // entries, as "acl-2.3.1-1"
	Skipped  []Skip    `json:"skipped"`
	Signed   []string  `json:"signed"` // packages that got a signature
	Key      string    `json:"key,omitempty"`
	Public   string    `json:"public_key,omitempty"` // file with the public key, if it was made
}

// Package is one new entry.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	File    string `json:"file"`
	Signed  bool   `json:"signed"`
}

// Skip is a package that was left alone.
type Skip struct {
	File   string `json:"file"`
	Entry  string `json:"entry"`
	Reason string `json:"reason"`
}

// keyError is a key that cannot sign.
type keyError struct {
	file string
	err  error
}

func (e *keyError) Error() string {
	return fmt.Sprintf("sign with the key in %s: %v", e.file, e.err)
}
func (e *keyError) Unwrap() error { return e.err }
func (e *keyError) Hint() string {
	switch {
	case errors.Is(e.err, fs.ErrNotExist):
		return "--new-key 'Name <name@example.org>' makes one there"
	case errors.Is(e.err, fs.ErrExist):
		return "leave --new-key out to sign with it"
	}
	return "it wants a private key, as gpg --export-secret-keys writes it"
}

// Create makes an empty database.
func (m Repos) Create(ctx context.Context, sink report.Sink, r Request) (Result, error) {
	if _, err := os.Lstat(r.DB); err == nil {
		return Result{}, report.WithHint(fmt.Errorf("%s is already there", r.DB), "rastos repo add puts packages into it")
	}
	return m.change(ctx, sink, r, nil, func(opt repo.Options) (repo.Result, error) {
		return repo.Add(ctx, r.DB, nil, opt)
	})
}

// Add puts packages into a database, which is made if need be. With a
// key, packages without a signature get one first.
func (m Repos) Add(ctx context.Context, sink report.Sink, r Request, packages []string) (Result, error) {
	return m.change(ctx, sink, r, packages, func(opt repo.Options) (repo.Result, error) {
		return repo.Add(ctx, r.DB, packages, opt)
	})
}

// Remove takes packages out of a database.
func (m Repos) Remove(ctx context.Context, sink report.Sink, r Request, names []string) (Result, error) {
	return m.change(ctx, sink, r, nil, func(opt repo.Options) (repo.Result, error) {
		return repo.Remove(ctx, r.DB, names, opt)
	})
}

// change signs, changes the database and sums up. When the change fails,
// the signatures and the key that were made for it go again.
func (m Repos) change(ctx context.Context, sink report.Sink, r Request, packages []string, change func(repo.Options) (repo.Result, error)) (res Result, err error) {
	var scope plan.Scope
	defer scope.Close(&err)
	s, err := m.signer(r, &scope)
	if err != nil {
		return Result{}, err
	}
	opt := repo.Options{Workers: r.Workers, OnlyNew: r.OnlyNew, PreventDowngrade: r.PreventDowngrade, RemoveOld: r.RemoveOld}
	res = Result{Database: r.DB, Added: []Package{}, Removed: []string{}, Skipped: []Skip{}, Signed: []string{}}
	if s != nil {
		opt.Sign = s.sign
		res.Key, res.Public = s.key.Fingerprint(), s.public
		if res.Signed, err = s.packages(ctx, packages, &scope); err != nil {
			return Result{}, err
		}
	}
	_, unsigned := os.Lstat(r.DB + ".sig")
	changed, err := change(opt)
	if err != nil {
		return Result{}, err
	}
	scope.Keep()
	if s == nil && unsigned == nil {
		report.Warnf(sink, "%s was signed before and is not any more: --sign signs it", r.DB)
	}
	res.sum(changed)
	return res, nil
}

func (res *Result) sum(changed repo.Result) {
	for _, p := range changed.Added {
		res.Added = append(res.Added, Package{Name: p.Name, Version: p.Version, File: p.Filename, Signed: p.PGPSig != ""})
	}
	for _, s := range changed.Skipped {
		res.Skipped = append(res.Skipped, Skip{File: s.Path, Entry: s.Entry, Reason: s.Why})
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

// signer signs with one key.
type signer struct {
	key    *keyring.Signer
	public string
}

// signer reads the key, or makes it.
func (m Repos) signer(r Request, scope *plan.Scope) (*signer, error) {
	if r.Key == "" {
		return nil, nil
	}
	if r.NewKey != "" {
		s, err := m.newKey(r, scope)
		if err != nil {
			return nil, &keyError{r.Key, err}
		}
		return s, nil
	}
	data, err := os.ReadFile(r.Key)
	if err != nil {
		return nil, &keyError{r.Key, err}
	}
	key, err := keyring.ReadPrivate(bytes.NewReader(data))
	if err != nil {
		return nil, &keyError{r.Key, err}
	}
	key.Now = m.Now
	return &signer{key: key}, nil
}

// newKey makes a key: the private part in the file named, the public one
// beside it.
func (m Repos) newKey(r Request, scope *plan.Scope) (*signer, error) {
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
	s := &signer{key: key, public: r.Key + ".pub"}
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
func (s *signer) packages(ctx context.Context, paths []string, scope *plan.Scope) ([]string, error) {
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
func (s *signer) sign(_ context.Context, path string) error {
	sig, err := s.signature(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path+".sig", sig, 0o644)
}

func (s *signer) signature(path string) ([]byte, error) {
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
