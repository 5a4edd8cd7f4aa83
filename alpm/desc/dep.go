// SPDX-License-Identifier: GPL-3.0-or-later

package desc

import (
	"strings"

	"github.com/rastos/rastos/alpm/version"
)

// Op is how the version of a dependency is compared.
type Op int

// The comparisons of a dependency; Any accepts every version.
const (
	Any Op = iota
	Eq
	Lt
	Le
	Gt
	Ge
)

func (o Op) String() string {
	switch o {
	case Eq:
		return "="
	case Lt:
		return "<"
	case Le:
		return "<="
	case Gt:
		return ">"
	case Ge:
		return ">="
	}
	return ""
}

// Dep is a relation to another package: "name", "name>=1.2" or, for an
// optional dependency, "name: what it is good for".
type Dep struct {
	Name        string
	Op          Op
	Version     string
	Description string
}

// ParseDep reads a relation. Every text is one, as in libalpm: a wrong one
// names a package that does not exist. It allocates nothing.
func ParseDep(s string) Dep {
	var d Dep
	if i := strings.Index(s, ": "); i >= 0 {
		s, d.Description = s[:i], s[i+2:]
	}
	at, width := len(s), 0
	if i := strings.IndexByte(s, '<'); i >= 0 {
		at, width, d.Op = i, 1, Lt
		if strings.HasPrefix(s[i+1:], "=") {
			width, d.Op = 2, Le
		}
	} else if i := strings.IndexByte(s, '>'); i >= 0 {
		at, width, d.Op = i, 1, Gt
		if strings.HasPrefix(s[i+1:], "=") {
			width, d.Op = 2, Ge
		}
	} else if i := strings.IndexByte(s, '='); i >= 0 {
		at, width, d.Op = i, 1, Eq
	}
	d.Name, d.Version = s[:at], s[at+width:]
	return d
}

// String is the text that ParseDep reads.
func (d Dep) String() string {
	s := d.Name
	if d.Op != Any {
		s += d.Op.String() + d.Version
	}
	if d.Description != "" {
		s += ": " + d.Description
	}
	return s
}

// AllowsVersion tells whether version v is in the range of d.
func (d Dep) AllowsVersion(v string) bool {
	if d.Op == Any {
		return true
	}
	c := version.Compare(v, d.Version)
	switch d.Op {
	case Eq:
		return c == 0
	case Lt:
		return c < 0
	case Le:
		return c <= 0
	case Gt:
		return c > 0
	case Ge:
		return c >= 0
	}
	return false
}
