// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/report"
)

// gpgDirFor is the keyring that judges packages of a root: its own, or where it
// has none yet, because it is being filled from outside, that of this machine.
func (m *Machine) gpgDirFor(root string) string {
	if root == "/" && m.gpgDir != "" {
		return m.gpgDir
	}
	_, folder, err := m.keyringFolder(KeyringPlace{Place: Place{Root: root}})
	if err != nil {
		folder = filepath.Join(root, pacmanHome) // its pacman.conf does not say
	}
	if !exists(folder) {
		return pacmanHome
	}
	return folder
}

// rootKeys is the keyring of a root that is changed in place.
type rootKeys struct {
	m    *Machine
	root string
}

// Populate takes keyrings into it. A root without a keyring goes on without.
func (k rootKeys) Populate(rings []keyring.Keyring) (done *keyring.Populated, err error) {
	at := KeyringPlace{Place: Place{Root: k.root}}
	if _, folder, err := k.m.keyringFolder(at); err != nil || !exists(folder) {
		return nil, err
	}
	err = k.m.changeKeyring(at, "populate", false, func(_, _ string, files keyring.Files) (err error) {
		done, err = k.m.fillHome(files, rings)
		return err
	})
	return done, err
}

// fillHome takes keyrings into a home. One that came with an image has no private
// key to vouch with yet, and gets its own; where there are no keys at all, nil is
// returned.
func (m *Machine) fillHome(files keyring.Files, rings []keyring.Keyring) (*keyring.Populated, error) {
	home, err := keyring.OpenHome(files, m.Now)
	var none *keyring.Error
	if errors.As(err, &none) && none.Reason == keyring.NoKeyring {
		return nil, nil
	}
	if err == nil && home.MasterKey() == "" {
		if _, _, err = keyring.Init(files, keyring.InitOptions{Now: m.Now, Random: m.Random}); err == nil {
			home, err = keyring.OpenHome(files, m.Now)
		}
	}
	if err != nil {
		return nil, err
	}
	return home.Populate(rings)
}

// fillDeployed lets the keyring in the /etc of a new deployment know what the
// keyring packages of its node bring, where those are others than the running
// node's: what scriptlets did to the keyring of the node gives way to the
// machine's own. A deployment that is to be as it was stays so.
func (m *Machine) fillDeployed(sink report.Sink, sys *System, r deploy.Request, d deploy.Deployment) {
	if r.AsWas != 0 {
		return
	}
	done, err := m.populateDeployed(sys, d)
	switch {
	case err != nil:
		report.Warnf(sink, "the keyring of deployment %d does not have the keys of its keyring packages yet: %v; `rastos pkg keyring populate` takes them in", d.Number, err)
	case done != nil && !done.Empty():
		report.Notef(sink, "the keyring of deployment %d took in %s", d.Number, countKeys(len(done.Keys())))
	}
}

func (m *Machine) populateDeployed(sys *System, d deploy.Deployment) (done *keyring.Populated, err error) {
	_, folder, err := m.keyringFolder(KeyringPlace{})
	inEtc, ok := strings.CutPrefix(folder, "/etc/")
	if err != nil || !ok {
		return nil, err // one that all deployments share is as it is
	}
	t, err := m.deployedTree(sys, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	news, err := m.bringsKeyrings(sys, t)
	if err != nil || !news {
		return nil, err
	}
	rings, err := keyring.ReadKeyrings(folderFiles{t, keyring.KeyringsDir})
	if err != nil {
		return nil, err
	}
	return m.fillHome(folderFiles{t, path.Join("etc", inEtc)}, rings)
}

// bringsKeyrings tells whether a tree has other keyrings than the node that runs.
func (m *Machine) bringsKeyrings(sys *System, t Tree) (bool, error) {
	entries, err := t.ReadDir(keyring.KeyringsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || sys.Live == 0 {
		return len(entries) > 0, err
	}
	live, err := sys.Deploys.Get(sys.Live)
	if err != nil {
		return false, err
	}
	before, err := m.Tree(sys.Nodes.Root(live.Node))
	if err != nil {
		return false, err
	}
	defer before.Close()
	for _, e := range entries {
		name := path.Join(keyring.KeyringsDir, e.Name())
		now, err := t.ReadFile(name)
		if err != nil {
			return false, err
		}
		was, err := before.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if err != nil || !bytes.Equal(was, now) {
			return true, nil
		}
	}
	return false, nil
}

// adviseKeyring says of a signature by a key that is not known or trusted which
// installed package may have it in a newer version. Nothing that only the
// repository knows can be trusted before its database is.
func adviseKeyring(env trans.Env, err error) error {
	var bad *trans.VerifyError
	var sig *keyring.Error
	if !errors.As(err, &bad) || bad.Package != "" || !errors.As(bad.Err, &sig) {
		return err
	}
	switch sig.Reason {
	case keyring.Unknown, keyring.Untrusted, keyring.Expired:
	default:
		return err
	}
	names, lookErr := trans.KeyringPackages(env)
	if lookErr != nil || len(names) == 0 {
		return err
	}
	return report.WithHint(err, "a newer %s may bring the key: install its package by itself, from a file or an address (`rastos pkg install https://…`), then try again",
		joinNames(names))
}

// reportLesson says which keys came with a package, and what hangs on them.
func reportLesson(sink report.Sink, l trans.Lesson) {
	changed := 0
	for _, k := range l.Keys {
		if k.What == keyring.KeyChanged {
			changed++
			continue
		}
		trust := ""
		if k.Trusted && k.What != keyring.KeyTrusted {
			trust = ", trusted"
		}
		report.Notef(sink, "%s %s: key %s %s (%s%s)", l.Package, l.Version, k.Key, k.User, k.What, trust)
	}
	if changed > 0 {
		report.Notef(sink, "%s %s: news of %s", l.Package, l.Version, countKeys(changed))
	}
	if len(l.Vouched) > 0 {
		report.Notef(sink, "%s %s vouches for %s, which the keyring could not judge", l.Package, l.Version, joinNames(l.Vouched))
	}
}

func countKeys(n int) string {
	if n == 1 {
		return "1 key"
	}
	return fmt.Sprintf("%d keys", n)
}
