// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/rastos/rastos/internal/host/procs"
	"github.com/rastos/rastos/internal/host/run"
)

// options are those of the command line.
type options struct {
	set     string
	repos   string
	rastos  string
	figures string
	work    string
	disks   string
	runs    int
	only    string
	profile string
	workers int
}

func main() {
	run.MaybeChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// start is the benchmark, or one of the processes that it measures.
func start(ctx context.Context) error {
	procs.Settle(os.Getenv) // as rastos does
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case installCommand:
			return installChild(ctx, os.Args[2])
		case addCommand:
			return addChild(ctx, os.Args[2])
		}
	}
	o, err := parse(os.Args[1:])
	if err != nil {
		return err
	}
	return bench(ctx, o)
}

func parse(args []string) (*options, error) {
	var o options
	f := flag.NewFlagSet("packages", flag.ContinueOnError)
	f.StringVar(&o.set, "set", "bench", "which `repository`: bench (what the figures are) or demo")
	f.StringVar(&o.repos, "repos", "build/repo", "`directory` of the repositories")
	f.StringVar(&o.rastos, "rastos", "build/rastos", "the `program` whose -Qkk is measured")
	f.StringVar(&o.figures, "figures", "", "`directory` for the figures (default: build/figures, build/figures/SET for another set)")
	f.StringVar(&o.work, "work", defaultWork(), "`directory` on a tmpfs for roots and caches")
	f.StringVar(&o.disks, "disks", "", "`directory` for the images of file systems (default: that of -work)")
	f.IntVar(&o.runs, "runs", 3, "runs of each side")
	f.StringVar(&o.only, "only", "", "figures to measure, separated by commas (default: all)")
	f.StringVar(&o.profile, "profile", "", "`directory` for processor and memory profiles of our side")
	f.IntVar(&o.workers, "workers", 0, "our workers (default: the engine's choice)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.runs < 1 {
		return nil, fmt.Errorf("-runs %d: at least one", o.runs)
	}
	if o.figures == "" {
		o.figures = "build/figures"
		if o.set != "bench" {
			o.figures = filepath.Join(o.figures, o.set)
		}
	}
	if o.disks == "" {
		o.disks = o.work
	}
	return &o, nil
}

// defaultWork is where Linux has a tmpfs.
func defaultWork() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}

// measurement makes one or more figures.
type measurement struct {
	figures []string
	run     func(context.Context, *session) error
}

// measurements are in the order in which they are made.
func measurements() []measurement {
	return []measurement{
		{[]string{"install-tmpfs", "install-memory"}, installation{figure: "install-tmpfs", medium: tmpfs}.measure},
		{[]string{"install-ext4"}, installation{figure: "install-ext4", medium: ext4}.measure},
		{[]string{"install-btrfs"}, installation{figure: "install-btrfs", medium: btrfs}.measure},
		{[]string{"install-hooks"}, installation{figure: "install-hooks", medium: tmpfs, hooks: true}.measure},
		{[]string{"install-signed"}, installation{figure: "install-signed", medium: tmpfs, signed: true}.measure},
		{[]string{"reinstall-tmpfs"}, again{figure: "reinstall-tmpfs", medium: tmpfs}.measure},
		{[]string{"reinstall-ext4"}, again{figure: "reinstall-ext4", medium: ext4}.measure},
		{[]string{"reinstall-btrfs"}, again{figure: "reinstall-btrfs", medium: btrfs}.measure},
		{[]string{"upgrade-tmpfs"}, again{figure: "upgrade-tmpfs", medium: tmpfs, from: programs}.measure},
		{[]string{"upgrade-ext4"}, again{figure: "upgrade-ext4", medium: ext4, from: programs}.measure},
		{[]string{"rewrite-ext4"}, again{figure: "rewrite-ext4", medium: ext4, from: everything}.measure},
		{[]string{"verify-all"}, verifyAll},
		{[]string{"repo-add"}, repoAdd},
	}
}

func bench(ctx context.Context, o *options) error {
	if os.Geteuid() != 0 {
		return errors.New("packages are installed by root: run this as root")
	}
	var wanted []string
	if o.only != "" {
		wanted = strings.Split(o.only, ",")
		for _, name := range wanted {
			if !known(name) {
				return fmt.Errorf("-only %s: there is no such figure here", name)
			}
		}
	}
	s, err := newSession(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	for _, m := range measurements() {
		if wanted != nil && !slices.ContainsFunc(m.figures, func(f string) bool { return slices.Contains(wanted, f) }) {
			continue
		}
		if err := m.run(ctx, s); err != nil {
			return err
		}
	}
	s.board.Print()
	return nil
}

func known(name string) bool {
	return slices.ContainsFunc(measurements(), func(m measurement) bool { return slices.Contains(m.figures, name) })
}
