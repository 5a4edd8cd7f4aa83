// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"bytes"
	"encoding/binary"
	"math"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/rastos/rastos/alpm/desc"
)

// Fold writes text as it is searched: all letters that a regular expression
// without regard to case takes for an ASCII letter become that one, small.
func Fold(text string) string { return string(appendFolded(nil, text)) }

// The two letters outside ASCII whose other case is in it.
const (
	kelvin = '\u212a'
	longS  = '\u017f'
)

func appendFolded(dst []byte, text string) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch r {
		case kelvin:
			dst = append(dst, 'k')
		case longS:
			dst = append(dst, 's')
		default:
			dst = append(dst, text[i:i+size]...)
		}
		i += size
	}
	return dst
}

// searchText makes the section that Containing looks through: for each package
// its texts, folded, a line each.
func searchText(packages []*desc.Package) ([]byte, error) {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(packages)))
	var text []byte
	add := func(s string) { text = append(appendFolded(text, s), '\n') }
	for _, p := range packages {
		add(p.Name)
		add(p.Description)
		for _, provide := range p.Provides {
			add(desc.ParseDep(provide).Name)
		}
		for _, g := range p.Groups {
			add(g)
		}
		if len(text) > math.MaxUint32 {
			return nil, errLarge
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(len(text)))
	}
	return append(out, text...), nil
}

// searchable is the section as it is read.
type searchable struct {
	ends []byte
	text []byte
}

func decodeSearch(data []byte, packages int) (s searchable, err error) {
	if s.ends, s.text, err = takeEnds(data); err != nil {
		return s, err
	}
	if len(s.ends) != 4*packages || int(last(s.ends)) != len(s.text) {
		return s, errLayout
	}
	return s, nil
}

// containing returns the places of the packages whose texts have all words.
func (s searchable) containing(list []string) (places []int) {
	// The longest word is the rarest, as a rule.
	list = append([]string(nil), list...)
	sort.Slice(list, func(i, j int) bool { return len(list[i]) > len(list[j]) })
	first, others := []byte(list[0]), list[1:]
	for at := 0; at < len(s.text); {
		found := bytes.Index(s.text[at:], first)
		if found < 0 {
			break
		}
		found += at
		place := sort.Search(len(s.ends)/4, func(i int) bool { return int(number(s.ends, i)) > found })
		from, to := span(s.ends, place)
		if all(s.text[from:to], others) {
			places = append(places, place)
		}
		at = int(to)
	}
	return places
}

func all(text []byte, list []string) bool {
	for _, word := range list {
		if !bytes.Contains(text, []byte(word)) {
			return false
		}
	}
	return true
}

// foldAll folds words to search for and drops those that are empty.
func foldAll(list []string) (out []string) {
	for _, word := range list {
		if word != "" && !strings.Contains(word, "\n") {
			out = append(out, Fold(word))
		}
	}
	return out
}
