// SPDX-License-Identifier: GPL-3.0-or-later

package etcmerge

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Clash is an error: live and next changed a path into different types.
type Clash struct {
	Path       string
	Live, Next fs.FileMode
}

func (c *Clash) Error() string {
	return fmt.Sprintf("merge /etc: %s is %s on this machine and %s in the new node", c.Path, typeName(c.Live), typeName(c.Next))
}

// Hint says what a person can do.
func (c *Clash) Hint() string {
	return "move /etc/" + c.Path + " aside, then start again"
}

// below tells whether something holds for a directory above p.
func (m *merger) below(p string, holds func(dir string) bool) bool {
	for dir := path.Dir(p); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if holds(dir) {
			return true
		}
	}
	return false
}

// blocked finds what this machine made of a directory in which next has
// something new: a link there would lead the write elsewhere.
func (m *merger) blocked(p string) (dir string, found bool) {
	found = m.below(p, func(d string) bool {
		dir = d
		l := m.live.at(d)
		return l.ok && !l.Type.IsDir() && !l.equal(m.base.at(d))
	})
	return dir, found
}

// clash is a path with two types. Late, live's stays with all below it.
func (m *merger) clash(p string) error {
	c := &Clash{Path: p, Live: m.live[p].Type, Next: m.next[p].Type}
	if !m.late {
		return c
	}
	m.clashed[p] = true
	m.res.Conflicts = append(m.res.Conflicts, Conflict{
		Path: p, Beside: p + Suffix,
		Reason: fmt.Sprintf("it is %s on this machine and %s in the new node", typeName(c.Live), typeName(c.Next)),
	})
	for q, e := range m.next {
		if rest, ok := strings.CutPrefix(q, p); ok && (rest == "" || rest[0] == '/') {
			m.res.Changes = append(m.res.Changes, Change{Kind: Take, Path: p + Suffix + rest, From: q, Entry: e})
		}
	}
	slices.SortStableFunc(m.res.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// ownBelow tells whether live holds anything below p that base did not ship:
// then p cannot stop being a directory without losing it.
func (m *merger) ownBelow(p string) bool {
	for q := range m.live {
		if strings.HasPrefix(q, p+"/") && !m.live.at(q).equal(m.base.at(q)) {
			return true
		}
	}
	return false
}

func typeName(t fs.FileMode) string {
	switch {
	case t.IsDir():
		return "a directory"
	case t&fs.ModeSymlink != 0:
		return "a symbolic link"
	case t == 0:
		return "a file"
	}
	return "a special file"
}
