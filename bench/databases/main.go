// SPDX-License-Identifier: GPL-3.0-or-later

// Databases measures questions to databases against pacman, each as a process
// of its own from start to end: to those of repositories with 60,000 packages
// (-Si, -Ss, and -Sp of 1,000 targets), and to that of a system with 1,000
// packages (rastos plan with nothing to do, which has no peer).
//
//	go run ./bench/databases -rastos build/rastos                  all figures
//	go run ./bench/databases -rastos build/rastos -only db-info    one figure
//	go run ./bench/databases -rastos build/rastos -from DIR        databases that are there already
//
// The packages are made up, always the same, and in their fields as frequent
// and as large as those of a real distribution. With -from the databases of a
// folder are asked instead (NAME.db, NAME.db.tar.gz …), and the figures have
// "-from" at the end of their names, since the targets are not for them.
//
// Both sides answer once before they are measured, so that the files are in the
// kernel's memory, and so that ours has its index. Both must give the same
// answers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/rastos/rastos/bench/duel"
)

// options are those of the command line.
type options struct {
	rastos   string
	figures  string
	work     string
	from     string
	only     string
	packages int
	targets  int
	runs     int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func parse(args []string) (*options, error) {
	var o options
	f := flag.NewFlagSet("databases", flag.ContinueOnError)
	f.StringVar(&o.rastos, "rastos", "build/rastos", "the `program` that is measured")
	f.StringVar(&o.figures, "figures", "build/figures", "`directory` for the figures")
	f.StringVar(&o.work, "work", "", "`directory` for roots (default: that of temporary files)")
	f.StringVar(&o.from, "from", "", "`directory` of databases to ask instead of those made up")
	f.StringVar(&o.only, "only", "", "figures to measure, separated by commas (default: all)")
	f.IntVar(&o.packages, "packages", 60000, "how many packages to make up")
	f.IntVar(&o.targets, "targets", 1000, "how many of them -Sp asks for")
	f.IntVar(&o.runs, "runs", 9, "runs of each side")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.runs < 1 || o.packages < 100 || o.targets < 1 {
		return nil, errors.New("at least one run and one target, and 100 packages")
	}
	return &o, nil
}

// measurements are the figures in the order in which they are made.
func measurements() []measurement {
	return []measurement{
		{"db-info", (*session).info},
		{"db-search", (*session).search},
		{"db-plan", (*session).plan},
		{"plan-noop", (*session).noop},
	}
}

// measurement makes one figure.
type measurement struct {
	figure string
	run    func(s *session, ctx context.Context, name string) error
}

func start(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	wanted, err := chosen(o.only)
	if err != nil {
		return err
	}
	s, err := newSession(ctx, o)
	if err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	for _, m := range wanted {
		name := m.figure
		if o.from != "" {
			name += "-from"
		}
		if err := m.run(s, ctx, name); err != nil {
			return err
		}
	}
	s.board.Print()
	return nil
}

func chosen(only string) ([]measurement, error) {
	all := measurements()
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.ContainsFunc(all, func(m measurement) bool { return m.figure == name }) {
			return nil, fmt.Errorf("-only %s: there is no such figure here", name)
		}
	}
	return slices.DeleteFunc(all, func(m measurement) bool { return !slices.Contains(names, m.figure) }), nil
}

func (s *session) newBoard() *duel.Board {
	return &duel.Board{Out: os.Stdout, Figures: s.opt.figures, Command: "make bench-databases", Runs: s.opt.runs}
}
