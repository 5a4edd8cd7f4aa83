// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/bench/duel"
	"github.com/rastos/rastos/bench/figure"
)

// dbPath is where pacman's database is, below a root.
const dbPath = "var/lib/pacman"

// installation is one way to install all packages into an empty root.
type installation struct {
	figure string
	medium medium
	signed bool // signatures are required
	hooks  bool // the hooks of the packages run
}

// measure lets ours and pacman do it in turn.
func (in installation) measure(ctx context.Context, s *session) error {
	ours := func() (duel.Usage, error) { return s.once(ctx, in, s.installOurs, s.check) }
	peers := func() (duel.Usage, error) { return s.once(ctx, in, s.installPacman, nil) }
	mine, theirs, err := s.board.Versus(in.figure, s.version, ours, peers)
	if err != nil || in.figure != "install-tmpfs" {
		return err
	}
	memory := duel.Round(duel.Median(mine, duel.Usage.Megabytes))
	return s.board.Write(figure.Figure{Name: "install-memory", Value: memory, Unit: "MB", Ours: memory, Peer: s.version,
		PeerValue: duel.Round(duel.Median(theirs, duel.Usage.Megabytes)), Runs: len(mine)})
}

// site is one installation: where it happens and how.
type site struct {
	Root, Cache, Conf string
	Repo, Name, GPG   string
	Masks             string // a directory of hooks that switches off those of packages
	Targets           []string
	Signed            bool
	Durable, Upgrade  bool // see again
	Workers           int
	Profile           string
}

// once makes a fresh place and a fresh cache, installs, flushes and checks.
func (s *session) once(ctx context.Context, in installation, do func(context.Context, *site) (duel.Usage, error), check func(context.Context, *site) error) (u duel.Usage, err error) {
	dir, err := os.MkdirTemp(s.dir, "run-")
	if err != nil {
		return u, err
	}
	defer os.RemoveAll(dir)
	p, err := newPlace(ctx, in.medium, dir, s.opt.disks)
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	at := &site{
		Root: p.root, Cache: filepath.Join(dir, "cache"), Conf: filepath.Join(dir, "pacman.conf"), Masks: s.masks,
		Repo: s.repo, Name: s.opt.set, GPG: s.gpg, Targets: s.names, Signed: in.signed, Workers: s.opt.workers, Profile: s.opt.profile,
	}
	if in.hooks {
		at.Masks = filepath.Join(dir, "no-masks")
	}
	for _, d := range []string{at.Cache, filepath.Join(at.Root, dbPath), filepath.Join(at.Root, "var/log")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return u, err
		}
	}
	if err := at.writeConf(); err != nil {
		return u, err
	}
	if u, err = do(ctx, at); err != nil {
		return u, err
	}
	if u.Sync, err = p.sync(); err != nil || check == nil {
		return u, err
	}
	return u, check(ctx, at)
}

func (s *session) installPacman(ctx context.Context, at *site) (duel.Usage, error) {
	return duel.Measure(ctx, at.pacman(append([]string{"-Sy", "--noprogressbar"}, at.Targets...)...)...)
}

// installOurs starts this program again as the installer.
func (s *session) installOurs(ctx context.Context, at *site) (duel.Usage, error) {
	data, err := json.Marshal(at)
	if err != nil {
		return duel.Usage{}, err
	}
	order := filepath.Join(filepath.Dir(at.Conf), "order.json")
	if err := os.WriteFile(order, data, 0o600); err != nil {
		return duel.Usage{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return duel.Usage{}, err
	}
	return duel.Measure(ctx, self, installCommand, order)
}
