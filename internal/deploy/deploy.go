// SPDX-License-Identifier: GPL-3.0-or-later

// Package deploy keeps deployments: nodes made bootable, each with an /etc of
// its own that is merged three ways from the pristine /etc of the node that
// ran before, the live one, and the pristine one of the new node.
//
//	@rastos/deploy/<n>/deploy.json  what is known; its rename is the commit
//	@rastos/deploy/<n>/etc.<k>      the read-write /etc; deploy.json names k
//	@rastos/deploy/<n>/failure      last words of a try that died in the initramfs
//	@rastos/deploy/<n>/etc.from     read-only snapshot of the live /etc that etc.0 was merged from
//
// A deployment goes through the states armed → good | bad → retired. Which boot
// entry is tried, and how often, is the boot loader's counting (package boot);
// this package records what came of it, and why.
package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rastos/rastos/internal/deploy/etcmerge"
	"github.com/rastos/rastos/internal/node"
)

// State is where a deployment is in its life.
type State string

// The states that deploy.json records. Work, node and staged exist only before
// there is an entry to boot; trying is armed while it runs.
const (
	Staged  State = "staged"  // complete on disk, no boot entry yet
	Armed   State = "armed"   // has a boot entry with tries left
	Good    State = "good"    // booted and passed its health checks
	Bad     State = "bad"     // its tries are used up; not booted again by itself
	Retired State = "retired" // its boot entry is gone; kept for its /etc
)

// Deployment is one bootable system.
type Deployment struct {
	Number    int                 `json:"number"`
	Node      int                 `json:"node"`
	Etc       string              `json:"etc"`                     // folder of the /etc in use, "etc.<k>"
	From      int                 `json:"from,omitempty"`          // deployment whose live /etc was merged, 0: none
	FromEtc   string              `json:"from_etc,omitempty"`      // its folder then
	FromGen   uint64              `json:"from_generation"`         // and its generation when it was folded last
	FromBase  string              `json:"from_snapshot,omitempty"` // read-only snapshot of it: the base of the next fold
	Created   time.Time           `json:"created"`                 //
	Reason    string              `json:"reason"`                  // the command that made it
	State     State               `json:"state"`                   //
	Why       string              `json:"why,omitempty"`           // why it is bad
	Failure   string              `json:"last_failure,omitempty"`  // what its last failed try said
	Refused   int                 `json:"refused,omitempty"`       // tries that ended with failed health checks
	Kernel    string              `json:"kernel,omitempty"`        // sha256 of the kernel on the ESP
	Initrd    string              `json:"initrd,omitempty"`        // sha256 of the initramfs
	Options   string              `json:"options,omitempty"`       // kernel command line
	Title     string              `json:"title,omitempty"`         // as the boot menu shows it
	Conflicts []etcmerge.Conflict `json:"etc_conflicts,omitempty"` //
	Notes     []etcmerge.Conflict `json:"etc_notes,omitempty"`     // what the merge of /etc decided by rule against the node
	BlessedAt time.Time           `json:"blessed,omitzero"`        //
	Tried     bool                `json:"tried,omitempty"`         // has reached its own user space once: its /etc is its own from then on
}

// EntryName is the base name of the deployment's boot entry, without counters
// and suffix.
func (d Deployment) EntryName() string { return "rastos-" + strconv.Itoa(d.Number) }

// NotFoundError says that no deployment has the number.
type NotFoundError struct{ Number int }

func (e *NotFoundError) Error() string { return fmt.Sprintf("there is no deployment %d", e.Number) }

// Hint says where to look.
func (e *NotFoundError) Hint() string { return "rastos status lists the deployments" }

const dir = node.Folder + "/deploy"

// Dir is one directory tree with the files of /etc in it. Names are relative,
// "." is the tree itself; nothing follows a link out of it.
type Dir interface {
	// Walk visits everything below the top, directories before their contents.
	Walk(visit func(name string, info fs.FileInfo) error) error
	Lstat(name string) (fs.FileInfo, error)
	ReadFile(name string) ([]byte, error)
	Readlink(name string) (string, error)
	Xattrs(name string) (map[string]string, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	Mkdir(name string, perm fs.FileMode) error
	Symlink(target, name string) error
	RemoveAll(name string) error
	Remove(name string) error
	Chmod(name string, mode fs.FileMode) error
	Chown(name string, uid, gid int) error             // of a link itself
	Chtimes(name string, atime, mtime time.Time) error // of a link itself
	SetXattrs(name string, want map[string]string) error
	Close() error
}

// Subvolumes adds to a node store's needs what a fold compares.
type Subvolumes interface {
	node.Subvolumes
	Generation(path string) (uint64, error)
}

// Store is the deployments of one file system. Whoever changes it holds the
// lock of the system.
type Store struct {
	Nodes   *node.Store
	Subvols Subvolumes
	Open    func(dir string) (Dir, error)
	Keyed   etcmerge.KeyedMerge
}

func name(number int, elem ...string) string {
	return path.Join(append([]string{dir, strconv.Itoa(number)}, elem...)...)
}

func (s *Store) abs(number int, elem ...string) string {
	return filepath.Join(s.Nodes.Top, filepath.FromSlash(name(number, elem...)))
}

// EtcPath is the absolute path of a deployment's /etc.
func (s *Store) EtcPath(d Deployment) string { return s.abs(d.Number, d.Etc) }

// Get reads one deployment.
func (s *Store) Get(number int) (Deployment, error) {
	var d Deployment
	file := name(number, "deploy.json")
	data, err := s.Nodes.Files.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return d, &NotFoundError{Number: number}
	}
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("read %s: %w", file, err)
	}
	if d.Number != number {
		return d, fmt.Errorf("read %s: it describes deployment %d", file, d.Number)
	}
	// A try that died in the initramfs left its last words beside the record.
	if d.State == Armed && d.Failure == "" {
		if words, err := s.Nodes.Files.ReadFile(name(number, "failure")); err == nil {
			d.Failure = strings.TrimSpace(string(words))
		}
	}
	return d, nil
}

// List reads all deployments, by number.
func (s *Store) List() ([]Deployment, error) {
	var out []Deployment
	for _, id := range s.folders() {
		d, err := s.Get(id)
		var none *NotFoundError
		if errors.As(err, &none) {
			continue // a cut before deploy.json: Recover collects it
		}
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (s *Store) folders() []int {
	entries, err := s.Nodes.Files.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil && id > 0 {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Put writes deploy.json: the commit of every change of a deployment.
func (s *Store) Put(d Deployment) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return s.Nodes.Files.WriteFile(name(d.Number, "deploy.json"), append(data, '\n'), 0o600)
}

// Delete removes a deployment: deploy.json first. The caller has removed its
// boot entry before and made sure that it is not running.
func (s *Store) Delete(number int) error {
	if err := s.Nodes.Files.RemoveAll(name(number, "deploy.json")); err != nil {
		return err
	}
	return s.drop(number)
}

func (s *Store) drop(number int) error {
	entries, err := s.Nodes.Files.ReadDir(name(number))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.dropEtc(number, e.Name()); err != nil {
			return err
		}
	}
	return s.Nodes.Files.RemoveAll(name(number))
}

// dropEtc deletes one entry of a deployment's folder if it is a subvolume, with
// those that a person made in it: btrfs deletes none that holds others.
func (s *Store) dropEtc(number int, entry string) error {
	sub, err := s.Subvols.IsSubvolume(s.abs(number, entry))
	if err != nil || !sub {
		return err
	}
	inner, err := s.Subvols.Below(s.abs(number, entry))
	if err != nil {
		return err
	}
	for _, p := range append(inner, s.abs(number, entry)) {
		if err := s.Subvols.Delete(p); err != nil {
			return err
		}
	}
	return nil
}

// Recover removes deployments that a cut left without deploy.json, and in the
// others every /etc that deploy.json does not name, and files that were being
// written. It returns what it removed.
func (s *Store) Recover() ([]string, error) {
	var removed []string
	for _, id := range s.folders() {
		d, err := s.Get(id)
		var none *NotFoundError
		if errors.As(err, &none) {
			if err := s.drop(id); err != nil {
				return removed, err
			}
			removed = append(removed, name(id))
			continue
		}
		if err != nil {
			return removed, err
		}
		if err := s.Nodes.Sweep(name(id)); err != nil {
			return removed, err
		}
		entries, err := s.Nodes.Files.ReadDir(name(id))
		if err != nil {
			return removed, err
		}
		for _, e := range entries {
			if !e.IsDir() || e.Name() == d.Etc || e.Name() == d.FromBase {
				continue
			}
			if err := s.dropEtc(id, e.Name()); err != nil {
				return removed, err
			}
			removed = append(removed, name(id, e.Name()))
		}
	}
	return removed, nil
}
