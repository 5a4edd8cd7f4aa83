// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/node"
)

// Place says which system a package story is about.
type Place struct {
	Root string // a system tree; "" and "/" are this machine
}

// EnvOf makes the package engine's view of a system tree: of the one that is
// asked about, or of a copy of it that is being built. syncDir holds the
// repositories' databases; "": the tree's own.
type EnvOf func(root, syncDir string) (trans.Env, error)

// World is a system whose packages are asked about and changed: this machine,
// where it was booted from a node, or any other root.
type World struct {
	Root string // what is asked about
	// Watch hears what the engine does, in place of the report; nil: that does.
	Watch trans.Events

	machine *Machine
	logFile string // pacman's log; "": where it usually is
	engine  PackageEngine
	mf      *manifest.Manifest // nil: it has none
	env     EnvOf
	syncDir string    // of the repositories' databases; "": the tree's own
	sys     *System   // of a machine booted from a node; nil: changes happen in place
	base    node.Node // its head, which changes build on
	side    bool      // base is another node than the head: what comes of it is not deployed
	fresh   bool      // the repositories' databases were brought up to date already
	lenient bool      // what is to be removed may be absent
	undoes  string    // the transaction of the history that the next change takes back
}

// InNodes tells whether changes happen in a new node.
func (w *World) InNodes() bool { return w.sys != nil }

// machineSyncDir holds the repositories' databases of the running machine.
const machineSyncDir = "/" + dbPath + "/sync"

// Env is the engine's view of the system as it is. What it writes, it writes
// to stay, and the history is told of it.
func (w *World) Env() (trans.Env, error) {
	env, err := w.env(w.Root, w.syncDir)
	env.Durable = true
	env.History = w.recorder(env)
	if env.LearnKeys {
		env.Keys = rootKeys{w.machine, w.Root}
	}
	return env, err
}

// HeadEnv is the view of what a change builds on.
func (w *World) HeadEnv() (trans.Env, error) {
	if w.sys == nil {
		return w.Env()
	}
	return w.env(w.sys.Nodes.Root(w.base.Number), w.syncDir)
}

// World opens a system by its own settings: its manifest, or where it has none
// its pacman.conf.
func (m *Machine) World(s Settings, at Place) (*World, error) {
	root, err := rootOf(at)
	if err != nil {
		return nil, err
	}
	path := m.systemManifestFile(root)
	switch {
	case exists(path):
		return m.manifestWorld(s, root, path)
	case exists(filepath.Join(root, conf.DefaultFile)):
		c, err := m.systemConf(root)
		if err != nil {
			return nil, err
		}
		w, err := m.WorldOf(root, learning(m.ConfEnv(c)))
		if err == nil {
			w.logFile = c.LogFile
		}
		return w, err
	}
	return nil, unconfigured(root)
}

// learning lets new keyring packages vouch for what comes with them. Callers
// that are to refuse what pacman refuses open a WorldOf without it.
func learning(env EnvOf) EnvOf {
	return func(root, syncDir string) (trans.Env, error) {
		e, err := env(root, syncDir)
		e.LearnKeys = true
		return e, err
	}
}

func (m *Machine) manifestWorld(s Settings, root, path string) (*World, error) {
	mf, err := systemManifest(path, root)
	if err != nil {
		return nil, err
	}
	w, err := m.WorldOf(root, m.manifestEnv(mf, s, m.gpgDirFor(root)))
	if err != nil {
		return nil, err
	}
	w.mf = mf
	w.engine, err = m.engine(mf)
	return w, err
}

func rootOf(at Place) (string, error) {
	root, err := filepath.Abs(cmp.Or(at.Root, "/"))
	if err != nil {
		return "", fmt.Errorf("the root %s: %w", at.Root, err)
	}
	return root, nil
}

// manifestEnv makes views by what a manifest says. A package that a person
// gives as a file may come without a signature, as with pacman; a signature
// that is there has to be right.
func (m *Machine) manifestEnv(mf *manifest.Manifest, s Settings, gpgDir string) EnvOf {
	return func(root, syncDir string) (trans.Env, error) {
		env, err := m.packageEnv(mf, s, root, syncDir, gpgDir)
		env.FileSigLevel.Package.Check = keyring.Optional
		return env, err
	}
}

// WorldOf opens a system by settings of the caller's, for the native engine.
func (m *Machine) WorldOf(root string, env EnvOf) (*World, error) {
	w := &World{Root: root, machine: m, engine: trans.Native{}, env: env}
	// Deployments and nodes are root's to see. Others may look at what runs, and
	// change nothing.
	if root != "/" || !m.runsNode() || m.Geteuid() != 0 {
		return w, nil
	}
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	all, _, err := sys.assessed()
	if err != nil {
		return nil, err
	}
	head, ok := deploy.Head(all)
	if !ok {
		return nil, errNoHead
	}
	if w.base, err = sys.Nodes.Get(head.Node); err != nil {
		return nil, err
	}
	w.sys, w.syncDir = sys, cmp.Or(m.syncDir, machineSyncDir)
	return w, nil
}

// runsNode tells whether this machine was booted from a node. The kernel's
// command line alone does not tell: a container on such a machine sees it too.
func (m *Machine) runsNode() bool {
	line, err := m.Cmdline()
	if err != nil {
		return false
	}
	number, err := bootedDeployment(line)
	return err == nil && number != 0 && exists(m.topDir())
}

// bootedDeployment reads the deployment off a kernel command line; 0: none.
func bootedDeployment(line string) (number int, err error) {
	for _, word := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(word, "rastos.deploy="); ok {
			if number, err = strconv.Atoi(v); err != nil {
				return 0, fmt.Errorf("kernel command line: %q: %w", word, err)
			}
		}
	}
	return number, nil
}
