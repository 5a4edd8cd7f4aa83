// SPDX-License-Identifier: GPL-3.0-or-later

// Debrepo makes a pacman repository out of Debian packages, for tests and for
// the demo, on hosts where no Arch mirror is at hand.
//
//	debrepo --list profiles/demo.packages --out DIR --name demo --cache DIR --sign
//
// The host's apt works out what the list needs and downloads it into the cache;
// with a full cache no network is needed. A repository that is up to date is
// left as it is. With --local alone, packages are added to a repository.
//
// Linux on one architecture, that of the host; see the package convert for how
// packages are mapped and what is not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rastos/rastos/tools/debrepo/pkglist"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	list    string
	out     string
	name    string
	cache   string
	locals  []string
	sign    bool
	key     string
	trim    bool
	refresh bool
	jobs    int
	level   string
}

func parse(args []string, errors io.Writer) (*options, error) {
	var o options
	f := flag.NewFlagSet("debrepo", flag.ContinueOnError)
	f.SetOutput(errors)
	f.StringVar(&o.list, "list", "", "`file` that names the Debian packages")
	f.StringVar(&o.out, "out", "", "`directory` of the repository")
	f.StringVar(&o.name, "name", "", "`name` of the repository (default: that of the list)")
	f.StringVar(&o.cache, "cache", "", "`directory` for downloads and apt's state")
	f.Func("local", "a package of our own: a `file` with [[local]] tables, or name=…,version=…,tree=DIR (repeatable)", func(s string) error {
		o.locals = append(o.locals, s)
		return nil
	})
	f.BoolVar(&o.sign, "sign", false, "sign packages and database; the public key is written as NAME.pub")
	f.StringVar(&o.key, "key", "", "`file` of the private key, made if it is not there (default: the directory of the repository with .key added)")
	f.BoolVar(&o.trim, "trim", false, "leave out documentation, manual pages and translations")
	f.BoolVar(&o.refresh, "refresh", false, "ask for new package indexes")
	f.IntVar(&o.jobs, "jobs", 2, "packages converted at the same time")
	f.StringVar(&o.level, "level", "default", "compression: fast or default")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	return &o, o.check(f.Args())
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.out == "":
		return errors.New("--out is missing: the directory of the repository")
	case o.list == "" && len(o.locals) == 0:
		return errors.New("nothing to do: neither --list nor --local is given")
	case o.list != "" && o.cache == "":
		return errors.New("--cache is missing: the directory for downloads")
	case o.level != "fast" && o.level != "default":
		return fmt.Errorf("--level %q: known are fast and default", o.level)
	case o.jobs < 1:
		return fmt.Errorf("--jobs %d: at least one", o.jobs)
	}
	if o.name == "" && o.list != "" {
		base := filepath.Base(o.list)
		o.name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	if o.name == "" || strings.ContainsAny(o.name, "/ ") {
		return fmt.Errorf("--name %q: not the name of a repository", o.name)
	}
	return nil
}

func run(ctx context.Context, args []string, log io.Writer) error {
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	list := &pkglist.List{}
	if o.list != "" {
		if list, err = pkglist.Load(o.list); err != nil {
			return err
		}
	}
	for _, local := range o.locals {
		if err := addLocal(list, local); err != nil {
			return err
		}
	}
	b := &build{options: *o, list: list, log: log, start: time.Now()}
	return b.run(ctx)
}

// addLocal takes a description on the command line or a file of descriptions.
func addLocal(list *pkglist.List, local string) error {
	if strings.HasPrefix(local, "name=") {
		p, err := pkglist.ParseLocal(local)
		if err != nil {
			return err
		}
		list.Local = append(list.Local, *p)
		return nil
	}
	more, err := pkglist.Load(local)
	if err != nil {
		return err
	}
	if len(more.Packages)+len(more.Exclude)+len(more.Rename) > 0 {
		return fmt.Errorf("%s: only [[local]] tables are meant here; use --list for the rest", local)
	}
	list.Local = append(list.Local, more.Local...)
	return nil
}
