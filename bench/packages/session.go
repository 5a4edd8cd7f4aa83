// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/bench/duel"
)

// session is one run of the benchmark.
type session struct {
	opt     *options
	dir     string // ours alone, on a tmpfs
	repo    string // the repository's directory
	gpg     string // keyring for the signed runs
	masks   string // directory of links to /dev/null, one for each hook of the packages
	names   []string
	version string // "pacman 6.0.2"
	board   *duel.Board
}

func newSession(ctx context.Context, o *options) (s *session, err error) {
	command := "make bench-packages"
	if o.set != "bench" {
		command += " SET=" + o.set
	}
	s = &session{opt: o, board: &duel.Board{Out: os.Stdout, Figures: o.figures, Command: command, Runs: o.runs}}
	if s.repo, err = filepath.Abs(filepath.Join(o.repos, o.set)); err != nil {
		return nil, err
	}
	db, err := syncdb.Open(filepath.Join(s.repo, o.set+".db"))
	if err != nil {
		return nil, fmt.Errorf("%w (`make bench-packages` builds the repository)", err)
	}
	var packed, installed int64
	for _, p := range db.Packages() {
		s.names = append(s.names, p.Name)
		packed, installed = packed+p.CompressedSize, installed+p.InstalledSize
	}
	if s.version, err = duel.PacmanVersion(ctx); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp(o.work, "rastos-bench-"); err != nil {
		return nil, err
	}
	s.gpg, s.masks = filepath.Join(s.dir, "gnupg"), filepath.Join(s.dir, "masks")
	err = makeKeyring(ctx, s.gpg, filepath.Join(s.repo, o.set+".pub"))
	if err == nil {
		err = maskHooks(s.masks, filepath.Join(s.repo, o.set+".files"))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	fmt.Printf("%d packages, %d MB packed, %d MB installed; %d processors; against %s\n",
		db.Len(), packed>>20, installed>>20, runtime.NumCPU(), s.version)
	return s, nil
}

func (s *session) close() { os.RemoveAll(s.dir) }
