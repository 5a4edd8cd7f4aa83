// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
	"golang.org/x/sync/errgroup"
)

// openRepos reads and verifies the databases that are not in memory yet.
func openRepos(ctx context.Context, env *Env) ([]solve.Repo, error) {
	repos := make([]solve.Repo, len(env.Repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(env.workers())
	for i := range env.Repos {
		g.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			r := &env.Repos[i]
			db := r.DB
			if db == nil {
				var err error
				if db, err = openDatabase(env, r, databasePath(env, r)); err != nil {
					return err
				}
			}
			repos[i] = solve.Repo{Name: r.Name, DB: db, Usage: r.Usage}
			return nil
		})
	}
	return repos, g.Wait()
}

// unread tells of a database that could not be read to its end while it was
// asked: what was worked out by it may be wrong.
func unread(repos []solve.Repo) error {
	for _, r := range repos {
		if db, ok := r.DB.(*syncdb.DB); ok && db.Err() != nil {
			return db.Err()
		}
	}
	return nil
}

func databasePath(env *Env, r *Repo) string { return filepath.Join(env.syncDir(), r.Name+dbSuffix) }

// NoDatabaseError is a repository whose database was never downloaded.
type NoDatabaseError struct{ Repo string }

func (e *NoDatabaseError) Error() string {
	return fmt.Sprintf("repository %s: %v", e.Repo, ErrNoDatabase)
}
func (e *NoDatabaseError) Unwrap() error { return ErrNoDatabase }

// Hint tells what to do.
func (e *NoDatabaseError) Hint() string { return "refresh the databases first" }

// openDatabase reads the database at path, and its signature beside it.
func openDatabase(env *Env, r *Repo, path string) (*syncdb.DB, error) {
	opt := syncdb.Options{Name: r.Name, Index: strings.HasSuffix(path, dbSuffix)}
	if level := r.SigLevel.Database; level.Check != keyring.Never {
		sig, err := readSignature(path + ".sig")
		if err != nil {
			return nil, err
		}
		opt.Vouch = func(data io.Reader) error {
			if _, err := verifySignature(env, data, sig, level); err != nil {
				return &VerifyError{Object: "database " + r.Name, Path: path, Err: err}
			}
			return nil
		}
	}
	db, err := syncdb.OpenWith(path, opt)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NoDatabaseError{Repo: r.Name}
	}
	return db, err
}

// readSignature returns nil where there is none.
func readSignature(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read signature: %w", err)
	}
	defer f.Close()
	sig, err := io.ReadAll(io.LimitReader(f, fetch.MaxSignature+1))
	if err != nil {
		return nil, fmt.Errorf("read signature: %w", err)
	}
	if len(sig) > fetch.MaxSignature {
		return nil, &VerifyError{Object: filepath.Base(path), Path: path, Err: &keyring.Error{Reason: keyring.Malformed}}
	}
	return sig, nil
}

func verifySignature(env *Env, signed io.Reader, sig []byte, level keyring.Level) (*keyring.Verdict, error) {
	if level.Check == keyring.Never || level.Check == keyring.Optional && len(sig) == 0 {
		return &keyring.Verdict{}, nil
	}
	if env.Keyring == nil {
		if len(sig) == 0 {
			return nil, &keyring.Error{Reason: keyring.Missing}
		}
		return nil, &keyring.Error{Reason: keyring.NoKeyring}
	}
	return env.Keyring.Verify(signed, sig, level)
}

func flushDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("flush %s: %w", dir, err)
	}
	return nil
}
