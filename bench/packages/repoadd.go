// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/bench/duel"
)

// addCommand makes this program the maker of a database that is measured.
const addCommand = "add-from"

// repoAdd measures the making of a database of all packages.
func repoAdd(ctx context.Context, s *session) error {
	archives, err := filepath.Glob(filepath.Join(s.repo, "*.pkg.tar.zst"))
	if err != nil || len(archives) == 0 {
		return errors.Join(err, fmt.Errorf("no archives in %s", s.repo))
	}
	ours := func() (duel.Usage, error) { return s.makeDatabase(ctx, archives, s.addOurs) }
	peers := func() (duel.Usage, error) {
		return s.makeDatabase(ctx, archives, func(ctx context.Context, db string, archives []string) (duel.Usage, error) {
			return duel.Measure(ctx, append([]string{"repo-add", "--quiet", db}, archives...)...)
		})
	}
	_, _, err = s.board.Versus("repo-add", "repo-add of "+s.version, ours, peers)
	return err
}

// makeDatabase has a database made in a fresh folder and counts its packages.
func (s *session) makeDatabase(ctx context.Context, archives []string, do func(context.Context, string, []string) (duel.Usage, error)) (duel.Usage, error) {
	dir, err := os.MkdirTemp(s.dir, "db-")
	if err != nil {
		return duel.Usage{}, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "made.db.tar.gz")
	u, err := do(ctx, path, archives)
	if err != nil {
		return u, err
	}
	db, err := syncdb.Open(path)
	if err != nil {
		return u, err
	}
	if db.Len() != len(s.names) {
		return u, fmt.Errorf("the database has %d packages instead of %d", db.Len(), len(s.names))
	}
	return u, nil
}

// addOrder is what our maker of a database is told.
type addOrder struct {
	DB       string
	Archives []string
	Profile  string
}

func (s *session) addOurs(ctx context.Context, db string, archives []string) (duel.Usage, error) {
	data, err := json.Marshal(addOrder{db, archives, s.opt.profile})
	if err != nil {
		return duel.Usage{}, err
	}
	order := filepath.Join(filepath.Dir(db), "order.json")
	if err := os.WriteFile(order, data, 0o600); err != nil {
		return duel.Usage{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return duel.Usage{}, err
	}
	return duel.Measure(ctx, self, addCommand, order)
}

// addChild does what repo-add does, with alpm/repo.
func addChild(ctx context.Context, order string) error {
	data, err := os.ReadFile(order)
	if err != nil {
		return err
	}
	var o addOrder
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	stop, err := startProfile(o.Profile)
	if err != nil {
		return err
	}
	if _, err := repo.Add(ctx, o.DB, o.Archives, repo.Options{}); err != nil {
		return err
	}
	return stop()
}
