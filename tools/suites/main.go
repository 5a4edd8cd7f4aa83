// SPDX-License-Identifier: GPL-3.0-or-later

// Command suites runs the tests of the module in suites, from the quick and
// pure to whole machines, and prints what `go test` itself says last of each
// package ("ok … 0.012s"), the output of what failed, and at the end a table
// with the seconds and the number of skipped tests of each suite.
//
//	go run ./tools/suites              all suites
//	go run ./tools/suites pure fs      these suites
//
// A test says by testkit.Integration that it is no pure one; the suites after
// the first set RASTOS_TEST_INTEGRATION=1 and run the packages with such
// tests. It exits with 1 if anything failed, 130 if interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	limit := flag.Duration("limit", 40*time.Minute, "end everything after this long")
	verbose := flag.Bool("v", false, "print the output of tests that pass, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	os.Exit(run(ctx, os.Stdout, flag.Args(), os.Getenv("CI") == "true", *verbose))
}

func run(ctx context.Context, w io.Writer, names []string, ci, verbose bool) int {
	chosen, err := choose(names)
	if err != nil {
		fmt.Fprintln(w, "suites:", err)
		return 2
	}
	var results []result
	for _, s := range chosen {
		r := runSuite(ctx, w, s, ci, verbose)
		results = append(results, r)
		if ctx.Err() != nil {
			break
		}
	}
	printTable(w, results)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		fmt.Fprintln(w, "suites: the time limit is reached")
		return 1
	case ctx.Err() != nil:
		return 130
	case slices.ContainsFunc(results, func(r result) bool { return r.failed() }):
		return 1
	}
	return 0
}

func choose(names []string) ([]suite, error) {
	all := suites()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []suite
	for _, name := range names {
		i := slices.IndexFunc(all, func(s suite) bool { return s.name == name })
		if i < 0 {
			var known []string
			for _, s := range all {
				known = append(known, s.name)
			}
			return nil, fmt.Errorf("no suite is called %q; there are: %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func printTable(w io.Writer, results []result) {
	var sum result
	fmt.Fprintf(w, "\n%-8s %9s %8s %8s %8s %9s\n", "suite", "packages", "passed", "failed", "skipped", "seconds")
	for _, r := range results {
		row(w, r)
		sum.packages += r.packages
		sum.broken += r.broken
		sum.passed += r.passed
		sum.failures += r.failures
		sum.skipped += r.skipped
		sum.later += r.later
		sum.took += r.took
	}
	sum.name = "all"
	row(w, sum)
	if sum.later > 0 {
		fmt.Fprintf(w, "Not counted: %d tests that the pure and race suites leave to later ones.\n", sum.later)
	}
	fmt.Fprintf(w, "skipped tests: %d\n", sum.skipped)
}

func row(w io.Writer, r result) {
	note := ""
	if r.broken > 0 {
		note = fmt.Sprintf("  %d packages failed", r.broken)
	}
	fmt.Fprintf(w, "%-8s %9d %8d %8d %8d %9.1f%s\n", r.name, r.packages, r.passed, r.failures, r.skipped, r.took.Seconds(), note)
}
