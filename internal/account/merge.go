// SPDX-License-Identifier: GPL-3.0-or-later

package account

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Conflict is something that a merge could not decide. Live is what stayed.
type Conflict struct {
	Kind  Kind
	Name  string
	Field string // empty: the entry as a whole
	Live  string // empty for secrets
	Next  string
	Why   string
}

func (c Conflict) String() string {
	what := string(c.Kind) + ": " + c.Name
	if c.Why != "" {
		return what + ": " + c.Why
	}
	if c.Live == "" && c.Next == "" {
		return fmt.Sprintf("%s: the %s changed on this machine and in the new node", what, c.Field)
	}
	return fmt.Sprintf("%s: the %s is %q on this machine and %q in the new node", what, c.Field, c.Live, c.Next)
}

// Merge merges three states of one account file by name: base, from which both
// others come; live, of this machine; next, of a new node. Numbers are always
// live's: files on the disk carry them. Accounts are never removed because
// next lacks them, and those that were removed live stay away. The result keeps
// live's order and unknown lines; what is new comes at the end.
func Merge(kind Kind, base, live, next []byte) ([]byte, []Conflict) {
	m := merger{kind: kind, base: Decode(kind, base), live: Decode(kind, live), next: Decode(kind, next)}
	if shapes[kind].many {
		m.mergeRanges()
	} else {
		m.mergeEntries()
	}
	m.mergeUnknown()
	return m.live.Encode(), m.conflicts
}

// MergeFile is Merge for a path below /etc, with conflicts as lines of text.
func MergeFile(name string, base, live, next []byte) (merged []byte, conflicts []string, err error) {
	kind := Kind(path.Base(name))
	if _, ok := shapes[kind]; !ok {
		return nil, nil, fmt.Errorf("merge %s: no account file", name)
	}
	merged, found := Merge(kind, base, live, next)
	for _, c := range found {
		conflicts = append(conflicts, c.String())
	}
	return merged, conflicts, nil
}

// merger merges into live.
type merger struct {
	kind             Kind
	base, live, next *File
	conflicts        []Conflict
}

func (m *merger) mergeEntries() {
	seen := map[string]bool{}
	for _, next := range m.next.Entries() {
		if seen[next.Name()] {
			continue // only the first one counts
		}
		seen[next.Name()] = true
		base, inBase := m.base.Get(next.Name())
		live, inLive := m.live.Get(next.Name())
		switch {
		case inLive:
			merged := m.mergeFields(base, live, next)
			if !merged.equal(live) {
				m.live.Set(merged)
			}
		case inBase: // removed on this machine
		default:
			m.addNew(next)
		}
	}
}

// addNew takes an account that only next has, unless its number is taken: two
// names with one number would own each other's files.
func (m *merger) addNew(next Entry) {
	if field := shapes[m.kind].number; field > 0 {
		n, _ := next.Number(field)
		if other, taken := m.live.byNumber(n); taken {
			m.conflicts = append(m.conflicts, Conflict{Kind: m.kind, Name: next.Name(),
				Why: fmt.Sprintf("left out: its number %d belongs to %s on this machine", n, other.Name())})
			return
		}
	}
	m.live.Add(next)
}

func (m *merger) mergeFields(base, live, next Entry) Entry {
	s := shapes[m.kind]
	merged := live.clone()
	for i := range merged {
		var b string
		if base != nil {
			b = base[i]
		}
		switch {
		case live[i] == next[i]:
		case s.number > 0 && i == s.number:
			// Files of the new node may carry its number, but none of a person.
			if base == nil || next[i] != b || !person(next) {
				m.conflict(live, next, i)
			}
		case m.kind == Passwd && i == fieldGID:
			if base == nil || next[i] != b {
				m.conflict(live, next, i)
			}
		case slices.Contains(s.members, i):
			merged[i] = mergeSets(b, live[i], next[i])
		case base == nil:
			m.conflict(live, next, i)
		case live[i] == b:
			merged[i] = next[i]
		case next[i] == b:
		default:
			m.conflict(live, next, i)
		}
	}
	return merged
}

// person tells whether an entry of passwd or group is about a person, by its number.
func person(e Entry) bool {
	n, ok := e.Number(fieldUID)
	return ok && n >= firstUID && n <= lastUID
}

// A Person is an account that somebody works under.
type Person struct {
	Name string
	UID  int
}

// People are those of a passwd file, in its order.
func People(passwd []byte) []Person {
	var out []Person
	for _, e := range Decode(Passwd, passwd).Entries() {
		if person(e) {
			n, _ := e.Number(fieldUID)
			out = append(out, Person{e.Name(), n})
		}
	}
	return out
}

func (m *merger) conflict(live, next Entry, field int) {
	c := Conflict{Kind: m.kind, Name: live.Name(), Field: shapes[m.kind].names[field], Live: live[field], Next: next[field]}
	if field == fieldPassword {
		c.Live, c.Next = "", "" // hashes are no reading matter
	}
	m.conflicts = append(m.conflicts, c)
}

// mergeSets adds what next added and removes what next removed.
func mergeSets(base, live, next string) string {
	b, n := split(base), split(next)
	var out []string
	for _, name := range split(live) {
		removed := slices.Contains(b, name) && !slices.Contains(n, name)
		if !removed {
			out = append(out, name)
		}
	}
	for _, name := range n {
		if !slices.Contains(b, name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}

// mergeRanges merges subuid and subgid, where a name has a set of ranges. A
// range in use is never moved: files in containers carry its numbers.
func (m *merger) mergeRanges() {
	done := map[string]bool{}
	for _, next := range m.next.Entries() {
		name := next.Name()
		if done[name] {
			continue
		}
		done[name] = true
		base, live, all := rangesOf(m.base, name), rangesOf(m.live, name), rangesOf(m.next, name)
		switch {
		case len(live) == 0 && len(base) > 0: // removed on this machine
		case len(live) == 0:
			for _, e := range all {
				m.addRange(e)
			}
		case slices.EqualFunc(live, all, Entry.equal), slices.EqualFunc(base, all, Entry.equal):
		default:
			m.conflicts = append(m.conflicts, Conflict{Kind: m.kind, Name: name, Why: "its ranges are others on this machine than in the new node"})
		}
	}
}

func (m *merger) addRange(e Entry) {
	for _, have := range m.live.Entries() {
		if overlap(have, e) {
			m.conflicts = append(m.conflicts, Conflict{Kind: m.kind, Name: e.Name(),
				Why: fmt.Sprintf("left out: its range from %s overlaps that of %s on this machine", e[1], have.Name())})
			return
		}
	}
	m.live.Add(e)
}

func rangesOf(f *File, name string) []Entry {
	var out []Entry
	for _, e := range f.Entries() {
		if e.Name() == name {
			out = append(out, e)
		}
	}
	return out
}

func overlap(a, b Entry) bool {
	aStart, ok1 := a.Number(1)
	aCount, ok2 := a.Number(2)
	bStart, ok3 := b.Number(1)
	bCount, ok4 := b.Number(2)
	return ok1 && ok2 && ok3 && ok4 && aStart < bStart+bCount && bStart < aStart+aCount
}

// mergeUnknown adds the lines without meaning for us that next added.
func (m *merger) mergeUnknown() {
	have := map[string]bool{"": true}
	for _, f := range []*File{m.base, m.live} {
		for _, l := range f.lines {
			have[l.raw] = true
		}
	}
	for _, l := range m.next.lines {
		if l.entry == nil && !have[l.raw] {
			have[l.raw] = true
			m.live.lines = append(m.live.lines, l)
			m.live.open = false
		}
	}
}
