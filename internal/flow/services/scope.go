// SPDX-License-Identifier: GPL-3.0-or-later

package services

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/rinit"
)

// Scope says whose services are meant.
type Scope struct {
	User bool   // those of the user who asks; else the system's
	Root string // of a system that does not run; "": this machine
}

// places are the folders of a scope.
type places struct {
	ext     string   // of its service files
	folders []string // with service files, below the root; the first is above the others
	enabled string   // with a link for each enabled service, below the root
	runtime string
	logs    string
}

// find returns them; those of users by the XDG base directory specification.
func (s Services) find(scope Scope) (places, error) {
	if !scope.User {
		return places{rinit.SystemExt, systemFolders, "etc/rinit/enabled", "/run/rinit", "/var/log/rinit"}, nil
	}
	home := s.variable("HOME")
	find := func(variable, below string) string {
		if dir := s.variable(variable); path.IsAbs(dir) {
			return path.Join(dir, "rinit")
		}
		return path.Join(home, below, "rinit")
	}
	p := places{ext: rinit.UserExt, logs: path.Join(find("XDG_STATE_HOME", ".local/state"), "log")}
	config, data := find("XDG_CONFIG_HOME", ".config"), find("XDG_DATA_HOME", ".local/share")
	runtime := s.variable("XDG_RUNTIME_DIR")
	switch {
	case !path.IsAbs(home):
		return p, errors.New("services of a user: HOME names no folder")
	case !path.IsAbs(runtime):
		return p, report.WithHint(errors.New("services of a user: XDG_RUNTIME_DIR names no folder"), "a login sets it; a folder that only the user can open will do")
	}
	p.runtime = path.Join(runtime, "rinit")
	for _, dir := range []string{config, data, "/usr/share/rinit"} {
		p.folders = append(p.folders, strings.TrimPrefix(path.Join(dir, "user"), "/"))
	}
	p.enabled = strings.TrimPrefix(path.Join(config, "enabled"), "/")
	return p, nil
}

// variable is one of the environment.
func (s Services) variable(name string) string {
	for _, v := range s.Environ {
		if value, is := strings.CutPrefix(v, name+"="); is {
			return value
		}
	}
	return ""
}

// graph reads the services of a scope. Mistakes in them are a rinit.Mistakes.
func (s Services) graph(scope Scope, p places) (*rinit.Graph, error) {
	texts, err := s.folderTexts(scope.Root, p.folders)
	if err != nil {
		return nil, err
	}
	check, graphs := linkTexts(texts, true)
	if err := check.Mistakes.Err(); err != nil {
		return nil, err
	}
	if g := graphs[p.ext]; g != nil {
		return g, nil
	}
	return rinit.Link(nil, false)
}

// Runlevels are the runlevels of the services of a scope.
func (s Services) Runlevels(scope Scope) (map[string]string, error) {
	p, err := s.find(scope)
	if err != nil {
		return nil, err
	}
	g, err := s.graph(scope, p)
	if err != nil {
		return nil, err
	}
	levels := map[string]string{}
	for _, name := range g.Names() {
		levels[name] = string(g.Service(name).Runlevel)
	}
	return levels, nil
}

// enabledIn are the names of the services that are enabled.
func enabledIn(tree folderFS, p places) ([]string, error) {
	entries, err := tree.ReadDir(p.enabled)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("see which services are enabled: %w", err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Enable makes services start with their manager, where their files say
// that they start by themselves. It returns those that it enabled.
func (s Services) Enable(scope Scope, names []string) ([]string, error) {
	return s.changeEnabled(scope, names, func(tree flow.Tree, p places, name string, on bool) error {
		if on {
			return fmt.Errorf("service %s is already enabled", name)
		}
		if err := tree.MkdirAll(p.enabled, 0o755); err != nil {
			return err
		}
		for _, dir := range p.folders {
			file := path.Join(dir, name+p.ext)
			if _, err := tree.Lstat(file); err == nil {
				return tree.Symlink("/"+file, path.Join(p.enabled, name))
			}
		}
		return fmt.Errorf("service %s does not exist", name)
	})
}

// Disable takes that back.
func (s Services) Disable(scope Scope, names []string) ([]string, error) {
	return s.changeEnabled(scope, names, func(tree flow.Tree, p places, name string, on bool) error {
		if !on {
			return fmt.Errorf("service %s is not enabled", name)
		}
		return tree.Remove(path.Join(p.enabled, name))
	})
}

// changeEnabled changes one service after the other; an error does not keep the
// others from being changed.
func (s Services) changeEnabled(scope Scope, names []string, change func(tree flow.Tree, p places, name string, on bool) error) ([]string, error) {
	p, err := s.find(scope)
	if err != nil {
		return nil, err
	}
	g, err := s.graph(scope, p)
	if err != nil {
		return nil, err
	}
	tree, err := s.Tree(rootName(scope.Root))
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	enabled, err := enabledIn(tree, p)
	if err != nil {
		return nil, err
	}
	on := map[string]bool{}
	for _, name := range enabled {
		on[name] = true
	}
	changed, all := []string{}, error(nil)
	for _, name := range names {
		err := error(&rinit.UnknownError{Name: name})
		if g.Service(name) != nil || on[name] {
			err = change(tree, p, name, on[name])
		}
		if err == nil {
			changed = append(changed, name)
		}
		all = errors.Join(all, err)
	}
	return changed, all
}
