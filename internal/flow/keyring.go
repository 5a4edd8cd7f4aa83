// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/internal/report"
)

// KeyringPlace says which pacman keyring a story is about.
type KeyringPlace struct {
	Place
	GPGDir string // its folder; "": what the system's pacman.conf says
}

// KeyringMade is what came of making a keyring.
type KeyringMade struct {
	Folder string `json:"folder"`
	Master string `json:"master_key"` // its own key
	New    bool   `json:"new"`        // that key was made just now
}

// KeyringFilled is what came of filling a keyring.
type KeyringFilled struct {
	Folder   string   `json:"folder"`
	Keyrings []string `json:"keyrings"`
	*keyring.Populated
}

// KeyringList is what a keyring holds.
type KeyringList struct {
	Folder string        `json:"folder"`
	Keys   []keyring.Key `json:"keys"`
}

// keyringFolder is the folder of a pacman keyring on this machine.
func (m *Machine) keyringFolder(at KeyringPlace) (root, folder string, err error) {
	if root, err = rootOf(at.Place); err != nil {
		return "", "", err
	}
	if at.GPGDir != "" {
		folder, err = filepath.Abs(at.GPGDir)
		return root, folder, err
	}
	if !exists(filepath.Join(root, conf.DefaultFile)) {
		return root, filepath.Join(root, pacmanHome), nil
	}
	c, err := m.systemConf(root)
	if err != nil {
		return "", "", err
	}
	return root, filepath.Clean(c.GPGDir), nil
}

// folderFiles are the files of one folder of a tree.
type folderFiles struct {
	Tree
	dir string
}

func (f folderFiles) in(name string) string { return path.Join(f.dir, name) }

func (f folderFiles) ReadFile(name string) ([]byte, error) { return f.Tree.ReadFile(f.in(name)) }
func (f folderFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	return f.Tree.ReadDir(f.in(name))
}
func (f folderFiles) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return f.Tree.WriteFile(f.in(name), data, perm)
}
func (f folderFiles) MkdirAll(name string, perm fs.FileMode) error {
	return f.Tree.MkdirAll(f.in(name), perm)
}
func (f folderFiles) Chmod(name string, mode fs.FileMode) error {
	return f.Tree.Chmod(f.in(name), mode)
}

// folderOf opens a folder: below the root where it lies in it, so that no link
// in a foreign tree leads out of it.
func (m *Machine) folderOf(root, folder string) (folderFiles, error) {
	rel, err := filepath.Rel(root, folder)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		root, rel = "/", strings.TrimPrefix(folder, "/")
	}
	t, err := m.Tree(root)
	if err != nil {
		return folderFiles{}, fmt.Errorf("open %s: %w", root, err)
	}
	return folderFiles{t, rel}, nil
}

// lockedFile is what holds a keyring while it is changed.
const keyringLock = ".rastos.lock"

// changeKeyring runs a change of a keyring while nobody else makes one.
func (m *Machine) changeKeyring(at KeyringPlace, verb string, make bool, change func(root, folder string, files keyring.Files) error) error {
	root, folder, err := m.keyringFolder(at)
	if err != nil {
		return err
	}
	if err := m.needRootAt(root, "pkg keyring "+verb); err != nil {
		return err
	}
	files, err := m.folderOf(root, folder)
	if err != nil {
		return err
	}
	defer files.Close()
	if make {
		if err := files.MkdirAll(".", 0o755); err != nil {
			return fmt.Errorf("make the keyring %s: %w", folder, err)
		}
	} else if !exists(folder) {
		return noKeyring(folder)
	}
	release, err := m.Hold(filepath.Join(folder, keyringLock))
	if err != nil {
		return fmt.Errorf("change the keyring %s: %w", folder, err)
	}
	defer release()
	if err := change(root, folder, files); err != nil {
		return adviseInit(folder, err)
	}
	return nil
}

func noKeyring(folder string) error {
	return report.WithHint(&keyring.Error{Reason: keyring.NoKeyring, Err: fmt.Errorf("there is no %s", folder)},
		"`rastos pkg keyring init` makes one")
}

// adviseInit names the verb where the library can only say what is missing.
func adviseInit(folder string, err error) error {
	var none *keyring.Error
	if errors.Is(err, keyring.ErrNoMaster) || errors.As(err, &none) && none.Reason == keyring.NoKeyring {
		return report.WithHint(fmt.Errorf("keyring %s: %w", folder, err), "`rastos pkg keyring init` makes what is missing")
	}
	return fmt.Errorf("keyring %s: %w", folder, err)
}

// InitKeyring makes a pacman keyring, or completes one.
func (m *Machine) InitKeyring(sink report.Sink, at KeyringPlace) (*KeyringMade, error) {
	made := &KeyringMade{}
	err := m.changeKeyring(at, "init", true, func(_, folder string, files keyring.Files) (err error) {
		task := report.Begin(sink, "make keyring", 0, report.Items)
		made.Folder = folder
		made.Master, made.New, err = keyring.Init(files, keyring.InitOptions{Now: m.Now, Random: m.Random})
		task.End(err, "")
		return err
	})
	return made, err
}

// PopulateKeyring fills a keyring from the keyrings that packages brought to
// the system, or from those in another folder.
func (m *Machine) PopulateKeyring(at KeyringPlace, from string, names []string) (*KeyringFilled, error) {
	filled := &KeyringFilled{}
	err := m.changeKeyring(at, "populate", false, func(root, folder string, files keyring.Files) error {
		source := filepath.Join(root, keyring.KeyringsDir)
		if from != "" {
			var err error
			if source, err = filepath.Abs(from); err != nil {
				return err
			}
		}
		shipped, err := m.folderOf(root, source)
		if err != nil {
			return err
		}
		defer shipped.Close()
		rings, err := keyring.ReadKeyrings(shipped, names...)
		if err != nil {
			return err
		}
		home, err := keyring.OpenHome(files, m.Now)
		if err != nil {
			return err
		}
		filled.Folder, filled.Keyrings = folder, []string{}
		for _, r := range rings {
			filled.Keyrings = append(filled.Keyrings, r.Name)
		}
		filled.Populated, err = home.Populate(rings)
		return err
	})
	return filled, err
}

// ListKeyring lists a keyring's keys: all, or those that a name stands for:
// the end of a fingerprint, or a part of a user ID.
func (m *Machine) ListKeyring(at KeyringPlace, names []string) (*KeyringList, error) {
	_, folder, err := m.keyringFolder(at)
	if err != nil {
		return nil, err
	}
	ring, err := keyring.Load(folder)
	var none *keyring.Error
	if errors.As(err, &none) && none.Reason == keyring.NoKeyring {
		return nil, noKeyring(folder)
	}
	if err != nil {
		return nil, err
	}
	ring.Now = m.Now
	l := &KeyringList{Folder: folder, Keys: []keyring.Key{}}
	all := ring.Keys()
	if len(names) == 0 {
		l.Keys = append(l.Keys, all...)
	}
	for _, name := range names {
		found := matchKeys(all, name)
		if len(found) == 0 {
			return nil, &unfoundError{what: "no key of the keyring is " + name}
		}
		l.Keys = append(l.Keys, found...)
	}
	slices.SortFunc(l.Keys, func(a, b keyring.Key) int {
		return cmp.Or(cmp.Compare(userOf(a), userOf(b)), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	l.Keys = slices.CompactFunc(l.Keys, func(a, b keyring.Key) bool { return a.Fingerprint == b.Fingerprint })
	return l, nil
}

func userOf(k keyring.Key) string {
	return strings.ToLower(strings.Join(k.Users[:min(1, len(k.Users))], ""))
}

// shortestID is how many digits of a fingerprint's end stand for a key.
const shortestID = 8

func matchKeys(all []keyring.Key, name string) (found []keyring.Key) {
	id := strings.ToUpper(strings.TrimPrefix(strings.ReplaceAll(name, " ", ""), "0x"))
	for _, k := range all {
		byID := len(id) >= shortestID && strings.HasSuffix(k.Fingerprint, id)
		byUser := slices.ContainsFunc(k.Users, func(u string) bool { return strings.Contains(strings.ToLower(u), strings.ToLower(name)) })
		if byID || byUser {
			found = append(found, k)
		}
	}
	return found
}
