// SPDX-License-Identifier: GPL-3.0-or-later

// Command conformance runs pacman's own test suite on rastos. The suite is
// part of pacman's source, which is fetched with apt and kept in -cache; it is
// never part of this module. Run it by `make conformance`, which builds the
// binary before, or
//
//	go run ./tools/conformance -program build/rastos [-run REGEXP] [-v]
//
// It prints how many cases passed in each area (the beginning of their names)
// and which rules of which cases failed, and writes the figures pactest-passed
// and pactest-failed. Cases of which pacman itself is known to fail, by the
// list in the suite's own meson.build, may fail. It exits with 1 if another
// one did, 2 if the suite cannot be run.
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
	"regexp"
	"runtime"
	"syscall"
	"time"

	"github.com/rastos/rastos/bench/figure"
)

// settings are what the command line says.
type settings struct {
	program, cache, figures string
	only                    *regexp.Regexp
	verbose                 bool
	workers                 int
}

func main() {
	var s settings
	flag.StringVar(&s.program, "program", "build/rastos", "the `binary` to test")
	flag.StringVar(&s.cache, "cache", "build/cache", "where pacman's source is kept")
	flag.StringVar(&s.figures, "figures", "build/figures", "where the figures go")
	flag.IntVar(&s.workers, "workers", min(2, runtime.NumCPU()), "cases at a time")
	only := flag.String("run", "", "only cases that match this `regexp`; no figures are written")
	flag.BoolVar(&s.verbose, "v", false, "print what the program said in cases that failed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if s.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	failed, err := s.run(ctx, os.Stdout)
	switch {
	case ctx.Err() != nil:
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	case failed:
		os.Exit(1)
	}
}

// run returns whether a case failed that should not.
func (s settings) run(ctx context.Context, out io.Writer) (failed bool, err error) {
	if os.Geteuid() != 0 {
		return false, errors.New("the suite needs root: its cases install files and enter a root")
	}
	suite, err := fetchSuite(ctx, s.cache, out)
	if err != nil {
		return false, err
	}
	cases, err := suite.cases(s.only)
	if err != nil {
		return false, err
	}
	program, err := filepath.Abs(s.program)
	if err != nil {
		return false, err
	}
	began := time.Now()
	results, err := runCases(ctx, suite, program, cases, s.workers)
	if err != nil {
		return false, err
	}
	sum := summarise(results, suite.xfail)
	sum.print(out, s.verbose)
	fmt.Fprintf(out, "%d cases of %s in %.1f s\n", len(results), suite.version, time.Since(began).Seconds())
	if s.only.String() == "" {
		err = sum.writeFigures(s.figures, suite.version, began)
	}
	return len(sum.unexpected) > 0, err
}

func (s summary) writeFigures(dir, version string, when time.Time) error {
	for _, f := range []figure.Figure{
		{Name: "pactest-passed", Value: float64(s.passed), Ours: float64(s.passed)},
		{Name: "pactest-failed", Value: float64(len(s.unexpected)), Ours: float64(len(s.unexpected))},
	} {
		f.Unit, f.Peer, f.Runs, f.Command, f.Date = "count", version, 1, "make conformance", when.UTC()
		if f.Name == "pactest-passed" {
			f.PeerValue = float64(s.total() - s.xfails)
		}
		if err := figure.Write(dir, f); err != nil {
			return err
		}
	}
	return nil
}
