// SPDX-License-Identifier: GPL-3.0-or-later

// Package figure reads and writes what benchmarks measure: one JSON file for
// each figure, build/figures/<name>.json. `make figures` prints them beside
// their targets (tools/figures).
package figure

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Figure is one measured number.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Unit is x, s, ms, MB, count or percent. x is peer ÷ ours, the medians of
	// one run in which both took turns: larger is better.
	Unit string `json:"unit"`
	// Ours is what our side took, PeerValue what Peer took, both in the unit
	// of the measurement (seconds for a ratio of times).
	Ours      float64   `json:"ours"`
	Peer      string    `json:"peer,omitempty"`
	PeerValue float64   `json:"peer_value,omitempty"`
	Runs      int       `json:"runs"`
	Command   string    `json:"command"`
	Date      time.Time `json:"date"`
}

// Write puts the figure into dir, which is made if there is none.
func Write(dir string, f Figure) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write figure %s: %w", f.Name, err)
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write figure %s: %w", f.Name, err)
	}
	path := filepath.Join(dir, f.Name+".json")
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write figure %s: %w", f.Name, err)
	}
	return nil
}

// Read reads one figure; a file that is not there is fs.ErrNotExist.
func Read(dir, name string) (*Figure, error) {
	path := filepath.Join(dir, name+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read figure: %w", err)
	}
	var f Figure
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read figure %s: %w", path, err)
	}
	return &f, nil
}

// Median of an odd number of values is the one in the middle, of an even
// number the mean of the two there.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Clone(values)
	slices.Sort(v)
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid]
	}
	return (v[mid-1] + v[mid]) / 2
}
