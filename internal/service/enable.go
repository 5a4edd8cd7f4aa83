// SPDX-License-Identifier: GPL-3.0-or-later

package service

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/rastos/rastos/internal/mistake"
)

// A Change is one link that was made or removed.
type Change struct {
	Link   string // path below the root
	Target string // what it points to; empty if it was removed
}

// Enable makes the links that start units at boot. Links that are there stay.
// It reports what is wrong with each unit and does nothing if there is
// anything: a unit that is not there, masked, or without anything to install.
func Enable(root FS, names ...string) ([]Change, error) {
	p := newEnabler(root)
	var mistakes []error
	for _, name := range names {
		mistakes = append(mistakes, p.add(FullName(name)))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return p.apply()
}

// enabler collects links before any is made.
type enabler struct {
	root  FS
	links map[string]string // path → target
	order []string
	seen  []string
}

func newEnabler(root FS) *enabler { return &enabler{root: root, links: map[string]string{}} }

// add plans the links of a unit that was asked for.
func (p *enabler) add(name string) error {
	u, err := find(p.root, name)
	if err != nil {
		return err
	}
	if u.masked {
		return &Error{name, "it is masked", "unmask it first"}
	}
	if !u.sections {
		return &Error{name, "it has no [Install] section: other units start it, or nothing does", "leave it out, or enable what wants it"}
	}
	return p.plan(u)
}

func (p *enabler) plan(u *unit) error {
	if slices.Contains(p.seen, u.name) {
		return nil
	}
	p.seen = append(p.seen, u.name)
	if err := p.aliases(u); err != nil {
		return err
	}
	if err := p.dependencies(u); err != nil {
		return err
	}
	return p.also(u)
}

// aliases plans the other names of a unit.
func (p *enabler) aliases(u *unit) error {
	_, instance, suffix, template := splitName(u.name)
	for _, raw := range u.install.alias {
		alias, err := expand(raw, u.name)
		if err != nil {
			return &Error{u.name, err.Error(), ""}
		}
		if alias == u.name {
			continue
		}
		if path.Ext(alias) != suffix || !validName(alias) {
			continue // systemctl complains and goes on; nobody can mend it but the packager
		}
		_, have, _, aliasTemplate := splitName(alias)
		if aliasTemplate && have == "" && instance != "" {
			alias = withInstance(alias, instance)
		} else if aliasTemplate && have == "" != (template && instance == "") || !aliasTemplate && template && instance == "" {
			continue
		}
		link := configDir + "/" + alias
		if err := p.free(u, link); err != nil {
			return err
		}
		p.link(link, u)
	}
	return nil
}

// free refuses an alias that is another unit's: two units cannot both be the
// display manager.
func (p *enabler) free(u *unit, link string) error {
	have, planned := p.links[link]
	if !planned {
		info, err := p.root.Lstat(link)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w", link, err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			if have, err = p.root.Readlink(link); err != nil {
				return err
			}
		}
	}
	if inRoot(configDir, have) == u.path {
		return nil
	}
	return &Error{u.name, fmt.Sprintf("its alias %s belongs to %s", path.Base(link), path.Base(have)), "disable that one first"}
}

// dependencies plans what pulls the unit in.
func (p *enabler) dependencies(u *unit) error {
	name := u.name
	if isTemplate(name) && u.install.defaultInstance != "" {
		instance, err := expand(u.install.defaultInstance, name)
		if err != nil {
			return &Error{u.name, err.Error(), ""}
		}
		name = withInstance(name, instance)
	}
	for _, kind := range []struct {
		dir  string
		list []string
	}{{".wants", u.install.wantedBy}, {".requires", u.install.requiredBy}, {".upholds", u.install.upheldBy}} {
		for _, raw := range kind.list {
			by, err := expand(raw, name)
			if err != nil {
				return &Error{u.name, err.Error(), ""}
			}
			if !validName(by) {
				return &Error{u.name, fmt.Sprintf("%q in its [Install] section is no name of a unit", by), ""}
			}
			if isTemplate(name) && !isTemplate(by) { // only another template can pass an instance on
				return &Error{name, "it is a template", "enable an instance of it, like " + withInstance(name, "NAME")}
			}
			p.link(configDir+"/"+by+kind.dir+"/"+name, u)
		}
	}
	return nil
}

// also plans the units that are enabled together with this one. What is missing
// or masked among them is passed over, as systemctl does.
func (p *enabler) also(u *unit) error {
	for _, raw := range u.install.also {
		name, err := expand(raw, u.name)
		if err != nil {
			return &Error{u.name, err.Error(), ""}
		}
		other, err := find(p.root, name)
		var wrong *Error
		if errors.As(err, &wrong) || err == nil && other.masked {
			continue
		}
		if err != nil {
			return err
		}
		if err := p.plan(other); err != nil {
			return err
		}
	}
	return nil
}

func (p *enabler) link(name string, u *unit) {
	if _, planned := p.links[name]; !planned {
		p.order = append(p.order, name)
	}
	p.links[name] = "/" + u.path
}

func (p *enabler) apply() ([]Change, error) {
	var changes []Change
	for _, link := range p.order {
		changed, err := makeLink(p.root, link, p.links[link])
		if err != nil {
			return changes, fmt.Errorf("enable: %w", err)
		}
		if changed {
			changes = append(changes, Change{link, p.links[link]})
		}
	}
	return changes, nil
}

// makeLink makes a link, unless there is one to the same file.
func makeLink(root FS, link, target string) (changed bool, err error) {
	if have, err := root.Readlink(link); err == nil {
		if inRoot(path.Dir(link), have) == strings.TrimPrefix(target, "/") {
			return false, nil
		}
		if err := root.Remove(link); err != nil {
			return false, err
		}
	}
	if err := root.MkdirAll(path.Dir(link), 0o755); err != nil {
		return false, err
	}
	return true, root.Symlink(target, link)
}

// notFound names the unit that was most likely meant.
func notFound(root FS, name string) error {
	e := &Error{Unit: name, Reason: "there is no such unit", Advice: "a package that is not installed may bring it"}
	all, err := allUnits(root)
	if err != nil {
		return e // it is not there all the same
	}
	if near := mistake.Nearest(name, all); near != "" {
		e.Advice = "did you mean " + near + "?"
	}
	return e
}
