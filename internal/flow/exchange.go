// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/internal/report"
)

// exchange is folders of the running system whose place others take. It is
// written down before the first is mounted, and the one step that makes it valid
// is its mark: a kill before that leaves it to be taken back, whoever changes
// something next. A power cut leaves nothing of it.
type exchange struct {
	Shown      []shown `json:"shown"`
	Deployment int     `json:"deployment,omitempty"` // the one that takes over; 0: a trial
	Fresh      bool    `json:"fresh,omitempty"`      // which has not run before
	Trial      string  `json:"trial,omitempty"`      // its work folder

	m         *Machine
	obstacles []string
}

// shown is one of its folders.
type shown struct {
	Dir    string   `json:"dir"`
	Source string   `json:"source"` // what is seen there
	Access string   `json:"access"` // "ro" or "rw"
	File   bool     `json:"file,omitempty"`
	Below  []string `json:"-"` // what is mounted below it, and stays so
}

func (m *Machine) exchangeJournal() string { return m.thisBoot("exchange.json") }
func (m *Machine) exchangeStage() string   { return m.thisBoot("exchange") }

func (x *exchange) obstacle(format string, args ...any) {
	x.obstacles = append(x.obstacles, fmt.Sprintf(format, args...))
}

func (x *exchange) folders() (names []string) {
	for _, s := range x.Shown {
		names = append(names, s.Dir)
	}
	return names
}

// add lets source take the place of a folder, and finds out what is mounted below
// that and whether it can be below the new one. What is seen there already stays.
func (x *exchange) add(dir, source, access string) error {
	if there, err := x.m.Mounts.Shows(dir, source); err != nil || there {
		return err
	}
	s := shown{Dir: dir, Source: source, Access: access}
	targets, err := x.m.Mounts.Below(dir)
	if err != nil {
		return err
	}
	slices.Sort(targets)
	for _, target := range slices.Compact(targets) {
		rel, err := filepath.Rel(dir, target)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(filepath.Join(source, rel)); err != nil {
			x.obstacle("%s is mounted, and the new %s has no place for it", target, dir)
			continue
		}
		s.Below = append(s.Below, target)
	}
	x.Shown = append(x.Shown, s)
	return nil
}

// run exchanges the folders and has commit write the mark. What fails is taken
// back, by takeBack beside the mounts.
func (x *exchange) run(commit, takeBack func() error) error {
	data, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(x.m.exchangeStage(), 0o700); err != nil {
		return err
	}
	if err := writeMark(x.m.exchangeJournal(), string(data)); err != nil {
		return err
	}
	if err = x.mount(); err == nil {
		err = commit()
	}
	if err != nil {
		return errors.Join(err, x.undo(takeBack))
	}
	return os.Remove(x.m.exchangeJournal())
}

func (x *exchange) mount() error {
	for _, s := range x.Shown {
		if err := x.one(s); err != nil {
			return err
		}
	}
	return nil
}

// one puts one folder in the place of another, with all that is mounted below
// that, in one step: it is put together elsewhere first.
func (x *exchange) one(s shown) error {
	stage, mounts := x.m.exchangeStage(), x.m.Mounts
	if s.File {
		return mounts.Mount(s.Source, s.Dir, "", "bind")
	}
	if err := mounts.Mount(s.Source, stage, "", "bind,private,"+s.Access); err != nil {
		return err
	}
	for _, target := range s.Below {
		rel, err := filepath.Rel(s.Dir, target)
		if err != nil {
			return err
		}
		if err := mounts.Mount(target, filepath.Join(stage, rel), "", "bind,private"); err != nil {
			return err
		}
	}
	if err := mounts.Mount(stage, s.Dir, "", "rbind"); err != nil {
		return err
	}
	return mounts.Release(stage)
}

// undo takes all of it back. Where it fails, the journal stays for another try.
func (x *exchange) undo(takeBack func() error) error {
	if err := x.m.Mounts.Release(x.m.exchangeStage()); err != nil {
		return err
	}
	for _, s := range slices.Backward(x.Shown) {
		there, err := x.m.Mounts.Shows(s.Dir, s.Source)
		if err == nil && there {
			err = x.m.Mounts.Detach(s.Dir)
		}
		if err != nil {
			return err
		}
	}
	if err := takeBack(); err != nil {
		return err
	}
	return os.Remove(x.m.exchangeJournal())
}

// recoverExchange takes back what was killed before its mark was written.
func (m *Machine) recoverExchange(sys *System, sink report.Sink) error {
	data, err := os.ReadFile(m.exchangeJournal())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	x := &exchange{m: m}
	if err := json.Unmarshal(data, x); err != nil {
		return fmt.Errorf("read %s: %w", m.exchangeJournal(), err)
	}
	whole, err := x.whole()
	if err != nil {
		return err
	}
	if whole {
		return os.Remove(m.exchangeJournal())
	}
	if err := x.undo(func() error { return m.forgetTry(sys, x) }); err != nil {
		return fmt.Errorf("take back what an interrupted run had mounted: %w", err)
	}
	report.Notef(sink, "took back what an interrupted run had mounted over %s", strings.Join(x.folders(), " "))
	return nil
}

// whole tells whether the mark of an exchange was written.
func (x *exchange) whole() (bool, error) {
	if x.Trial != "" {
		t, err := x.m.trial()
		return t != nil && t.Work == x.Trial, err
	}
	live, err := x.m.liveDeployment(0)
	return live == x.Deployment, err
}
