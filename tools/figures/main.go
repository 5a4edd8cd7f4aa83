// SPDX-License-Identifier: GPL-3.0-or-later

// Command figures prints the figures that benchmarks have written to
// build/figures, one JSON file each, beside the project's targets. A figure
// without a file has not been measured on this machine.
//
// It exits with 1 if a measured figure misses its target and -strict is set.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// figure is what a benchmark writes.
type figure struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Peer      string  `json:"peer"`
	PeerValue float64 `json:"peer_value"`
	Runs      int     `json:"runs"`
	Date      string  `json:"date"`
}

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
	fmt.Fprintf(w, "%-26s %12s %12s  %-6s %s\n", "figure", "measured", "target", "", "against")
	for _, t := range targets() {
		f, err := read(filepath.Join(dir, t.name+".json"))
		if err != nil {
			return missed, err
		}
		if f == nil {
			fmt.Fprintf(w, "%-26s %12s %12s\n", t.name, "-", t.String())
			continue
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
		fmt.Fprintf(w, "%-26s %12s %12s  %-6s %s\n", t.name, number(f.Value)+" "+f.Unit, t.String(), verdict, f.Peer)
	}
	return missed, nil
}

func read(name string) (*figure, error) {
	data, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var f figure
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &f, nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
