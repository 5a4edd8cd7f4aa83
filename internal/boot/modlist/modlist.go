// SPDX-License-Identifier: GPL-3.0-or-later

// Package modlist is what the builder of the initramfs tells its /init about
// the kernel modules inside: a JSON list in an order in which they can be
// loaded. It stands alone so that /init needs nothing else of the builder.
//
// The patterns of aliases are the kernel's own (file2alias.c): * any text, ?
// one character, [a-f] one of a range. A pattern is matched against a device's
// modalias as sysfs shows it.
package modlist

import (
	"encoding/json"
	"fmt"
)

// Path is where the list lies in the initramfs.
const Path = "lib/rastos/modules.json"

// Module is one kernel module in the initramfs.
type Module struct {
	Name    string   `json:"name"`            // with underscores
	Path    string   `json:"path"`            // of the .ko in the initramfs, without leading slash
	Needs   []string `json:"needs,omitempty"` // names of modules earlier in the list
	Aliases []string `json:"aliases,omitempty"`

	// Always: loaded on every machine. Otherwise when a device's modalias
	// matches, or another module needs it.
	Always bool `json:"always,omitempty"`
}

// List is all modules, each after those that it needs.
type List struct {
	Release string   `json:"release"` // of the kernel
	Modules []Module `json:"modules"`
}

// Encode writes a list.
func Encode(l List) ([]byte, error) { return json.Marshal(l) }

// Decode reads a list and checks its order.
func Decode(data []byte) (List, error) {
	var l List
	if err := json.Unmarshal(data, &l); err != nil {
		return l, fmt.Errorf("list of modules: %w", err)
	}
	seen := map[string]bool{}
	for _, m := range l.Modules {
		if m.Name == "" || m.Path == "" || seen[m.Name] {
			return l, fmt.Errorf("list of modules: %q (%s) has no name, no path, or is there twice", m.Name, m.Path)
		}
		for _, need := range m.Needs {
			if !seen[need] {
				return l, fmt.Errorf("list of modules: %s needs %s, which does not come before it", m.Name, need)
			}
		}
		seen[m.Name] = true
	}
	return l, nil
}

// Select returns the modules to load, in order: those that are wanted by a
// device among modaliases or by always, and what they need, but those loaded.
func (l List) Select(always bool, modaliases []string, loaded map[string]bool) []Module {
	wanted := map[string]bool{}
	for i := len(l.Modules) - 1; i >= 0; i-- { // needs come before: one pass
		m := l.Modules[i]
		if !wanted[m.Name] && !(always && m.Always) && !m.matches(modaliases) {
			continue
		}
		wanted[m.Name] = true
		for _, need := range m.Needs {
			wanted[need] = true
		}
	}
	var list []Module
	for _, m := range l.Modules {
		if wanted[m.Name] && !loaded[m.Name] {
			list = append(list, m)
		}
	}
	return list
}

func (m Module) matches(modaliases []string) bool {
	for _, pattern := range m.Aliases {
		for _, alias := range modaliases {
			if Match(pattern, alias) {
				return true
			}
		}
	}
	return false
}

// Match says whether an alias pattern covers a modalias.
func Match(pattern, s string) bool {
	// The last star and where it began to match: linear in practice.
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		n, ok := one(pattern[p:], s[i])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case ok:
			p += n
			i++
		case star >= 0:
			p = star + 1
			mark++
			i = mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// one matches the element that pattern begins with against one byte, and
// returns the element's length.
func one(pattern string, c byte) (n int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		return class(pattern, c)
	}
	return 1, pattern[0] == c
}

// class matches "[0-9a]"; a bracket without an end stands for itself.
func class(pattern string, c byte) (n int, ok bool) {
	for i := 1; i < len(pattern); i++ {
		if pattern[i] == ']' && i > 1 {
			return i + 1, ok
		}
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			ok = ok || pattern[i] <= c && c <= pattern[i+2]
			i += 2
			continue
		}
		ok = ok || pattern[i] == c
	}
	return 1, pattern[0] == c
}
