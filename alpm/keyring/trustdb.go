// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Ownertrust: how far a key's owner is trusted to certify other keys (GnuPG,
// doc/DETAILS and g10/trustdb.h).
const (
	ownerUnknown  = 2
	ownerNever    = 3
	ownerMarginal = 4
	ownerFull     = 5
	ownerUltimate = 6

	ownerMask     = 15
	ownerDisabled = 128
)

const (
	trustRecordSize    = 40
	recordVersion      = 1
	recordHashTable    = 10
	recordHashList     = 11
	recordOwnertrust   = 12
	trustDBVersion     = 3
	fingerprintInTrust = 20 // longer fingerprints are cut to this
)

// A trustDB is what counts of a trustdb.gpg: the owner's own decisions. The
// validities that gpg caches in it are computed anew.
type trustDB struct {
	marginals, completes, maxDepth int
	version                        []byte          // the record as it was read
	owner                          map[string]byte // by the first 20 bytes of the fingerprint
}

func newTrustDB() *trustDB {
	return &trustDB{marginals: 3, completes: 1, maxDepth: 5, owner: map[string]byte{}}
}

// decodeTrustDB reads the records of a trustdb.gpg.
func decodeTrustDB(data []byte) (*trustDB, error) {
	db := newTrustDB()
	if len(data) == 0 { // gpg makes it so before the first key
		return db, nil
	}
	if len(data) < trustRecordSize || data[0] != recordVersion || string(data[1:4]) != "gpg" {
		return nil, errors.New("no trust database")
	}
	if data[4] != trustDBVersion {
		return nil, fmt.Errorf("trust database of version %d, not %d", data[4], trustDBVersion)
	}
	if data[5] > 0 && data[6] > 0 && data[7] > 0 {
		db.marginals, db.completes, db.maxDepth = int(data[5]), int(data[6]), int(data[7])
	}
	db.version = data[:trustRecordSize]
	for len(data) >= trustRecordSize {
		record := data[:trustRecordSize]
		data = data[trustRecordSize:]
		if record[0] == recordOwnertrust && record[22] != 0 {
			db.owner[string(record[2:2+fingerprintInTrust])] = record[22]
		}
	}
	if len(data) != 0 {
		return nil, errors.New("trust database is truncated")
	}
	return db, nil
}

func (db *trustDB) of(fingerprint string) byte {
	if len(fingerprint) < fingerprintInTrust {
		return 0
	}
	return db.owner[fingerprint[:fingerprintInTrust]]
}

// Where the version record has what encode fills in, and how many numbers of
// records the two kinds of index hold.
const (
	versionCreated   = 12
	versionNextCheck = 16
	versionFirstFree = 28
	versionHashTable = 36

	hashTableItems = (trustRecordSize - 2) / 4
	hashListItems  = (trustRecordSize - 6) / 5
)

// encode writes the decisions as a trustdb.gpg: the version, a hash table over
// the first byte of fingerprints, and a record for each. gpg is told that its
// computed validities, which are not written, are due.
func (db *trustDB) encode(created time.Time) []byte {
	w := &trustWriter{}
	version := w.record()
	if len(db.version) == trustRecordSize {
		copy(version, db.version)
	} else {
		// The limits, and the trust model "pgp" with certification level 2: gpg's own.
		copy(version, []byte{recordVersion, 'g', 'p', 'g', trustDBVersion, byte(db.marginals), byte(db.completes), byte(db.maxDepth), 1, 2})
		binary.BigEndian.PutUint32(version[versionCreated:], uint32(created.Unix()))
	}
	binary.BigEndian.PutUint32(version[versionNextCheck:], 1) // long ago
	binary.BigEndian.PutUint32(version[versionFirstFree:], 0)
	binary.BigEndian.PutUint32(version[versionHashTable:], 1)
	for i := 0; i < 256; i += hashTableItems {
		w.record()[0] = recordHashTable
	}
	buckets := map[byte][]uint32{}
	for _, fingerprint := range slices.Sorted(maps.Keys(db.owner)) {
		number := w.count()
		record := w.record()
		record[0], record[22] = recordOwnertrust, db.owner[fingerprint]
		copy(record[2:], fingerprint)
		buckets[fingerprint[0]] = append(buckets[fingerprint[0]], number)
	}
	for b := range 256 {
		w.index(b, buckets[byte(b)])
	}
	return bytes.Join(w.records, nil)
}

type trustWriter struct{ records [][]byte }

func (w *trustWriter) count() uint32 { return uint32(len(w.records)) }

func (w *trustWriter) record() []byte {
	r := make([]byte, trustRecordSize)
	w.records = append(w.records, r)
	return r
}

// index lets the hash table lead to records: to a single one by itself, to
// several by lists of their numbers, each of which names the next.
func (w *trustWriter) index(b int, numbers []uint32) {
	slot := w.records[1+b/hashTableItems][2+b%hashTableItems*4:]
	if len(numbers) == 1 {
		binary.BigEndian.PutUint32(slot, numbers[0])
		return
	}
	for chunk := range slices.Chunk(numbers, hashListItems) {
		binary.BigEndian.PutUint32(slot, w.count())
		list := w.record()
		list[0] = recordHashList
		for i, n := range chunk {
			binary.BigEndian.PutUint32(list[6+4*i:], n)
		}
		slot = list[2:]
	}
}

// set decides about a key; the mark that it is disabled is kept.
func (db *trustDB) set(fingerprint string, value byte) {
	db.put(fingerprint, value|db.of(fingerprint)&ownerDisabled)
}

func (db *trustDB) disable(fingerprint string) { db.put(fingerprint, db.of(fingerprint)|ownerDisabled) }

func (db *trustDB) put(fingerprint string, value byte) {
	if len(fingerprint) >= fingerprintInTrust {
		db.owner[fingerprint[:fingerprintInTrust]] = value
	}
}

// word is the decision about a key, as gpg writes it.
func (db *trustDB) word(fingerprint string) string {
	switch db.of(fingerprint) & ownerMask {
	case ownerNever:
		return "never"
	case ownerMarginal:
		return "marginal"
	case ownerFull:
		return "full"
	case ownerUltimate:
		return "ultimate"
	}
	return "unknown"
}
