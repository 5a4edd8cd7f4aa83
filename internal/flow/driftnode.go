// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/deploy/etcmerge"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/service"
)

// people finds accounts of people that the manifest does not declare.
func (f *drifter) people(t Tree) error {
	passwd, err := t.ReadFile("etc/passwd")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, p := range account.People(passwd) {
		if !slices.ContainsFunc(f.mf.Users, func(u manifest.User) bool { return u.Name == p.Name }) {
			f.add("user", p.Name, "absent", fmt.Sprintf("number %d", p.UID))
		}
	}
	return nil
}

// ofNode compares the running /etc with its node's, where the manifest says
// nothing: what starts at boot, and with files whatever else differs. Who is not
// root sees no node.
func (m *Machine) ofNode(f *drifter, sink report.Sink, sys *System, live Tree, files bool) error {
	if sys == nil {
		return nil
	}
	if m.Geteuid() != 0 {
		report.Notef(sink, "only root can compare services with those of the node")
		return nil
	}
	d, err := sys.Deploys.Get(sys.Live)
	if err != nil {
		return err
	}
	node, err := m.Tree(sys.Nodes.Root(d.Node))
	if err != nil {
		return err
	}
	defer node.Close()
	if err := f.units(live, node); err != nil {
		return err
	}
	if !files {
		return nil
	}
	list, err := sys.Deploys.Differences(d)
	if err != nil {
		return err
	}
	f.etc(list)
	return nil
}

// unitsDir is where people and installations say what starts.
const unitsDir = "etc/systemd/system"

// units compares the state of each unit of which either /etc says anything.
func (f *drifter) units(live, node Tree) error {
	names := map[string]bool{}
	for _, t := range []Tree{live, node} {
		if err := unitNames(t, unitsDir, names); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if f.declared(name) {
			continue
		}
		was, err := service.State(node, name)
		if err != nil {
			return err
		}
		is, err := service.State(live, name)
		if err != nil {
			return err
		}
		if was != is {
			f.add("service", name, was+" as in its node", is)
		}
	}
	return nil
}

// declared tells whether the manifest, or rastOS itself, says what becomes of a
// unit: that is compared already.
func (f *drifter) declared(unit string) bool {
	own := append(ownServices(), "systemd-bless-boot.service")
	return slices.Contains(own, unit) ||
		slices.ContainsFunc(f.mf.Services, func(s manifest.Service) bool { return service.FullName(s.Name) == unit })
}

func unitNames(t Tree, dir string, names map[string]bool) error {
	entries, err := t.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		switch ext := path.Ext(e.Name()); {
		case e.IsDir() && slices.Contains([]string{".wants", ".requires", ".upholds"}, ext):
			if err := unitNames(t, path.Join(dir, e.Name()), names); err != nil {
				return err
			}
		case !e.IsDir() && slices.Contains([]string{".service", ".socket", ".timer", ".path", ".target", ".mount", ".automount", ".swap"}, ext):
			names[e.Name()] = true
		}
	}
	return nil
}

// etc takes over what else of /etc is not as the node has it.
func (f *drifter) etc(list []deploy.Difference) {
	for _, d := range list {
		if !ofItself(d.Path) && !f.told["etc/"+d.Path] {
			f.add("etc", "/etc/"+d.Path, "as the node has it", d.What)
		}
	}
}

// ofItself tells what a machine writes into /etc without being asked to, and what
// other kinds of difference speak of.
func ofItself(p string) bool {
	dir, base := path.Split(p)
	switch {
	case etcmerge.Identity(p), slices.Contains([]string{".updated", ".pwd.lock", "ld.so.cache"}, p):
		return true
	case dir == "" && slices.Contains(account.Kinds, account.Kind(strings.TrimSuffix(base, "-"))):
		return true
	case strings.HasPrefix(p, "systemd/system/"):
		ext := path.Ext(strings.TrimSuffix(dir, "/"))
		return ext == ".wants" || ext == ".requires" || path.Ext(base) == ".wants" || path.Ext(base) == ".requires"
	}
	return strings.HasPrefix(p, "rastos/")
}
