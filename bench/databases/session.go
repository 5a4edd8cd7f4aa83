// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/bench/duel"
)

// session is one run of the benchmark.
type session struct {
	opt    *options
	board  *duel.Board
	dir    string // ours alone
	root   string
	rastos string // absolute
	peer   string // "pacman 6.0.2"
	conf   string
	repos  []string // their names, in order
	names  []string // of all packages that can be installed, in the order of the databases
}

// dbPath is where pacman's database is, below a root.
const dbPath = "var/lib/pacman"

func newSession(ctx context.Context, o *options) (s *session, err error) {
	s = &session{opt: o}
	s.board = s.newBoard()
	if s.rastos, err = filepath.Abs(o.rastos); err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.rastos); err != nil {
		return nil, fmt.Errorf("%w (`make build` makes it)", err)
	}
	if s.peer, err = duel.PacmanVersion(ctx); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp(o.work, "rastos-bench-"); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		os.RemoveAll(s.dir)
		return nil, err
	}
	return s, nil
}

// prepare makes a root with the databases of repositories and nothing installed.
func (s *session) prepare() error {
	s.root, s.conf = filepath.Join(s.dir, "root"), filepath.Join(s.dir, "pacman.conf")
	sync := filepath.Join(s.root, dbPath, "sync")
	for _, dir := range []string{sync, filepath.Join(s.root, dbPath, "local"), filepath.Join(s.root, "var/log")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(s.root, dbPath, "local/ALPM_DB_VERSION"), []byte("9\n"), 0o644); err != nil {
		return err
	}
	if s.opt.from != "" {
		if err := copyDatabases(s.opt.from, sync); err != nil {
			return err
		}
	} else if err := newUniverse().write(sync, s.opt.packages); err != nil {
		return err
	}
	return s.list(sync)
}

// copyDatabases takes the databases of a folder, whatever they are packed with.
func copyDatabases(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); !strings.Contains(name, ".db") || strings.HasSuffix(name, ".sig") || strings.HasSuffix(name, syncdb.IndexSuffix) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, syncdb.NameOf(e.Name())+".db"), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// list reads the names of all packages and writes pacman.conf.
func (s *session) list(sync string) error {
	paths, err := filepath.Glob(filepath.Join(sync, "*.db"))
	if err != nil {
		return err
	}
	text := "[options]\nArchitecture = x86_64\nSigLevel = Never\n"
	size, count := int64(0), 0
	var dbs []*syncdb.DB
	for _, path := range paths {
		db, err := syncdb.Open(path)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		size += info.Size()
		s.repos = append(s.repos, db.Name)
		dbs, count = append(dbs, db), count+db.Len()
		text += fmt.Sprintf("[%s]\nServer = https://mirror.example.org/$repo\n", db.Name)
	}
	if s.names = installable(dbs); len(s.names) < s.opt.targets {
		return fmt.Errorf("%d packages that can be installed are less than %d targets", len(s.names), s.opt.targets)
	}
	fmt.Printf("%d packages in %d databases of %d MB; %d processors; against %s\n", count, len(paths), size>>20, runtime.NumCPU(), s.peer)
	return os.WriteFile(s.conf, []byte(text), 0o644)
}

// ask is a question to one of the programs.
func (s *session) ask(program []string, question ...string) []string {
	return slices.Concat(program, []string{"--root", s.root, "--dbpath", filepath.Join(s.root, dbPath), "--config", s.conf}, question)
}

// compare measures a question to both. same holds their answers against each
// other.
func (s *session) compare(ctx context.Context, name string, same func(ours, theirs []byte) error, question ...string) error {
	ours, theirs := s.ask([]string{s.rastos, "pacman"}, question...), s.ask([]string{"pacman"}, question...)
	var answers [2][]byte
	for i, argv := range [][]string{ours, theirs} {
		var err error
		if _, answers[i], err = duel.Output(ctx, argv...); err != nil {
			return err
		}
	}
	if err := same(answers[0], answers[1]); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, _, err := s.board.Versus(name, s.peer,
		func() (duel.Usage, error) { return duel.Measure(ctx, ours...) },
		func() (duel.Usage, error) { return duel.Measure(ctx, theirs...) })
	return err
}

// identical wants the same bytes, and some.
func identical(ours, theirs []byte) error {
	if len(ours) == 0 || !bytes.Equal(ours, theirs) {
		return fmt.Errorf("the answers differ:\n%s\nand\n%s", duel.Tail(ours), duel.Tail(theirs))
	}
	return nil
}

// sameLines wants the same lines in any order: two orders of installation may
// both be right.
func sameLines(ours, theirs []byte) error {
	sorted := func(text []byte) []byte {
		lines := bytes.Split(text, []byte("\n"))
		slices.SortFunc(lines, bytes.Compare)
		return bytes.Join(lines, []byte("\n"))
	}
	return identical(sorted(ours), sorted(theirs))
}

func (s *session) info(ctx context.Context, name string) error {
	return s.compare(ctx, name, identical, "-Si", s.names[len(s.names)/2])
}

func (s *session) search(ctx context.Context, name string) error {
	return s.compare(ctx, name, identical, "-Ss", word(s.names))
}

// word is what to search for: the start of the name in the middle.
func word(names []string) string {
	name := names[len(names)/2]
	return name[:min(len(name), 6)]
}

func (s *session) plan(ctx context.Context, name string) error {
	question := []string{"-Sp", "--print-format", "%r/%n-%v"}
	step := len(s.names) / s.opt.targets
	for i := range s.opt.targets {
		question = append(question, s.names[i*step])
	}
	return s.compare(ctx, name, sameLines, question...)
}
