// SPDX-License-Identifier: GPL-3.0-or-later

package node

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// NameError is a name that cannot be given to a node.
type NameError struct{ Name, Why string }

func (e *NameError) Error() string {
	return fmt.Sprintf("a node cannot be named %q: %s", e.Name, e.Why)
}

// ExitCode is the class "usage".
func (e *NameError) ExitCode() int { return 2 }

// UnknownNameError is a name that leads to no node.
type UnknownNameError struct {
	Name  string
	Known []string
}

func (e *UnknownNameError) Error() string { return fmt.Sprintf("no node has the alias %q", e.Name) }

// Hint lists the aliases.
func (e *UnknownNameError) Hint() string {
	if len(e.Known) == 0 {
		return "a node is named by its number, which `rastos snapshot tree` shows"
	}
	return "the aliases are " + strings.Join(e.Known, ", ")
}

// Names that stand for something else than an alias.
const (
	Booted = "booted" // the node that runs
	Head   = "head"   // the node that the next change builds on
)

var aliasPattern = regexp.MustCompile(`^[a-z][a-z0-9._-]{0,63}$`)

// CheckAlias tells whether a name can be an alias.
func CheckAlias(name string) error {
	switch {
	case name == Booted || name == Head:
		return &NameError{name, "this name stands for a node already"}
	case !aliasPattern.MatchString(name):
		return &NameError{name, "it must be small letters, digits, dots and hyphens, and begin with a letter"}
	}
	return nil
}

// CheckLabel tells whether a text can be a label.
func CheckLabel(label string) error {
	if strings.ContainsAny(label, "\n\r\t") {
		return &NameError{label, "a label is one line"}
	}
	return nil
}

// SetLabel says what a node is, for people.
func (s *Store) SetLabel(number int, label string) error {
	if err := CheckLabel(label); err != nil {
		return err
	}
	return s.edit(number, func(n *Node) { n.Label = label })
}

// Pin keeps a node from being deleted to make room, or no longer does.
func (s *Store) Pin(number int, pinned bool) error {
	return s.edit(number, func(n *Node) { n.Pinned = pinned })
}

// Doom is the first step of a deletion, after which there is no way back.
func (s *Store) Doom(number int) error {
	return s.edit(number, func(n *Node) { n.Doomed = true })
}

// Own hands a node over to the deployments that run it: it goes with the last.
func (s *Store) Own(number int) error {
	return s.edit(number, func(n *Node) { n.Owned = true })
}

// Stand lets a node stay that came with a deployment, whatever becomes of that.
func (s *Store) Stand(number int) error {
	return s.edit(number, func(n *Node) { n.With = 0 })
}

func (s *Store) edit(number int, change func(*Node)) error {
	n, err := s.Get(number)
	if err != nil {
		return err
	}
	was := n
	if change(&n); n == was {
		return nil
	}
	return s.writeNode(n)
}

// SetAlias lets a name lead to a node and its newer versions; number 0 forgets
// the name. It may have led to another node before.
func (s *Store) SetAlias(name string, number int) error {
	if err := CheckAlias(name); err != nil {
		return err
	}
	if number != 0 {
		if _, err := s.Get(number); err != nil {
			return err
		}
	}
	st, err := s.State()
	if err != nil || st.Aliases[name] == number {
		return err
	}
	if number == 0 {
		delete(st.Aliases, name)
		return s.writeState(st)
	}
	if st.Aliases == nil {
		st.Aliases = map[string]int{}
	}
	st.Aliases[name] = number
	return s.writeState(st)
}

// adopt lets the alias that a new node was made with lead to it. Until State has
// it, the node's own record keeps it, so that Recover can go on after a cut.
func (s *Store) adopt(n *Node) error {
	if n.Alias == "" {
		return nil
	}
	if err := s.SetAlias(n.Alias, n.Number); err != nil {
		return err
	}
	n.Alias = ""
	return s.writeNode(*n)
}

// adoptAll finishes what cuts left of that.
func (s *Store) adoptAll() error {
	all, err := s.List()
	if err != nil {
		return err
	}
	for _, n := range all {
		if err := s.adopt(&n); err != nil {
			return err
		}
	}
	return nil
}

// moveAliases lets each alias lead elsewhere; 0 forgets it.
func (s *Store) moveAliases(move func(to int) int) error {
	st, err := s.State()
	if err != nil {
		return err
	}
	was := maps.Clone(st.Aliases)
	for name, to := range st.Aliases {
		if to = move(to); to == 0 {
			delete(st.Aliases, name)
		} else {
			st.Aliases[name] = to
		}
	}
	if maps.Equal(was, st.Aliases) {
		return nil
	}
	return s.writeState(st)
}

// Lookup finds the node that an alias leads to.
func (s *Store) Lookup(name string) (int, error) {
	st, err := s.State()
	if err != nil {
		return 0, err
	}
	to, ok := st.Aliases[name]
	if !ok {
		return 0, &UnknownNameError{name, slices.Sorted(maps.Keys(st.Aliases))}
	}
	all, err := s.List()
	if err != nil {
		return 0, err
	}
	return NewTree(all).Newest(to), nil
}
