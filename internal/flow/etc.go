// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	udiff "github.com/aymanbagabas/go-udiff"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/deploy/etcmerge"
)

// EtcDifference is a path of /etc that is not as its node shipped it.
type EtcDifference struct {
	deploy.Difference
	Diff string `json:"diff,omitempty"` // of a text that was asked for by its name
}

// EtcConflict is a path of /etc that waits for a person's word, or one about which a
// rule has spoken.
type EtcConflict = etcmerge.Conflict

// EtcOpen is what of the running /etc may be for a person to look at.
type EtcOpen struct {
	Conflicts []EtcConflict `json:"conflicts"` // both sides are there, and wait
	Decided   []EtcConflict `json:"decided"`   // by rule, for this machine and against the node
}

// etcName is the name below /etc that a person means.
func etcName(p string) (string, error) {
	name := strings.TrimPrefix(path.Clean("/"+p), "/")
	if strings.HasPrefix(p, "/") {
		below, ok := strings.CutPrefix(name, "etc/")
		if !ok {
			return "", &etcPathError{p, "is not below /etc"}
		}
		name = below
	}
	if name == "" {
		return "", &etcPathError{p, "names no file below /etc"}
	}
	return name, nil
}

type etcPathError struct{ path, why string }

func (e *etcPathError) Error() string { return fmt.Sprintf("%q %s", e.path, e.why) }
func (e *etcPathError) ExitCode() int { return 2 }
func (e *etcPathError) Hint() string {
	return "`rastos etc diff` and `rastos etc conflicts` list names"
}

// EtcDiff compares the running /etc with what its node shipped. Named paths, and
// what is below them, are shown with the lines that differ.
func (m *Machine) EtcDiff(paths []string) ([]EtcDifference, error) {
	var names []string
	for _, p := range paths {
		name, err := etcName(p)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if err := m.needRoot("etc diff"); err != nil {
		return nil, err
	}
	sys, d, err := m.runningDeployment()
	if err != nil {
		return nil, err
	}
	defer sys.Close()
	found, err := sys.Deploys.Differences(d)
	if err != nil {
		return nil, err
	}
	live, err := os.OpenRoot(sys.Deploys.EtcPath(d))
	if err != nil {
		return nil, err
	}
	defer live.Close()
	var out []EtcDifference
	for _, f := range found {
		one := EtcDifference{Difference: f}
		if len(names) > 0 {
			if !slices.ContainsFunc(names, func(n string) bool { return f.Path == n || strings.HasPrefix(f.Path, n+"/") }) {
				continue
			}
			if one.Diff, err = textDiff(sys, d, live, f.Path); err != nil {
				return nil, err
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// textDiff is the unified diff of a path; empty for what is no text.
func textDiff(sys *System, d deploy.Deployment, live *os.Root, name string) (string, error) {
	old, err := sys.Deploys.Pristine(d, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil // a folder or a link: there are no lines to show
	}
	var now []byte
	if info, err := live.Lstat(name); err == nil {
		if !info.Mode().IsRegular() {
			return "", nil
		}
		if now, err = live.ReadFile(name); err != nil {
			return "", err
		}
	}
	if !utf8.Valid(old) || !utf8.Valid(now) || bytes.ContainsRune(old, 0) || bytes.ContainsRune(now, 0) {
		return "", nil
	}
	return udiff.Unified("node/etc/"+name, "/etc/"+name, string(old), string(now)), nil
}

// runningDeployment is the one whose /etc is used.
func (m *Machine) runningDeployment() (*System, deploy.Deployment, error) {
	sys, err := m.Running()
	if err != nil {
		return nil, deploy.Deployment{}, err
	}
	d, err := sys.Deploys.Get(sys.Live)
	if err != nil {
		return nil, d, errors.Join(err, sys.Close())
	}
	return sys, d, nil
}

// EtcConflicts lists what of the running /etc waits for a person's word, and what a
// rule decided.
func (m *Machine) EtcConflicts() (EtcOpen, error) {
	if err := m.needRoot("etc conflicts"); err != nil {
		return EtcOpen{}, err
	}
	sys, d, err := m.runningDeployment()
	if err != nil {
		return EtcOpen{}, err
	}
	defer sys.Close()
	return openOf(sys, d)
}

func openOf(sys *System, d deploy.Deployment) (EtcOpen, error) {
	conflicts, err := sys.Deploys.Pending(d)
	if err != nil {
		return EtcOpen{}, err
	}
	decided, err := sys.Deploys.Decided(d)
	if err != nil {
		return EtcOpen{}, err
	}
	none := []EtcConflict{} // a list in JSON, too
	return EtcOpen{append(none, conflicts...), append(none, decided...)}, nil
}
