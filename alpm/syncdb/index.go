// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
)

// The file of an index: a header, then its sections one after the other.
//
//	magic, version, number of packages, SHA-256 of the database
//	for each section: offset, length, CRC-32C
//	CRC-32C of all that
//
// Numbers are little-endian. The section of records has no sum: each record
// has its own, so that one can be read without the others.
const (
	indexMagic   = "rastOS: index of a sync database"
	indexVersion = 1
)

// The sections of an index.
const (
	secNames    = iota // words: the names of the packages, sorted
	secRecords         // ends of the records, then their sums
	secGroups          // table
	secProvides        // table
	secReplaces        // table
	secSearch          // ends, then text to search
	secText            // the records
	sections
)

const (
	digestSize  = 32
	sectionsAt  = len(indexMagic) + 8 + digestSize
	sectionSize = 20
	headerSize  = sectionsAt + sections*sectionSize + 4
)

// errIndex is an index that is not whole. It is made again.
var errIndex = errors.New("damaged index")

// section is where one lies.
type section struct {
	at, size uint64
	sum      uint32
}

func castagnoli(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// index reads an index file. What is always needed is in memory; the rest is
// read, and held against its sum, when it is asked for.
type index struct {
	r        io.ReaderAt
	digest   [digestSize]byte // of the database that it is an index of
	sections [sections]section
	names    words
	ends     []byte // of the records
	sums     []byte
}

// newIndex reads the head of an index of size bytes.
func newIndex(r io.ReaderAt, size int64) (*index, error) {
	head := make([]byte, headerSize)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	body := head[:headerSize-4]
	switch {
	case string(head[:len(indexMagic)]) != indexMagic:
		return nil, fmt.Errorf("%w: it is something else", errIndex)
	case binary.LittleEndian.Uint32(head[len(indexMagic):]) != indexVersion:
		return nil, fmt.Errorf("%w: of another version", errIndex)
	case castagnoli(body) != binary.LittleEndian.Uint32(head[len(body):]):
		return nil, fmt.Errorf("%w: wrong checksum", errIndex)
	}
	ix := &index{r: r}
	packages := int(binary.LittleEndian.Uint32(head[len(indexMagic)+4:]))
	copy(ix.digest[:], head[len(indexMagic)+8:])
	next := uint64(headerSize)
	for i := range ix.sections {
		at := body[sectionsAt+i*sectionSize:]
		s := section{binary.LittleEndian.Uint64(at), binary.LittleEndian.Uint64(at[8:]), binary.LittleEndian.Uint32(at[16:])}
		if s.at != next || s.size > math.MaxUint32 {
			return nil, errIndex
		}
		next += s.size
		ix.sections[i] = s
	}
	if next != uint64(size) {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", errIndex, size, next)
	}
	return ix, ix.loadNames(packages)
}

func (ix *index) loadNames(packages int) error {
	names, err := ix.section(secNames)
	if err != nil {
		return err
	}
	records, err := ix.section(secRecords)
	if err != nil {
		return err
	}
	if ix.names, names, err = takeWords(names); err != nil {
		return err
	}
	if ix.ends, ix.sums, err = takeEnds(records); err != nil {
		return err
	}
	if len(names) != 0 || ix.names.len() != packages || len(ix.ends) != 4*packages || len(ix.sums) != 4*packages ||
		uint64(last(ix.ends)) != ix.sections[secText].size {
		return errLayout
	}
	return nil
}

// section reads a section whole.
func (ix *index) section(i int) ([]byte, error) {
	s := ix.sections[i]
	data := make([]byte, s.size)
	if _, err := ix.r.ReadAt(data, int64(s.at)); err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	if castagnoli(data) != s.sum {
		return nil, fmt.Errorf("%w: wrong checksum", errIndex)
	}
	return data, nil
}

func (ix *index) table(i int) (table, error) {
	data, err := ix.section(i)
	if err != nil {
		return table{}, err
	}
	return decodeTable(data, ix.names.len())
}

// tables reads the three tables.
func (ix *index) tables() (t *tables, err error) {
	t = new(tables)
	for i, dst := range map[int]*table{secGroups: &t.groups, secProvides: &t.provides, secReplaces: &t.replaces} {
		if *dst, err = ix.table(i); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// searchable reads the text to search.
func (ix *index) searchable() (*searchable, error) {
	data, err := ix.section(secSearch)
	if err != nil {
		return nil, err
	}
	s, err := decodeSearch(data, ix.names.len())
	return &s, err
}

// reader is what one goroutine keeps between records.
type reader struct {
	decoder desc.Decoder
	data    []byte
}

// records reads the packages from a place up to another one.
func (ix *index) records(r *reader, from, to int, each func(place int, p *desc.Package)) error {
	if from >= to {
		return nil
	}
	begin, _ := span(ix.ends, from)
	_, end := span(ix.ends, to-1)
	r.data = slices.Grow(r.data[:0], int(end-begin))[:end-begin]
	data := r.data
	if _, err := ix.r.ReadAt(data, int64(ix.sections[secText].at)+int64(begin)); err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	for i := from; i < to; i++ {
		start, stop := span(ix.ends, i)
		if castagnoli(data[start-begin:stop-begin]) != number(ix.sums, i) {
			return fmt.Errorf("%w: wrong checksum", errIndex)
		}
	}
	text := string(data)
	block := make([]desc.Package, to-from)
	for i := from; i < to; i++ {
		start, stop := span(ix.ends, i)
		p := &block[i-from]
		if err := r.decoder.Sync(p, "desc", text[start-begin:stop-begin]); err != nil {
			return err
		}
		if p.Name != ix.names.at(i) || p.Version == "" {
			return errIndex
		}
		each(i, p)
	}
	return nil
}

// record is one package, with the text that its description was read from.
type record struct {
	p    *desc.Package
	text string
}

// writeIndex writes the index of a database of that digest. The records are
// sorted by name.
func writeIndex(w io.Writer, digest [digestSize]byte, records []record) error {
	var content [secText][]byte
	content[secNames] = appendWords(nil, len(records), func(i int) string { return records[i].p.Name })
	text, err := recordTable(records)
	if err != nil {
		return err
	}
	content[secRecords] = text.table
	packages := make([]*desc.Package, len(records))
	for i := range records {
		packages[i] = records[i].p
	}
	groups, provides, replaces := relations(packages)
	content[secGroups], content[secProvides], content[secReplaces] = encodeTable(groups), encodeTable(provides), encodeTable(replaces)
	if content[secSearch], err = searchText(packages); err != nil {
		return err
	}
	head := append(make([]byte, 0, headerSize), indexMagic...)
	head = binary.LittleEndian.AppendUint32(head, indexVersion)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(records)))
	head = append(head, digest[:]...)
	at := uint64(headerSize)
	add := func(size uint64, sum uint32) {
		head = binary.LittleEndian.AppendUint64(head, at)
		head = binary.LittleEndian.AppendUint64(head, size)
		head = binary.LittleEndian.AppendUint32(head, sum)
		at += size
	}
	for _, data := range content {
		add(uint64(len(data)), castagnoli(data))
	}
	add(text.size, 0)
	head = binary.LittleEndian.AppendUint32(head, castagnoli(head))

	out := bufio.NewWriterSize(w, 1<<20) // keeps the first error for Flush
	for _, data := range append([][]byte{head}, content[:]...) {
		_, _ = out.Write(data)
	}
	for i := range records {
		_, _ = out.WriteString(records[i].text)
	}
	return out.Flush()
}

// recordsText is what is known of the text of all records.
type recordsText struct {
	table []byte
	size  uint64
}

// errLarge is a database whose index would need larger numbers. Nothing real
// is near.
var errLarge = errors.New("too large to be indexed")

func recordTable(records []record) (t recordsText, err error) {
	t.table = binary.LittleEndian.AppendUint32(nil, uint32(len(records)))
	sums := make([]byte, 0, 4*len(records))
	for i := range records {
		text := records[i].text
		if t.size += uint64(len(text)); t.size > math.MaxUint32 {
			return t, errLarge
		}
		t.table = binary.LittleEndian.AppendUint32(t.table, uint32(t.size))
		sums = binary.LittleEndian.AppendUint32(sums, castagnoli([]byte(text)))
	}
	t.table = append(t.table, sums...)
	return t, nil
}

// relations are the pairs of the tables.
func relations(packages []*desc.Package) (groups, provides, replaces []pair) {
	for i, p := range packages {
		place := uint32(i)
		for _, g := range p.Groups {
			groups = append(groups, pair{g, place})
		}
		for _, text := range p.Provides {
			provides = append(provides, pair{desc.ParseDep(text).Name, place})
		}
		for _, text := range p.Replaces {
			replaces = append(replaces, pair{desc.ParseDep(text).Name, place})
		}
	}
	return groups, provides, replaces
}
