// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/bench/duel"
	"github.com/rastos/rastos/bench/figure"
)

// noopSystem is how many packages the system of plan-noop has at least.
const noopSystem = 1000

// nothingToDo is what rastos plan says of a system that needs no change.
const nothingToDo = "the system is what its manifest says"

// noop measures rastos plan, as a process from start to end, where nothing is
// to be done.
func (s *session) noop(ctx context.Context, name string) error {
	count, err := s.populate(ctx)
	if err != nil {
		return err
	}
	plan := []string{s.rastos, "plan", s.manifest(), "--root", s.root}
	// What the manifest says beside packages is set by apply.
	if _, err := duel.Measure(ctx, s.rastos, "apply", s.manifest(), "--root", s.root, "--yes"); err != nil {
		return err
	}
	var runs []duel.Usage
	for i := range s.opt.runs {
		u, out, err := duel.Output(ctx, plan...)
		if err != nil {
			return err
		}
		if !bytes.Contains(out, []byte(nothingToDo)) {
			return fmt.Errorf("%s: there is something to do:\n%s", name, duel.Tail(out))
		}
		fmt.Printf("%s %d/%d: %d packages, %.3f s, %.3f s CPU\n", name, i+1, s.opt.runs, count, u.Wall.Seconds(), u.CPU.Seconds())
		runs = append(runs, u)
	}
	ms := 1000 * duel.Median(runs, duel.Usage.Seconds)
	return s.board.Write(figure.Figure{Name: name, Value: ms, Unit: "ms", Ours: ms, Runs: len(runs)})
}

func (s *session) manifest() string { return filepath.Join(s.dir, "machine.toml") }

// populate writes a local database of noopSystem packages, and the manifest
// that fits to it.
func (s *session) populate(ctx context.Context) (count int, err error) {
	packages, err := s.closed(ctx)
	if err != nil {
		return 0, err
	}
	needed := map[string]bool{}
	for _, p := range packages {
		for _, text := range p.Depends {
			needed[desc.ParseDep(text).Name] = true
		}
	}
	db, err := localdb.OpenWith(filepath.Join(s.root, dbPath, "local"), localdb.Options{Fast: true})
	if err != nil {
		return 0, err
	}
	var official []string
	for _, p := range packages {
		installed := *p
		installed.InstallDate = epoch.Unix()
		if installed.Reason = desc.Depend; !needed[p.Name] {
			installed.Reason = desc.Explicit
			official = append(official, fmt.Sprintf("%q", p.Name))
		}
		if err := db.Add(&installed, nil); err != nil {
			return 0, err
		}
	}
	text := fmt.Sprintf("[system]\nhostname = \"bench\"\n[packages]\nofficial = [%s]\n[kernel]\npackage = %s\n", strings.Join(official, ", "), official[0])
	for _, r := range s.repos {
		text += fmt.Sprintf("[[repository]]\nname = %q\nservers = [\"https://mirror.example.org/$repo\"]\nsiglevel = \"never\"\n", r)
	}
	return len(packages), os.WriteFile(s.manifest(), []byte(text), 0o644)
}

// closed are packages that bring all their dependencies: the beginning of an
// order of installation.
func (s *session) closed(ctx context.Context) ([]*desc.Package, error) {
	question := []string{"-Sp", "--print-format", "%r/%n"}
	for i := range noopSystem {
		question = append(question, s.names[i*len(s.names)/noopSystem])
	}
	_, answer, err := duel.Output(ctx, s.ask([]string{s.rastos, "pacman"}, question...)...)
	if err != nil {
		return nil, err
	}
	repos := map[string]*syncdb.DB{}
	var packages []*desc.Package
	for line := range strings.FieldsSeq(string(answer)) {
		repo, name, ok := strings.Cut(line, "/")
		if !ok {
			return nil, fmt.Errorf("not repository/name: %q", line)
		}
		if repos[repo] == nil {
			if repos[repo], err = syncdb.Open(filepath.Join(s.root, dbPath, "sync", repo+".db")); err != nil {
				return nil, err
			}
		}
		if packages = append(packages, repos[repo].Package(name)); len(packages) == noopSystem {
			break
		}
	}
	return packages, nil
}
