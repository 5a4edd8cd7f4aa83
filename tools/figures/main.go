// SPDX-License-Identifier: GPL-3.0-or-later

// Command figures prints the figures that benchmarks have written to
// build/figures, one JSON file each, beside the project's targets. A figure
// without a file has not been measured on this machine.
//
// It exits with 1 if a measured figure misses its target and -strict is set.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rastos/rastos/bench/figure"
)

func main() {
	dir := flag.String("dir", "build/figures", "where the figures are")
	strict := flag.Bool("strict", false, "fail if a measured figure misses its target")
	flag.Parse()
	missed, err := run(os.Stdout, *dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
	if missed > 0 && *strict {
		os.Exit(1)
	}
}

func run(w io.Writer, dir string) (missed int, err error) {
	row := func(name, measured, target, verdict, peer string) {
		line := fmt.Sprintf("%-26s %12s %12s  %-6s %s", name, measured, target, verdict, peer)
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	row("figure", "measured", "target", "", "against")
	for _, t := range targets() {
		f, err := figure.Read(dir, t.name)
		if errors.Is(err, fs.ErrNotExist) {
			row(t.name, "-", t.String(), "", "")
			continue
		}
		if err != nil {
			return missed, err
		}
		verdict := "ok"
		switch {
		case f.Unit != t.unit:
			verdict = "unit?"
			missed++
		case !t.met(f.Value):
			verdict = "MISSED"
			missed++
		}
		row(t.name, number(f.Value)+" "+f.Unit, t.String(), verdict, f.Peer)
	}
	return missed, others(dir, row)
}

// others shows the figures that have no target.
func others(dir string, row func(name, measured, target, verdict, peer string)) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if slices.ContainsFunc(targets(), func(t target) bool { return t.name == name }) {
			continue
		}
		f, err := figure.Read(dir, name)
		if err != nil {
			return err
		}
		row(name, number(f.Value)+" "+f.Unit, "none", "", f.Peer)
	}
	return nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
