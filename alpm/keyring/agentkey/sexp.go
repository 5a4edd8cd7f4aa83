// SPDX-License-Identifier: GPL-3.0-or-later

package agentkey

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// An expr is a list of an S-expression; an item is an atom or a list.
type expr struct{ items []item }

type item struct {
	atom []byte
	list *expr // nil: an atom
}

// maxDepth bounds nested lists; a private key has four levels.
const maxDepth = 16

var errSexp = errors.New("the S-expression is malformed")

// parse reads one list, in the canonical form (lengths before strings) or the
// readable one (tokens, #hexadecimal#, "text").
func parse(data []byte) (*expr, error) {
	p := &parser{data: data}
	if c, ok := p.next(); !ok || c != '(' {
		return nil, errSexp
	}
	return p.list(0)
}

type parser struct{ data []byte }

// next takes the next byte that is no white space.
func (p *parser) next() (byte, bool) {
	p.data = bytes.TrimLeft(p.data, " \t\r\n")
	if len(p.data) == 0 {
		return 0, false
	}
	c := p.data[0]
	p.data = p.data[1:]
	return c, true
}

func (p *parser) list(depth int) (*expr, error) {
	if depth > maxDepth {
		return nil, errSexp
	}
	e := &expr{}
	for {
		c, ok := p.next()
		if !ok {
			return nil, errSexp
		}
		var it item
		var err error
		switch {
		case c == ')':
			return e, nil
		case c == '(':
			it.list, err = p.list(depth + 1)
		case c == '#':
			it.atom, err = p.hex()
		case c == '"':
			it.atom, err = p.text()
		case c >= '0' && c <= '9':
			it.atom, err = p.counted(int(c - '0'))
		default:
			it.atom = p.token(c)
		}
		if err != nil {
			return nil, err
		}
		e.items = append(e.items, it)
	}
}

func (p *parser) counted(n int) ([]byte, error) {
	for len(p.data) > 0 && p.data[0] >= '0' && p.data[0] <= '9' && n < MaxSize {
		n, p.data = n*10+int(p.data[0]-'0'), p.data[1:]
	}
	if len(p.data) == 0 || p.data[0] != ':' || n > len(p.data)-1 {
		return nil, errSexp
	}
	atom := p.data[1 : 1+n]
	p.data = p.data[1+n:]
	return atom, nil
}

func (p *parser) hex() ([]byte, error) {
	text, rest, ok := bytes.Cut(p.data, []byte("#"))
	if !ok {
		return nil, errSexp
	}
	p.data = rest
	out, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSexp, err)
	}
	return out, nil
}

func (p *parser) text() ([]byte, error) {
	text, rest, ok := bytes.Cut(p.data, []byte(`"`))
	if !ok || bytes.Contains(text, []byte(`\`)) { // no name in a key needs one
		return nil, errSexp
	}
	p.data = rest
	return text, nil
}

func (p *parser) token(first byte) []byte {
	end := bytes.IndexAny(p.data, " \t\r\n()#\"")
	if end < 0 {
		end = len(p.data)
	}
	atom := append([]byte{first}, p.data[:end]...)
	p.data = p.data[end:]
	return atom
}

func (e *expr) name() string {
	if len(e.items) == 0 {
		return ""
	}
	return string(e.items[0].atom)
}

// find is the list in e of that name.
func (e *expr) find(name string) *expr {
	for _, it := range e.items {
		if it.list != nil && it.list.name() == name {
			return it.list
		}
	}
	return nil
}

// value is the single atom of the list in e of that name.
func (e *expr) value(name string) []byte {
	l := e.find(name)
	if l == nil || len(l.items) != 2 {
		return nil
	}
	return l.items[1].atom
}

func (e *expr) number(name string) *big.Int {
	value := e.value(name)
	if len(value) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(value)
}
