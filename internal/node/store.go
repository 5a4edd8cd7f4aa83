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
	"strings"
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

// SetLabel renames a node for people.
func (s *Store) SetLabel(number int, label string) error {
	n, err := s.Get(number)
	if err != nil {
		return err
	}
	if strings.ContainsAny(label, "\n\r\t") {
		return fmt.Errorf("label of node %d: it must be one line", number)
	}
	n.Label = label
	return s.writeNode(n)
}

// Own hands a node over to the deployments that run it: it goes with the last.
func (s *Store) Own(number int) error {
	n, err := s.Get(number)
	if err != nil || n.Owned {
		return err
	}
	n.Owned = true
	return s.writeNode(n)
}

func (s *Store) writeNode(n Node) error {
	data, err := encode(n)
	if err != nil {
		return err
	}
	return s.Files.WriteFile(metaName(n.Number), data, 0o644)
}

// Delete removes a node: node.json first, so that a cut leaves no node with
// half a tree. The caller has made sure that nothing boots or mounts it.
func (s *Store) Delete(number int) error {
	if _, err := s.Get(number); err != nil {
		return err
	}
	if err := s.Files.RemoveAll(metaName(number)); err != nil {
		return err
	}
	return s.dropFolder(path.Join(nodesDir, strconv.Itoa(number)))
}

// dropFolder deletes the subvolume `root` of a folder and then the folder.
func (s *Store) dropFolder(name string) error {
	root := filepath.Join(s.Top, filepath.FromSlash(name), "root")
	sub, err := s.Subvols.IsSubvolume(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if sub {
		if err := s.deleteWhole(root); err != nil {
			return err
		}
	}
	return s.Files.RemoveAll(name)
}

// deleteWhole deletes a subvolume with those inside it: a scriptlet may have
// made some, and btrfs deletes none that holds others.
func (s *Store) deleteWhole(root string) error {
	inner, err := s.Subvols.Below(root)
	if err != nil {
		return err
	}
	for _, p := range append(inner, root) {
		if err := s.Subvols.Delete(p); err != nil {
			return err
		}
	}
	return nil
}

// Recover removes what an interrupted transaction left: every work folder, and
// every node folder without node.json. It returns the names that it removed.
// The caller holds the lock, so that no work folder is in use.
func (s *Store) Recover() ([]string, error) {
	var removed []string
	work, err := s.numbers(workDir)
	if err != nil {
		return nil, err
	}
	for _, id := range work {
		name := path.Join(workDir, strconv.Itoa(id))
		if err := s.dropFolder(name); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	nodes, err := s.numbers(nodesDir)
	if err != nil {
		return removed, err
	}
	for _, id := range nodes {
		_, err := s.Files.Lstat(metaName(id))
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		name := path.Join(nodesDir, strconv.Itoa(id))
		if err := s.dropFolder(name); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, nil
}
