// SPDX-License-Identifier: GPL-3.0-or-later

package etcmerge

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind says what a Change does to the live tree.
type Kind string

// The kinds of Change.
const (
	Take   Kind = "take"   // make the path what Entry says, content from the next tree
	Write  Kind = "write"  // make the path what Entry says, content from Data
	Meta   Kind = "meta"   // set mode, owner and attributes, leave the content
	Remove Kind = "remove" // remove the path; of a directory, only if it is empty by then
)

// Change is one step from the live tree to the merged one.
type Change struct {
	Kind  Kind   `json:"kind"`
	Path  string `json:"path"`
	From  string `json:"from,omitempty"` // Take: the path in the next tree, where it is not Path
	Entry Entry  `json:"-"`
	Data  []byte `json:"-"`
}

// Source is where the next tree has what a Take takes.
func (c Change) Source() string {
	if c.From != "" {
		return c.From
	}
	return c.Path
}

// Conflict is a path where live and next both say something and one of them
// had to wait.
type Conflict struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	Beside string `json:"beside,omitempty"` // where next's version lies, "" if nowhere
}

// Result is a merge worked out: changes in the order to make them (parents
// before children, removals last and children first).
type Result struct {
	Changes   []Change   `json:"changes"`
	Conflicts []Conflict `json:"conflicts,omitempty"`
	Notes     []Conflict `json:"notes,omitempty"` // decided by rule, worth telling
}

// KeyedMerge merges an account file by key. It is given base, live and next
// and returns the merged file and what it could not decide, a line each.
type KeyedMerge func(path string, base, live, next []byte) (merged []byte, conflicts []string, err error)

// keyed lists the files that KeyedMerge is for.
var keyed = map[string]bool{
	"passwd": true, "group": true, "shadow": true, "gshadow": true, "subuid": true, "subgid": true,
}

// maxText is the largest file that is merged line by line; a larger one is
// data, whatever its bytes look like.
const maxText = 1 << 20

// Suffix marks the file that holds next's version of a conflict.
const Suffix = ".rastnew"

type merger struct {
	base, live, next Tree
	src              Source
	keyed            KeyedMerge
	late             bool // a clash is a conflict
	res              Result
	gone             map[string]bool // live paths that the merge removes
	clashed          map[string]bool // paths that stay live's with all below, types clash there
}

// Merge works out the merged tree. It returns a *Clash when types clash.
func Merge(base, live, next Tree, src Source, keyed KeyedMerge) (Result, error) {
	return merge(&merger{base: base, live: live, next: next, src: src, keyed: keyed})
}

// Late is Merge where nobody can be asked any more, at a shutdown or a boot:
// where types clash live stays, and what next has there is laid beside it.
func Late(base, live, next Tree, src Source, keyed KeyedMerge) (Result, error) {
	return merge(&merger{base: base, live: live, next: next, src: src, keyed: keyed, late: true})
}

func merge(m *merger) (Result, error) {
	m.gone, m.clashed = map[string]bool{}, map[string]bool{}
	for _, p := range m.paths() {
		if err := m.one(p); err != nil {
			return Result{}, err
		}
	}
	m.removals()
	return m.res, nil
}

func (m *merger) paths() []string {
	seen := map[string]bool{}
	var all []string
	for _, t := range []Tree{m.base, m.live, m.next} {
		for p := range t {
			if !seen[p] {
				seen[p] = true
				all = append(all, p)
			}
		}
	}
	slices.Sort(all)
	return all
}

func (m *merger) one(p string) error {
	b, l, n := m.base.at(p), m.live.at(p), m.next.at(p)
	if m.below(p, func(dir string) bool { return m.clashed[dir] }) {
		return nil
	}
	switch {
	case l.ok && Identity(p):
		return nil
	case l.equal(n), n.equal(b):
		return nil
	case l.equal(b):
		if !n.ok {
			m.gone[p] = true
			return nil
		}
		if l.ok && l.Type.IsDir() && !n.Type.IsDir() && m.ownBelow(p) {
			return m.clash(p)
		}
		if dir, blocked := m.blocked(p); blocked {
			return m.clash(dir)
		}
		m.take(p, n.Entry, l)
		return nil
	case !l.ok:
		m.note(p, "deleted on this machine and changed in the new node: it stays deleted")
		return nil
	case !n.ok:
		m.note(p, "changed on this machine and gone from the new node: it stays")
		return nil
	case l.Type != n.Type:
		return m.clash(p)
	}
	return m.both(p, b, l.Entry, n.Entry)
}

// take makes p what next says. A type that changes (live is still what base
// was) removes the old file first; whoever applies the change does that.
func (m *merger) take(p string, n Entry, l lookup) {
	if l.ok && sameContent(l.Entry, n) {
		m.add(Change{Kind: Meta, Path: p, Entry: n})
		return
	}
	m.add(Change{Kind: Take, Path: p, Entry: n})
}

// both handles a path that live and next changed each in their own way.
func (m *merger) both(p string, b lookup, l, n Entry) error {
	merged := l
	merged.Perm = pick(b.ok, b.Perm, l.Perm, n.Perm)
	merged.UID = pick(b.ok, b.UID, l.UID, n.UID)
	merged.GID = pick(b.ok, b.GID, l.GID, n.GID)
	if b.ok && !sameMaps(l.Xattrs, n.Xattrs) && sameMaps(b.Xattrs, l.Xattrs) {
		merged.Xattrs = n.Xattrs
	}
	switch {
	case l.Type.IsDir() || sameContent(l, n) || b.ok && sameContent(b.Entry, n):
		if !sameMeta(l, merged) {
			m.add(Change{Kind: Meta, Path: p, Entry: merged})
		}
		return nil
	case b.ok && sameContent(b.Entry, l):
		take := n
		take.Perm, take.UID, take.GID, take.Xattrs = merged.Perm, merged.UID, merged.GID, merged.Xattrs
		m.add(Change{Kind: Take, Path: p, Entry: take})
		return nil
	case l.Type != 0:
		m.conflict(p, n, "the link points elsewhere on this machine and in the new node")
		return nil
	}
	return m.content(p, b, merged, n)
}

// content merges two regular files that both changed.
func (m *merger) content(p string, b lookup, merged, n Entry) error {
	if merged.Size > maxText || n.Size > maxText {
		m.conflict(p, n, "changed on both sides, and too large to merge by line")
		return nil
	}
	var base []byte
	var err error
	if b.ok && b.Type == 0 {
		if base, err = m.src.Content(Base, p); err != nil {
			return err
		}
	}
	live, err := m.src.Content(Live, p)
	if err != nil {
		return err
	}
	next, err := m.src.Content(Next, p)
	if err != nil {
		return err
	}
	if keyed[p] && m.keyed != nil {
		data, conflicts, err := m.keyed(p, base, live, next)
		if err != nil {
			return fmt.Errorf("merge /etc/%s: %w", p, err)
		}
		for _, c := range conflicts {
			m.res.Conflicts = append(m.res.Conflicts, Conflict{Path: p, Reason: c})
		}
		m.add(Change{Kind: Write, Path: p, Entry: merged, Data: data})
		return nil
	}
	if !isText(base) || !isText(live) || !isText(next) {
		m.conflict(p, n, "changed on both sides, and not text")
		return nil
	}
	data, ok := Lines(base, live, next)
	if !ok {
		m.conflict(p, n, "the same lines changed on this machine and in the new node")
		return nil
	}
	m.add(Change{Kind: Write, Path: p, Entry: merged, Data: data})
	return nil
}

// conflict keeps live and lays next beside it.
func (m *merger) conflict(p string, n Entry, reason string) {
	m.res.Conflicts = append(m.res.Conflicts, Conflict{Path: p, Reason: reason, Beside: p + Suffix})
	m.add(Change{Kind: Take, Path: p + Suffix, From: p, Entry: n})
}

func (m *merger) note(p, reason string) {
	m.res.Notes = append(m.res.Notes, Conflict{Path: p, Reason: reason})
}

func (m *merger) add(c Change) {
	m.parents(c.Path)
	m.res.Changes = append(m.res.Changes, c)
}

// parents makes sure that a path which the merge writes has its directories,
// also where live deleted them.
func (m *merger) parents(p string) {
	dir := path.Dir(p)
	if dir == "." || dir == "/" {
		return
	}
	delete(m.gone, dir)
	if _, ok := m.live[dir]; ok {
		m.parents(dir)
		return
	}
	for _, c := range m.res.Changes {
		if c.Path == dir {
			return
		}
	}
	if e, ok := m.next[dir]; ok {
		m.add(Change{Kind: Take, Path: dir, Entry: e})
	}
}

// removals appends what has to go, children before parents. A directory in
// which something of live stays is kept.
func (m *merger) removals() {
	keep := map[string]bool{}
	other := map[string]bool{} // paths that are no directory any more; what was in them went with it
	stay := func(p string) {
		for d := path.Dir(p); d != "." && d != "/"; d = path.Dir(d) {
			keep[d] = true
		}
	}
	for p := range m.live {
		if !m.gone[p] {
			stay(p)
		}
	}
	for _, c := range m.res.Changes {
		stay(c.Path)
		other[c.Path] = c.Kind == Take && !c.Entry.Type.IsDir()
	}
	var gone []string
	for p := range m.gone {
		if !keep[p] && !m.below(p, func(dir string) bool { return other[dir] }) {
			gone = append(gone, p)
		}
	}
	slices.Sort(gone)
	slices.Reverse(gone)
	for _, p := range gone {
		m.res.Changes = append(m.res.Changes, Change{Kind: Remove, Path: p, Entry: m.live[p]})
	}
}

// pick is the three-way rule for one field; live wins where both changed.
func pick[T comparable](hasBase bool, base, live, next T) T {
	if hasBase && live == base {
		return next
	}
	return live
}

func sameMaps(a, b map[string]string) bool {
	return sameMeta(Entry{Xattrs: a}, Entry{Xattrs: b})
}

func isText(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsRune(data, 0)
}

// Identity tells whether a path says which machine this is: a merge leaves it as
// it is live, and no picture that is taken of the machine has it.
func Identity(p string) bool {
	switch {
	case p == "machine-id", p == "adjtime", strings.HasSuffix(p, ".keytab"):
		return true
	}
	ok, _ := path.Match("ssh/ssh_host_*", p)
	return ok
}
