// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Blob types of a keybox file (GnuPG, kbx/keybox-blob.c).
const (
	blobHeader  = 1
	blobOpenPGP = 2
)

// decodeKeybox returns the OpenPGP key blocks of a keybox file (pubring.kbx),
// and whether its header says that it is used for OpenPGP at all. Blobs of
// X.509 certificates and deleted ones are passed over. The checksums at the
// ends of blobs are not verified: keys carry their own signatures.
func decodeKeybox(data []byte) (blocks [][]byte, used bool, err error) {
	if len(data) < 32 || data[4] != blobHeader || string(data[8:12]) != "KBXf" {
		return nil, false, errors.New("no keybox file")
	}
	used = binary.BigEndian.Uint16(data[6:])&2 != 0
	for at := 0; at < len(data); {
		rest := data[at:]
		if len(rest) < 5 {
			return nil, false, fmt.Errorf("keybox is truncated at byte %d", at)
		}
		size := int(binary.BigEndian.Uint32(rest))
		if size < 5 || size > len(rest) {
			return nil, false, fmt.Errorf("keybox blob at byte %d claims %d bytes of %d", at, size, len(rest))
		}
		if rest[4] == blobOpenPGP {
			block, err := keyblock(rest[:size])
			if err != nil {
				return nil, false, fmt.Errorf("keybox blob at byte %d: %w", at, err)
			}
			blocks = append(blocks, block)
		}
		at += size
	}
	return blocks, used, nil
}

func keyblock(blob []byte) ([]byte, error) {
	if len(blob) < 16 {
		return nil, errors.New("too short")
	}
	start := uint64(binary.BigEndian.Uint32(blob[8:]))
	size := uint64(binary.BigEndian.Uint32(blob[12:]))
	if start+size > uint64(len(blob)) {
		return nil, errors.New("its key reaches over its end")
	}
	return blob[start : start+size], nil
}
