// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb

import (
	"bytes"
	"encoding/binary"

	"github.com/rastos/rastos/alpm/desc"
)

// Indexed tells whether answers come from an index.
func (db *DB) Indexed() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.index != nil
}

// Where the parts of an index file lie.
const (
	HeaderSize = headerSize
	VersionAt  = len(indexMagic)
	Sections   = sections
)

// SectionAt tells where the i-th section begins.
func SectionAt(index []byte, i int) int {
	return int(binary.LittleEndian.Uint64(index[sectionsAt+i*sectionSize:]))
}

// Resum makes all checksums of an index right, so that only its content can be
// wrong.
func Resum(data []byte) []byte {
	if len(data) < headerSize {
		return data
	}
	data = bytes.Clone(data)
	copy(data, indexMagic)
	binary.LittleEndian.PutUint32(data[VersionAt:], indexVersion)
	next := uint64(headerSize)
	for i := range sections {
		at := data[sectionsAt+i*sectionSize:]
		size := min(binary.LittleEndian.Uint64(at[8:]), uint64(len(data))-next)
		if i == sections-1 {
			size = uint64(len(data)) - next
		}
		binary.LittleEndian.PutUint64(at, next)
		binary.LittleEndian.PutUint64(at[8:], size)
		binary.LittleEndian.PutUint32(at[16:], castagnoli(data[next:next+size]))
		next += size
	}
	binary.LittleEndian.PutUint32(data[headerSize-4:], castagnoli(data[:headerSize-4]))
	return data
}

// OpenIndex reads a database from an index alone; what gets lost is in again.
func OpenIndex(data []byte, again []*desc.Package) (*DB, error) {
	ix, err := newIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	return &DB{Name: "x", packages: make([]*desc.Package, ix.names.len()), index: ix,
		again: func() (*DB, error) { return New("x", again), nil }}, nil
}
