// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"bytes"
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
			repos[i] = solve.Repo{Name: r.Name, DB: db, Packages: db.Packages, Usage: r.Usage}
			return nil
		})
	}
	return repos, g.Wait()
}

func databasePath(env *Env, r *Repo) string { return filepath.Join(env.syncDir(), r.Name+".db") }

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
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NoDatabaseError{Repo: r.Name}
	}
	if err != nil {
		return nil, fmt.Errorf("read the database of %s: %w", r.Name, err)
	}
	sig, err := readSignature(path + ".sig")
	if err != nil {
		return nil, err
	}
	if err := verifySignature(env, bytes.NewReader(data), sig, r.SigLevel.Database); err != nil {
		return nil, &VerifyError{Object: "database " + r.Name, Path: path, Err: err}
	}
	return syncdb.Parse(bytes.NewReader(data), r.Name)
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

func verifySignature(env *Env, signed io.Reader, sig []byte, level keyring.Level) error {
	if level.Check == keyring.Never || level.Check == keyring.Optional && len(sig) == 0 {
		return nil
	}
	if env.Keyring == nil {
		if len(sig) == 0 {
			return &keyring.Error{Reason: keyring.Missing}
		}
		return &keyring.Error{Reason: keyring.NoKeyring}
	}
	_, err := env.Keyring.Verify(signed, sig, level)
	return err
}

// Sync downloads the databases of all repositories that have servers, each of
// them only if it changed. A new one takes the old one's place when it is
// verified and could be read; a repository that fails keeps what it has, and
// the others go on.
func Sync(ctx context.Context, env Env, events Events) (changed []string, err error) {
	lock, err := acquire(&env, events)
	if err != nil {
		return nil, err
	}
	defer lock.release()
	if err := os.MkdirAll(env.syncDir(), 0o755); err != nil {
		return nil, fmt.Errorf("sync databases: %w", err)
	}
	stage, err := os.MkdirTemp(env.syncDir(), ".new-")
	if err != nil {
		return nil, fmt.Errorf("sync databases: %w", err)
	}
	defer os.RemoveAll(stage)
	s := &syncer{env: &env, tell: serial(events), stage: stage}
	var errs []error
	for i := range env.Repos {
		r := &env.Repos[i]
		if len(r.Servers) == 0 {
			continue
		}
		new, err := s.repo(ctx, r)
		switch {
		case ctx.Err() != nil:
			return changed, context.Cause(ctx)
		case err != nil:
			errs = append(errs, fmt.Errorf("repository %s: %w", r.Name, err))
		case new:
			changed = append(changed, r.Name)
		}
	}
	return changed, errors.Join(errs...)
}

type syncer struct {
	env   *Env
	tell  Events
	stage string
}

// repo brings one database up to date.
func (s *syncer) repo(ctx context.Context, r *Repo) (changed bool, err error) {
	final := databasePath(s.env, r)
	staged := filepath.Join(s.stage, filepath.Base(final))
	// The fetcher compares with what is at the destination, and replaces it by
	// a rename: a second link to the present database does for both.
	if _, err := openDatabase(s.env, r, final); err == nil {
		if err := os.Link(final, staged); err != nil {
			return false, err
		}
	}
	f := s.env.fetcher(func(ev fetch.Event) { s.progress(r.Name, ev) })
	res, err := f.Fetch(ctx, []fetch.Request{{
		URLs: s.env.urls(r, r.Name+".db"), Dest: staged, Size: fetch.MaxDatabase, IfModifiedSince: true,
	}})
	if err != nil {
		return false, err
	}
	if res[0].Status == fetch.Unchanged {
		s.tell(Event{Kind: EventSync, Name: r.Name, Text: "up to date", Finished: true})
		return false, nil
	}
	if err := s.signature(ctx, r, res[0].URL, staged); err != nil {
		return false, err
	}
	if _, err := openDatabase(s.env, r, staged); err != nil {
		return false, err
	}
	if err := moveIn(staged, final, s.env.Durable); err != nil {
		return false, err
	}
	s.tell(Event{Kind: EventSync, Name: r.Name, Text: "updated", Done: res[0].Size, Total: res[0].Size, Finished: true})
	return true, nil
}

func (s *syncer) progress(name string, ev fetch.Event) {
	switch ev.Kind {
	case fetch.Progress, fetch.Started:
		s.tell(Event{Kind: EventSync, Name: name, Done: ev.Done, Total: ev.Total})
	case fetch.Retry:
		s.tell(Event{Kind: EventWarning, Name: name, Text: fmt.Sprintf("mirror %s: %v", ev.URL, ev.Err)})
	}
}

// signature fetches the database's signature from the mirror that gave the
// database: those of two mirrors may be of different days.
func (s *syncer) signature(ctx context.Context, r *Repo, url, staged string) error {
	level := r.SigLevel.Database
	if level.Check == keyring.Never {
		return nil
	}
	return s.env.fetcher(nil).Get(ctx, []fetch.Request{{
		URLs: []string{url + ".sig"}, Dest: staged + ".sig", Size: fetch.MaxSignature, Optional: true,
	}})
}

// moveIn renames a verified database, and its signature or the lack of one,
// into place. A crash between the two is found by the next verification.
func moveIn(staged, final string, durable bool) error {
	if err := os.Rename(staged, final); err != nil {
		return err
	}
	err := os.Rename(staged+".sig", final+".sig")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Remove(final + ".sig"); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil || !durable {
		return err
	}
	return flushDir(filepath.Dir(final))
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

// fetcher makes a Fetcher with the settings of the Env's and events of ours.
func (e *Env) fetcher(events func(fetch.Event)) *fetch.Fetcher {
	f := &fetch.Fetcher{Events: events}
	if t := e.Fetcher; t != nil {
		f.Client, f.Parallel, f.Stall, f.UserAgent = t.Client, t.Parallel, t.Stall, t.UserAgent
		if t.Events != nil {
			f.Events = func(ev fetch.Event) {
				t.Events(ev)
				if events != nil {
					events(ev)
				}
			}
		}
	}
	return f
}

// urls are the places of a file of a repository.
func (e *Env) urls(r *Repo, file string) []string {
	var out []string
	for _, s := range r.Servers {
		s = strings.NewReplacer("$repo", r.Name, "$arch", e.Arch).Replace(s)
		out = append(out, strings.TrimSuffix(s, "/")+"/"+escapePath(file))
	}
	return out
}

// escapePath quotes what a file name may hold and a URL may not ("+" and ":"
// stay: mirrors serve them as they are).
func escapePath(file string) string {
	return strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23", " ", "%20").Replace(file)
}
