// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/report"
)

// A deployment that is armed can take the place of the one that runs: the folders
// of its node are mounted over those of the root, and its /etc over the other one.
// Programs that run keep what they have open; all that starts from then on is the
// new one's. Nothing of it outlives the boot, and the next one finds the
// deployment as if it had not run before.

// liveMark names the deployment that runs in the place of the booted one. It
// lies where the end of the boot takes it away.
func (m *Machine) liveMark() string { return m.thisBoot("live") }

// thisBoot is the path of what is true until the machine goes down.
func (m *Machine) thisBoot(name string) string { return filepath.Join(filepath.Dir(m.topDir()), name) }

// liveDeployment is whose node and /etc the machine works with.
func (m *Machine) liveDeployment(booted int) (int, error) {
	data, err := os.ReadFile(m.liveMark())
	if errors.Is(err, fs.ErrNotExist) {
		return booted, nil
	}
	if err != nil {
		return 0, err
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", m.liveMark(), err)
	}
	return number, nil
}

// AtOnce asks for a change to be applied to the running system, too. What is
// staged already, and does not run, is then something to do.
func (w *World) AtOnce(p *ChangePlan) error {
	if p.Base == nil {
		return nil // it is made in place
	}
	all, err := w.sys.Deploys.List()
	if err != nil {
		return err
	}
	head, _ := deploy.Head(all)
	p.Live = true
	if head.Number != w.sys.Live {
		p.Staged = head.Number
	}
	return nil
}

// applyAtOnce lets a deployment run, or adds to done why it does not.
func (m *Machine) applyAtOnce(ctx context.Context, sink report.Sink, sys *System, done *Changed) error {
	obstacles, err := m.goLive(ctx, sink, sys, *done.Deployment)
	if err != nil {
		return fmt.Errorf("deployment %d boots next, but it cannot be applied at once: %w", done.Deployment.Number, err)
	}
	done.Live, done.NotLive = len(obstacles) == 0, obstacles
	return nil
}

// goLive lets a deployment run at once, or says what is in the way: then it
// waits for the next boot, as any other.
func (m *Machine) goLive(ctx context.Context, sink report.Sink, sys *System, d deploy.Deployment) (obstacles []string, err error) {
	err = m.locked(sys, sink, func() error {
		x, err := m.liveExchange(sys, d)
		if err != nil || len(x.obstacles) > 0 {
			obstacles = x.obstacles
			return err
		}
		task := report.Begin(sink, fmt.Sprintf("apply deployment %d at once", d.Number), 0, "")
		err = m.exchangeTo(sys, x, d)
		task.End(err, strings.Join(x.folders(), " "))
		return err
	})
	if err != nil || len(obstacles) > 0 {
		return obstacles, err
	}
	sys.Live = d.Number
	m.rereadServices(ctx, sink)
	return nil, nil
}

// rereadServices lets systemd know of other units.
func (m *Machine) rereadServices(ctx context.Context, sink report.Sink) {
	if _, err := m.Programs.Output(ctx, "systemctl", "daemon-reload"); err != nil {
		report.Warnf(sink, "the services are as before until systemd reads them again: %v", err)
	}
}

// liveExchange works out what would take the place of what, and what is in the way.
func (m *Machine) liveExchange(sys *System, d deploy.Deployment) (*exchange, error) {
	x := &exchange{m: m, Deployment: d.Number, Fresh: !d.Tried}
	if t, err := m.trial(); err != nil {
		return x, err
	} else if t != nil {
		x.obstacle("a trial runs until the machine goes down: %s", t.Reason)
		return x, nil
	}
	now, err := sys.Deploys.Get(sys.Live)
	if err != nil {
		return x, err
	}
	before, err := sys.Nodes.Get(now.Node)
	if err != nil {
		return x, err
	}
	after, err := sys.Nodes.Get(d.Node)
	if err != nil {
		return x, err
	}
	if before.Kernel != after.Kernel || now.Kernel != d.Kernel {
		x.obstacle("the kernel changes")
	}
	if err := x.replace(sys.Nodes.Root(now.Node), sys.Nodes.Root(d.Node)); err != nil {
		return x, err
	}
	return x, x.add("/etc", sys.Deploys.EtcPath(d), "rw")
}

// exchangeTo brings the deployment's /etc up to this moment, as its boot does,
// lets it take over, and lets its /etc be its own from then on. After a power cut
// before that the boot folds, which finds nothing that it could undo.
func (m *Machine) exchangeTo(sys *System, x *exchange, d deploy.Deployment) error {
	if x.Fresh {
		var err error
		if d, _, err = sys.Deploys.Fold(d); err != nil {
			return err
		}
		x.Shown[len(x.Shown)-1].Source = sys.Deploys.EtcPath(d)
	}
	return x.run(func() error {
		d.Tried = true
		if err := sys.Deploys.Put(d); err != nil {
			return err
		}
		return writeMark(m.liveMark(), strconv.Itoa(d.Number)+"\n")
	}, func() error { return m.forgetTry(sys, x) })
}

// forgetTry lets a deployment that did not come to run wait for its boot.
func (m *Machine) forgetTry(sys *System, x *exchange) error {
	if !x.Fresh {
		return nil
	}
	d, err := sys.Deploys.Get(x.Deployment)
	if err != nil || !d.Tried {
		return err
	}
	d.Tried = false
	return sys.Deploys.Put(d)
}

// writeMark writes a file of this boot whole or not at all.
func writeMark(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// essentials are what every running program depends on, by what they are.
func essentials() map[string][]string {
	return map[string][]string{
		"init":        {"sbin/init", "usr/lib/systemd/systemd"},
		"rastos-init": {initPath},
		"glibc":       {"lib64/ld-linux-x86-64.so.2", "usr/lib/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"},
	}
}

// replace lets the folders of a tree take the place of those of the tree that
// runs, where nothing that cannot be exchanged below running programs changes.
func (x *exchange) replace(from, to string) error {
	old, err := x.m.Tree(from)
	if err != nil {
		return err
	}
	defer old.Close()
	next, err := x.m.Tree(to)
	if err != nil {
		return err
	}
	defer next.Close()
	if err := x.compareEssentials(old, next); err != nil {
		return err
	}
	dirs, err := x.compareRoots(old, next)
	if err != nil {
		return err
	}
	for _, name := range dirs {
		if err := x.add("/"+name, filepath.Join(to, name), "ro"); err != nil {
			return err
		}
	}
	return nil
}

func (x *exchange) compareEssentials(old, next Tree) error {
	if apart, err := x.m.Init.Apart(); err != nil {
		return err
	} else if apart {
		x.obstacle("this program sees other mounts than the system does")
	}
	checked := map[string]bool{}
	for _, what := range []string{"init", "rastos-init", "glibc"} {
		for _, name := range essentials()[what] {
			checked[name] = true
			same, err := sameFile(old, next, name)
			if err != nil {
				return err
			}
			if !same {
				x.obstacle("%s changes: /%s", what, name)
				break
			}
		}
	}
	mapped, err := x.m.Init.Mapped()
	if err != nil {
		return err
	}
	for _, name := range mapped {
		if name = strings.TrimPrefix(name, "/"); checked[name] {
			continue
		}
		if same, err := sameFile(old, next, name); err != nil {
			return err
		} else if !same {
			x.obstacle("a file that init works with changes: /%s", name)
		}
	}
	return nil
}

// sameFile compares one file of two trees, which may be in neither.
func sameFile(a, b Tree, name string) (bool, error) {
	before, errA := a.ReadFile(name)
	after, errB := b.ReadFile(name)
	if errors.Is(errA, fs.ErrNotExist) || errors.Is(errB, fs.ErrNotExist) {
		return errors.Is(errA, fs.ErrNotExist) && errors.Is(errB, fs.ErrNotExist), nil
	}
	return bytes.Equal(before, after), errors.Join(errA, errB)
}

// compareRoots finds the folders that are the tree's own. The root itself stays
// the booted node's, so that nothing may come or go in it.
func (x *exchange) compareRoots(old, next Tree) (dirs []string, err error) {
	before, err := rootEntries(old)
	if err != nil {
		return nil, err
	}
	after, err := rootEntries(next)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch {
		case before[name] != after[name]:
			x.obstacle("the root folder changes: /%s", name)
		case before[name] == isFolder && !slices.Contains(mountPoints(), name):
			dirs = append(dirs, name)
		}
	}
	return dirs, nil
}

// isFolder is what rootEntries says of a folder.
const isFolder = "folder"

// rootEntries says of everything in a root what it is: a folder, where a link
// leads, or how a file is.
func rootEntries(t Tree) (map[string]string, error) {
	entries, err := t.ReadDir(".")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range entries {
		switch {
		case e.IsDir():
			out[e.Name()] = isFolder
		case e.Type()&fs.ModeSymlink != 0:
			target, err := t.Readlink(e.Name())
			if err != nil {
				return nil, err
			}
			out[e.Name()] = "link to " + target
		default:
			out[e.Name()] = e.Type().String()
		}
	}
	return out, nil
}
