// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/tools/debrepo/aptget"
)

func (b *build) database() string { return filepath.Join(b.out, b.name+".db.tar.gz") }

// databaseFiles are all files of the repository beside its packages.
func (b *build) databaseFiles() []string {
	var names []string
	for _, kind := range []string{".db", ".files"} {
		for _, end := range []string{"", ".sig", ".tar.gz", ".tar.gz.sig", ".tar.gz.old", ".tar.gz.old.sig"} {
			names = append(names, filepath.Join(b.out, b.name+kind+end))
		}
	}
	return names
}

// publish signs the packages and enters them into the database.
func (b *build) publish(ctx context.Context) error {
	var paths []string
	for _, r := range b.results {
		if b.signer != nil {
			if err := b.detach(r.Path); err != nil {
				return err
			}
		}
		paths = append(paths, r.Path)
	}
	opt := repo.Options{Workers: b.jobs}
	if b.signer != nil {
		opt.Sign = func(_ context.Context, path string) error { return b.detach(path) }
	}
	if _, err := repo.Add(ctx, b.database(), paths, opt); err != nil {
		return err
	}
	if b.signer == nil {
		return nil
	}
	return b.writePublic()
}

// detach writes the signature of a file beside it.
func (b *build) detach(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var sig strings.Builder
	if err := b.signer.DetachSign(&sig, f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name+".sig", []byte(sig.String()), 0o644)
}

func (b *build) publicFile() string { return filepath.Join(b.out, b.name+".pub") }

// keyFile is where the private key is kept between runs: beside the directory
// of the repository, which may be served to others as a whole.
func (b *build) keyFile() string {
	if b.key != "" {
		return b.key
	}
	return filepath.Clean(b.out) + ".key"
}

// loadKey reads the signing key, or makes one on the first run.
func (b *build) loadKey() (*keyring.Signer, error) {
	name := b.keyFile()
	f, err := os.Open(name)
	if err == nil {
		defer f.Close()
		s, err := keyring.ReadPrivate(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the signing key: %w", err)
	}
	s, err := keyring.GenerateKey("rastOS repository "+b.name, b.name+"@localhost", time.Now().Add(-time.Minute), rand.Reader)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := s.WritePrivate(&text); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("keep the signing key: %w", err)
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		return nil, fmt.Errorf("keep the signing key: %w", err)
	}
	b.say("new signing key %s in %s", s.Fingerprint(), name)
	return s, nil
}

func (b *build) writePublic() error {
	var text strings.Builder
	if err := b.signer.WritePublic(&text); err != nil {
		return err
	}
	return os.WriteFile(b.publicFile(), []byte(text.String()), 0o644)
}

// sameKey refuses to add to a repository with another key than its own: pacman
// would refuse a part of it.
func (b *build) sameKey() error {
	last, err := os.ReadFile(b.publicFile())
	if errors.Is(err, fs.ErrNotExist) || !b.addsOnly() {
		return nil
	}
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := b.signer.WritePublic(&text); err != nil {
		return err
	}
	if text.String() != string(last) {
		return fmt.Errorf("the key %s is not that of the repository %s: name its key with --key", b.keyFile(), b.out)
	}
	return nil
}

func (b *build) stampFile() string { return filepath.Join(b.out, "."+b.name+".stamp") }

// stamp is a digest of all that goes into a repository, this program included.
func (b *build) stamp(debs []aptget.Deb) (string, error) {
	digest := sha256.New()
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	if err := hashFile(digest, self); err != nil {
		return "", err
	}
	fmt.Fprintf(digest, "%+v\n%v %v\n", *b.list, b.trim, b.level)
	for _, d := range debs {
		fmt.Fprintln(digest, d.Name, d.Version, d.Arch)
	}
	for _, p := range b.list.Local {
		for _, f := range p.Files {
			if f.Source != "" {
				if err := hashFile(digest, f.Source); err != nil {
					return "", err
				}
			}
		}
		if p.Tree != "" {
			if err := hashTree(digest, p.Tree); err != nil {
				return "", err
			}
		}
	}
	if b.signer != nil {
		fmt.Fprintln(digest, b.signer.Fingerprint())
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

func hashTree(w io.Writer, root string) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintln(w, name, d.Type())
		if d.Type().IsRegular() {
			return hashFile(w, name)
		}
		return nil
	})
}

func hashFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// upToDate tells whether the last run made just this. Additions to a
// repository are always made.
func (b *build) upToDate(stamp string) bool {
	if b.addsOnly() {
		return false
	}
	last, err := os.ReadFile(b.stampFile())
	if err != nil || string(last) != stamp {
		return false
	}
	_, err = os.Stat(b.database())
	return err == nil
}

func (b *build) finish(stamp string) error {
	var packed, installed int64
	for _, r := range b.results {
		if st, err := os.Stat(r.Path); err == nil {
			packed += st.Size()
		}
		installed += r.Installed
	}
	b.say("%s: %d packages, %.1f MB packed, %.1f MB installed", b.database(), len(b.results), float64(packed)/1e6, float64(installed)/1e6)
	if b.addsOnly() {
		stamp = "more than its list says"
	}
	if err := os.WriteFile(b.stampFile(), []byte(stamp), 0o644); err != nil {
		return fmt.Errorf("mark the repository: %w", err)
	}
	return nil
}
