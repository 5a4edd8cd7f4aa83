// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/version"
	"github.com/rastos/rastos/internal/report"
)

// Transaction is one entry of the history.
type Transaction struct {
	history.Entry
	// Kinds says of each change what it was: install, remove, upgrade,
	// downgrade or reinstall.
	Kinds []string `json:"kinds"`
	// UndoneBy names the transaction that took it back.
	UndoneBy string `json:"undone_by,omitempty"`
}

// PkgHistory tells what was done to the packages of a system, the oldest first:
// by rastos, and by pacman as its log says. names limits it to transactions that
// changed one of these packages.
func (m *Machine) PkgHistory(sink report.Sink, w *World, names []string) ([]Transaction, error) {
	entries, err := w.history(sink)
	if err != nil {
		return nil, err
	}
	undone := map[string]string{}
	for _, e := range entries {
		if e.Undoes != "" && e.Result == history.Done {
			undone[e.Undoes] = e.ID
		}
	}
	out := []Transaction{}
	for _, e := range entries {
		touched := len(names) == 0
		for _, name := range names {
			touched = touched || e.Touches(name)
		}
		if !touched {
			continue
		}
		t := Transaction{Entry: e, UndoneBy: undone[e.ID], Kinds: []string{}}
		for _, c := range e.Changes {
			t.Kinds = append(t.Kinds, c.Kind(version.Compare))
		}
		out = append(out, t)
	}
	if len(out) == 0 && len(names) > 0 {
		return nil, &unfoundError{what: "the history tells nothing of " + joinNames(names)}
	}
	return out, nil
}

// PkgTransaction is one entry of the history.
func (m *Machine) PkgTransaction(sink report.Sink, w *World, id string) (*Transaction, error) {
	all, err := m.PkgHistory(sink, w, nil)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, &unfoundError{what: "the history has no transaction " + id, hint: "`rastos pkg history` lists them"}
}

// history reads all that is known.
func (w *World) history(sink report.Sink) ([]history.Entry, error) {
	env, err := w.Env()
	if err != nil {
		return nil, err
	}
	log := w.historyLog(env.DBPath)
	ours, damaged, err := log.Read()
	if err != nil {
		return nil, err
	}
	if damaged > 0 {
		report.Warnf(sink, "%s: %d damaged lines are passed over", log.Path, damaged)
	}
	data, err := os.ReadFile(cmp.Or(w.logFile, filepath.Join(w.Root, conf.DefaultLogFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return ours, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read pacman's log: %w", err)
	}
	pacmans, err := history.ReadPacmanLog(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return history.Merge(ours, pacmans), nil
}
