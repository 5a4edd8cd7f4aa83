// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/bench/duel"
	"github.com/rastos/rastos/internal/host/linux"
)

// again changes a root in which all packages are installed already. Ours does
// it in place and durably, as rastos does: staged, by journal, flushed at the
// end. pacman flushes nothing.
type again struct {
	figure string
	medium medium
	from   older // an older version of all packages; nil: a reinstall
}

// older tells which files another version has other content in.
type older func(path string) (bool, error)

// programs are what differs after a rebuild: programs and libraries.
func programs(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var magic [4]byte
	n, err := io.ReadFull(f, magic[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n == len(magic) && string(magic[:]) == "\x7fELF", err
}

// everything is the worst case.
func everything(string) (bool, error) { return true, nil }

// oldVersion is what the packages are upgraded from; no package has a lower one.
const oldVersion = "0a0-1"

func (a again) measure(ctx context.Context, s *session) error {
	in := installation{figure: a.figure, medium: a.medium}
	once := func(do func(context.Context, *site) (duel.Usage, error), check func(context.Context, *site) error) func() (duel.Usage, error) {
		return func() (duel.Usage, error) {
			return s.once(ctx, in, func(ctx context.Context, at *site) (duel.Usage, error) {
				if err := a.ready(ctx, s, at); err != nil {
					return duel.Usage{}, err
				}
				return do(ctx, at)
			}, check)
		}
	}
	_, _, err := s.board.Versus(a.figure, s.version, once(s.installOurs, s.check), once(a.pacman, nil))
	return err
}

// ready installs everything, unmeasured and the same for both sides, and makes
// the site one of the change that follows.
func (a again) ready(ctx context.Context, s *session, at *site) error {
	profile := at.Profile
	at.Profile = ""
	if _, err := s.installOurs(ctx, at); err != nil {
		return err
	}
	if a.from != nil {
		if err := errors.Join(age(filepath.Join(at.Root, dbPath, "local")), alter(filepath.Join(at.Root, "usr"), a.from)); err != nil {
			return err
		}
	}
	at.Profile, at.Durable, at.Upgrade = profile, true, a.from != nil
	return linux.SyncFS(at.Root)
}

// age gives all installed packages an old version.
func age(local string) error {
	entries, err := os.ReadDir(local)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, version, ok := desc.SplitEntry(e.Name())
		if !ok {
			continue
		}
		to := filepath.Join(local, name+"-"+oldVersion)
		if err := os.Rename(filepath.Join(local, e.Name()), to); err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(to, "desc"))
		if err != nil {
			return err
		}
		text := strings.Replace(string(data), "%VERSION%\n"+version+"\n", "%VERSION%\n"+oldVersion+"\n", 1)
		if err := os.WriteFile(filepath.Join(to, "desc"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// alter gives the files that differ other content.
func alter(dir string, differs older) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if yes, err := differs(path); err != nil || !yes {
			return err
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("\n")
		return errors.Join(err, f.Close())
	})
}

func (a again) pacman(ctx context.Context, at *site) (duel.Usage, error) {
	args := append([]string{"-S", "--noprogressbar"}, at.Targets...)
	if a.from != nil {
		args = []string{"-Su", "--noprogressbar"}
	}
	return duel.Measure(ctx, at.pacman(args...)...)
}
