// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Store is the tree of nodes of one file system. Top is the absolute path
// where its top level (subvolume 5) is mounted. Whoever changes a Store holds
// the lock of the system; reading needs none.
type Store struct {
	Top     string
	Files   Files
	Subvols Subvolumes
	Now     func() time.Time
	NewUUID func() (string, error)
	// Hold locks a file for as long as this process lives, or tells that another
	// one does. nil: nobody else works here.
	Hold func(path string) (release func(), busy bool, err error)
	// Holder is who works here, for others to read.
	Holder Holder
}

// Holder is a process and the person that it works for.
type Holder struct {
	PID  int    `json:"pid,omitempty"`
	User string `json:"user,omitempty"`
}

const (
	statePath = Folder + "/state.json"
	nodesDir  = Folder + "/nodes"
	workDir   = Folder + "/work"
	deployDir = Folder + "/deploy"
)

// Init lays out an empty @rastos on a fresh file system.
func (s *Store) Init() error {
	for _, d := range []string{Folder, nodesDir, workDir, deployDir} {
		if err := s.Files.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return s.writeState(State{})
}

// State reads the counters.
func (s *Store) State() (State, error) {
	var st State
	data, err := s.Files.ReadFile(statePath)
	if errors.Is(err, fs.ErrNotExist) {
		return st, ErrNoState
	}
	if err != nil {
		return st, err
	}
	return st, decode(data, &st, statePath)
}

func (s *Store) writeState(st State) error {
	data, err := encode(st)
	if err != nil {
		return err
	}
	return s.Files.WriteFile(statePath, data, 0o644)
}

// Count advances one counter durably and returns its new value. A number that
// was handed out and never used stays unused.
func (s *Store) Count(which func(*State) *int) (int, error) {
	st, err := s.State()
	if err != nil {
		return 0, err
	}
	p := which(&st)
	*p++
	return *p, s.writeState(st)
}

// RootName is the path of a node's tree relative to the top level.
func RootName(number int) string {
	return path.Join(nodesDir, strconv.Itoa(number), "root")
}

// Root is the absolute path of a node's tree.
func (s *Store) Root(number int) string {
	return filepath.Join(s.Top, filepath.FromSlash(RootName(number)))
}

func metaName(number int) string {
	return path.Join(nodesDir, strconv.Itoa(number), "node.json")
}

// Get reads one node.
func (s *Store) Get(number int) (Node, error) {
	var n Node
	data, err := s.Files.ReadFile(metaName(number))
	if errors.Is(err, fs.ErrNotExist) {
		return n, &NotFoundError{Number: number}
	}
	if err != nil {
		return n, err
	}
	if err := decode(data, &n, metaName(number)); err != nil {
		return n, err
	}
	if n.Number != number {
		return n, fmt.Errorf("read %s: it describes node %d", metaName(number), n.Number)
	}
	return n, nil
}

// List reads all nodes, by number.
func (s *Store) List() ([]Node, error) {
	numbers, err := s.numbers(nodesDir)
	if err != nil {
		return nil, err
	}
	var out []Node
	for _, id := range numbers {
		n, err := s.Get(id)
		var none *NotFoundError
		if errors.As(err, &none) {
			continue // a cut before node.json: Recover collects it
		}
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// numbers lists the folders of dir whose name is a number, in order.
func (s *Store) numbers(dir string) ([]int, error) {
	entries, err := s.Files.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err == nil && id > 0 && strconv.Itoa(id) == e.Name() {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (s *Store) writeNode(n Node) error {
	data, err := encode(n)
	if err != nil {
		return err
	}
	return s.Files.WriteFile(metaName(n.Number), data, 0o644)
}
