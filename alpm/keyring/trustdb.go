// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"errors"
	"fmt"
)

// Ownertrust: how far a key's owner is trusted to certify other keys (GnuPG,
// doc/DETAILS and g10/trustdb.h).
const (
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
	recordOwnertrust   = 12
	trustDBVersion     = 3
	fingerprintInTrust = 20 // longer fingerprints are cut to this
)

// A trustDB is what counts of a trustdb.gpg: the owner's own decisions. The
// validities that gpg caches in it are computed anew.
type trustDB struct {
	marginals, completes, maxDepth int
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
