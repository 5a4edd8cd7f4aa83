// SPDX-License-Identifier: GPL-3.0-or-later

package service

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// presetDirs are read in this order: the first directory that has a file of
// some name wins.
var presetDirs = []string{"etc/systemd/system-preset", "usr/local/lib/systemd/system-preset", "usr/lib/systemd/system-preset"}

// A rule is one line of a preset file.
type rule struct {
	verb      string // enable, disable or ignore
	pattern   string
	instances []string
}

// Preset enables or disables units as the presets say; all units if none is
// named, as systemd does at the first boot. A unit without a rule is enabled.
// When all are meant, what one of them has wrong with it is passed over: nobody
// asked for it.
func Preset(root FS, names ...string) ([]Change, error) {
	rules, err := presets(root)
	if err != nil {
		return nil, fmt.Errorf("read presets: %w", err)
	}
	p := &presetter{root: root, rules: rules, all: len(names) == 0}
	if p.all {
		if names, err = allUnits(root); err != nil {
			return nil, fmt.Errorf("list units: %w", err)
		}
	}
	for _, name := range names {
		if err := p.judge(p.add(FullName(name))); err != nil {
			return nil, err
		}
	}
	changes, err := Disable(root, p.disable...)
	if err != nil {
		return changes, err
	}
	e := newEnabler(root)
	for _, name := range p.enable {
		if err := p.judge(e.add(name)); err != nil {
			return nil, err
		}
	}
	more, err := e.apply()
	return append(changes, more...), err
}

// presetter collects what presets say before anything is done.
type presetter struct {
	root            FS
	rules           []rule
	all             bool
	enable, disable []string
}

// judge lets the mistakes of units pass when all are meant.
func (p *presetter) judge(err error) error {
	var wrong *Error
	if p.all && errors.As(err, &wrong) {
		return nil
	}
	return err
}

func (p *presetter) add(name string) error {
	u, err := find(p.root, name)
	if err != nil {
		return err
	}
	if u.name != name && p.all {
		return nil // an alias; the unit comes under its own name
	}
	verb, instances := verdict(p.rules, name)
	switch {
	case u.masked:
	case verb == "disable":
		p.disable = append(p.disable, name)
	case verb == "enable" && len(instances) > 0:
		for _, i := range instances {
			p.enable = append(p.enable, withInstance(name, i))
		}
	case verb == "enable" && u.sections:
		p.enable = append(p.enable, name)
	}
	return nil
}

// verdict is the first rule that matches.
func verdict(rules []rule, name string) (verb string, instances []string) {
	for _, r := range rules {
		if ok, err := path.Match(r.pattern, name); err == nil && ok {
			return r.verb, r.instances
		}
	}
	return "enable", nil
}

// presets reads all rules in the order of the files' names.
func presets(root FS) ([]rule, error) {
	files := map[string]string{}
	for _, dir := range presetDirs {
		entries, err := root.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".preset") && files[e.Name()] == "" {
				files[e.Name()] = dir + "/" + e.Name()
			}
		}
	}
	var order []string
	for base := range files {
		order = append(order, base)
	}
	slices.Sort(order)
	var rules []rule
	for _, base := range order {
		data, err := root.ReadFile(files[base])
		if err != nil {
			return nil, err
		}
		for _, l := range logicalLines(data) {
			fields := strings.Fields(l)
			if len(fields) < 2 || fields[0] != "enable" && fields[0] != "disable" && fields[0] != "ignore" {
				continue
			}
			r := rule{verb: fields[0], pattern: fields[1]}
			if r.verb == "enable" {
				r.instances = fields[2:]
			}
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// allUnits lists the names of all unit files.
func allUnits(root FS) ([]string, error) {
	var out []string
	for _, dir := range unitDirs {
		entries, err := root.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && validName(e.Name()) && !slices.Contains(out, e.Name()) {
				out = append(out, e.Name())
			}
		}
	}
	slices.Sort(out)
	return out, nil
}
