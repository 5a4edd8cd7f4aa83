// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
)

// The databases of a repository, by the ends of their names.
const (
	dbSuffix    = ".db"
	filesSuffix = ".files"
)

// SyncOptions say what Refresh fetches.
type SyncOptions struct {
	// Force fetches databases that did not change, too.
	Force bool
	// Files refreshes the databases with file lists (Name.files) instead of
	// those that transactions use.
	Files bool
}

// RepoError is a repository whose database could not be refreshed.
type RepoError struct {
	Repo string
	Err  error
}

func (e *RepoError) Error() string { return fmt.Sprintf("repository %s: %v", e.Repo, e.Err) }
func (e *RepoError) Unwrap() error { return e.Err }

// Sync is Refresh of what changed.
func Sync(ctx context.Context, env Env, events Events) (changed []string, err error) {
	return Refresh(ctx, env, SyncOptions{}, events)
}

// Refresh downloads the databases of all repositories that have servers and
// whose Usage allows it, side by side. A new one takes the old one's place
// when it is verified and could be read; a repository that fails keeps what it
// has, and the others go on. The error joins a *RepoError for each that failed.
func Refresh(ctx context.Context, env Env, opt SyncOptions, events Events) (changed []string, err error) {
	lock, err := acquire(ctx, &env, events)
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
	s := &syncer{env: &env, opt: opt, tell: serial(events), stage: stage}
	s.fetcher = env.fetcher(s.progress)
	if err := s.fetch(ctx); err != nil {
		return nil, err
	}
	for i := range s.dbs {
		switch db := &s.dbs[i]; {
		case db.err == nil && db.changed:
			changed = append(changed, db.repo.Name)
		case db.err != nil:
			err = errors.Join(err, &RepoError{Repo: db.repo.Name, Err: db.err})
		}
	}
	return changed, err
}

// syncer is one refresh.
type syncer struct {
	env     *Env
	opt     SyncOptions
	tell    Events
	stage   string
	fetcher *fetch.Fetcher
	dbs     []syncedDB
}

// syncedDB is one database on its way.
type syncedDB struct {
	repo    *Repo
	name    string // the file's
	changed bool
	err     error
}

func (s *syncer) suffix() string {
	if s.opt.Files {
		return filesSuffix
	}
	return dbSuffix
}

func (s *syncer) final(db *syncedDB) string  { return filepath.Join(s.env.syncDir(), db.name) }
func (s *syncer) staged(db *syncedDB) string { return filepath.Join(s.stage, db.name) }

// fetch brings all databases up to date; what fails is noted with each.
func (s *syncer) fetch(ctx context.Context) error {
	var reqs []fetch.Request
	for i := range s.env.Repos {
		r := &s.env.Repos[i]
		if len(r.Servers) == 0 || !r.Usage.Allows(solve.UseSync) {
			continue
		}
		s.dbs = append(s.dbs, syncedDB{repo: r, name: r.Name + s.suffix()})
	}
	for i := range s.dbs {
		db := &s.dbs[i]
		if err := s.keepForNow(db); err != nil {
			return err
		}
		reqs = append(reqs, fetch.Request{
			URLs: s.env.urls(db.repo, db.repo.Servers, db.name), Dest: s.staged(db),
			Size: fetch.MaxDatabase, IfModifiedSince: true,
		})
	}
	results, err := s.fetcher.Fetch(ctx, reqs)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if results == nil && err != nil {
		return err
	}
	for i := range s.dbs {
		db := &s.dbs[i]
		if results[i].URL == "" {
			db.err = failureOf(err, results[i].Path)
			continue
		}
		if results[i].Status == fetch.Unchanged {
			s.tell(Event{Kind: EventSync, Name: db.repo.Name, Text: "up to date", Finished: true})
			continue
		}
		if db.err = s.take(ctx, db, &results[i]); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// keepForNow puts a second link to the present database where the new one is
// to come: the fetcher compares with it, and replaces it by a rename.
func (s *syncer) keepForNow(db *syncedDB) error {
	if s.opt.Force || s.fetcher.Program != nil { // which might write into it
		return nil
	}
	if _, err := openDatabase(s.env, db.repo, s.final(db)); err != nil {
		return nil // there is none, or none that is any good
	}
	return os.Link(s.final(db), s.staged(db))
}

// failureOf finds, among joined errors, the one of a file.
func failureOf(err error, path string) error {
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		var failed *fetch.Error
		if errors.As(e, &failed) && failed.Path == path {
			return failed
		}
	}
	return err
}

// take verifies a new database and puts it in its place.
func (s *syncer) take(ctx context.Context, db *syncedDB, res *fetch.Result) error {
	staged := s.staged(db)
	if err := s.signature(ctx, db.repo, res.URL, staged); err != nil {
		return err
	}
	if _, err := openDatabase(s.env, db.repo, staged); err != nil {
		return err
	}
	if err := moveIn(staged, s.final(db), s.env.Durable); err != nil {
		return err
	}
	db.changed = true
	s.tell(Event{Kind: EventSync, Name: db.repo.Name, Text: "updated", Done: res.Size, Total: res.Size, Finished: true})
	return nil
}

func (s *syncer) progress(ev fetch.Event) {
	name := ev.Name[:max(0, len(ev.Name)-len(s.suffix()))]
	switch ev.Kind {
	case fetch.Begun:
		s.tell(Event{Kind: EventSync, Name: name, Text: TextBegun})
	case fetch.Progress, fetch.Started:
		s.tell(Event{Kind: EventSync, Name: name, Done: ev.Done, Total: ev.Total})
	case fetch.Finished:
		s.tell(Event{Kind: EventSync, Name: name, Done: ev.Done, Total: ev.Done})
	case fetch.Retry, fetch.Banned:
		s.tell(mirrorEvent(ev))
	}
}

// signature fetches the database's signature from the mirror that gave the
// database: those of two mirrors may be of different days.
func (s *syncer) signature(ctx context.Context, r *Repo, url, staged string) error {
	if r.SigLevel.Database.Check == keyring.Never {
		return nil
	}
	f := s.env.fetcher(nil)
	return f.Get(ctx, []fetch.Request{{
		URLs: []string{url + ".sig"}, Dest: staged + ".sig", Size: fetch.MaxSignature, Optional: true,
	}})
}

// moveIn renames a verified database into place, and its signature and its
// index, or the lack of one. A crash between them is found by the next
// verification, an index of another database by its digest.
func moveIn(staged, final string, durable bool) error {
	if err := os.Rename(staged, final); err != nil {
		return err
	}
	for _, suffix := range []string{".sig", syncdb.IndexSuffix} {
		err := os.Rename(staged+suffix, final+suffix)
		if errors.Is(err, fs.ErrNotExist) {
			if err = os.Remove(final + suffix); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	if !durable {
		return nil
	}
	return flushDir(filepath.Dir(final))
}
