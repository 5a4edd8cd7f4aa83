// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"
	"strings"
)

// errLayout is a table whose numbers lead outside of it.
var errLayout = errors.New("malformed table")

// words is a list of texts in one piece: their ends as 32-bit numbers, then
// the texts themselves.
type words struct {
	ends []byte
	text string
}

func appendWords(dst []byte, n int, at func(int) string) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	end := 0
	for i := range n {
		end += len(at(i))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(end))
	}
	for i := range n {
		dst = append(dst, at(i)...)
	}
	return dst
}

// takeWords reads a list of texts and returns what follows it.
func takeWords(data []byte) (w words, rest []byte, err error) {
	ends, data, err := takeEnds(data)
	if err != nil {
		return w, nil, err
	}
	size := int(last(ends))
	if size > len(data) {
		return w, nil, errLayout
	}
	return words{ends: ends, text: string(data[:size])}, data[size:], nil
}

// takeEnds reads a count and as many numbers, none of which is less than the
// one before.
func takeEnds(data []byte) (ends, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errLayout
	}
	n := int(binary.LittleEndian.Uint32(data))
	if data = data[4:]; n > len(data)/4 {
		return nil, nil, errLayout
	}
	ends = data[:4*n]
	before := uint32(0)
	for i := range n {
		end := number(ends, i)
		if end < before {
			return nil, nil, errLayout
		}
		before = end
	}
	return ends, data[4*n:], nil
}

// number is the i-th of a list of 32-bit numbers.
func number(list []byte, i int) uint32 { return binary.LittleEndian.Uint32(list[4*i:]) }

func last(list []byte) uint32 {
	if len(list) == 0 {
		return 0
	}
	return number(list, len(list)/4-1)
}

// span is where the i-th part lies, by the ends of all.
func span(ends []byte, i int) (from, to uint32) {
	if i > 0 {
		from = number(ends, i-1)
	}
	return from, number(ends, i)
}

func (w words) len() int { return len(w.ends) / 4 }

func (w words) at(i int) string {
	from, to := span(w.ends, i)
	return w.text[from:to]
}

// find looks a word up in a sorted list.
func (w words) find(word string) (int, bool) {
	return sort.Find(w.len(), func(i int) int { return strings.Compare(word, w.at(i)) })
}

// table leads from words to packages, which are numbers: their places in the
// database. It is laid out as it stands in an index file: the words in order,
// for each the end of its part of the numbers, then the numbers.
type table struct {
	keys  words
	ends  []byte
	items []byte
}

// pair is one word and one package that it leads to.
type pair struct {
	key   string
	place uint32
}

// encodeTable sorts the pairs, and keeps one of equal ones.
func encodeTable(pairs []pair) []byte {
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return int(a.place) - int(b.place)
	})
	pairs = slices.Compact(pairs)
	var first []int // of each key
	for i, p := range pairs {
		if i == 0 || p.key != pairs[i-1].key {
			first = append(first, i)
		}
	}
	out := appendWords(nil, len(first), func(i int) string { return pairs[first[i]].key })
	out = binary.LittleEndian.AppendUint32(out, uint32(len(first)))
	for i := range first {
		end := len(pairs)
		if i+1 < len(first) {
			end = first[i+1]
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(end))
	}
	for _, p := range pairs {
		out = binary.LittleEndian.AppendUint32(out, p.place)
	}
	return out
}

// decodeTable reads a table that leads to the first so many packages.
func decodeTable(data []byte, packages int) (t table, err error) {
	if t.keys, data, err = takeWords(data); err != nil {
		return t, err
	}
	if t.ends, t.items, err = takeEnds(data); err != nil {
		return t, err
	}
	if len(t.ends) != len(t.keys.ends) || len(t.items) != 4*int(last(t.ends)) {
		return t, errLayout
	}
	for i := range len(t.items) / 4 {
		if number(t.items, i) >= uint32(packages) {
			return t, errLayout
		}
	}
	return t, nil
}

// find returns the places that a word leads to.
func (t table) find(key string) []int {
	i, ok := t.keys.find(key)
	if !ok {
		return nil
	}
	from, to := span(t.ends, i)
	places := make([]int, 0, to-from)
	for ; from < to; from++ {
		places = append(places, int(number(t.items, int(from))))
	}
	return places
}
