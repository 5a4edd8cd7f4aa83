// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha512" // go-crypto finds hash functions in the registry of package crypto
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Packet tags (RFC 9580, section 5).
const (
	tagSignature = 2
	tagSecretKey = 5
	tagPublicKey = 6
	tagUserID    = 13
	tagSubkey    = 14
	tagUserAttr  = 17
)

// maxPacket bounds one packet of a key or signature; photos in user attributes
// are the largest ones.
const maxPacket = 4 << 20

// A rawPacket is one packet, split but not decoded.
type rawPacket struct {
	tag   int
	body  []byte
	whole []byte // with its header
}

var errTruncatedPacket = errors.New("OpenPGP packet is truncated")

// nextPacket splits the first packet off data. Partial lengths, which keys and
// signatures never use, are refused.
func nextPacket(data []byte) (p rawPacket, rest []byte, err error) {
	if len(data) < 2 {
		return p, nil, errTruncatedPacket
	}
	if data[0]&0x80 == 0 {
		return p, nil, fmt.Errorf("byte %#02x begins no OpenPGP packet", data[0])
	}
	var size, head int
	if data[0]&0x40 != 0 {
		p.tag = int(data[0] & 0x3f)
		size, head, err = newLength(data[1:])
	} else {
		p.tag = int(data[0]>>2) & 0x0f
		size, head, err = oldLength(data[0]&3, data[1:])
	}
	if err != nil {
		return p, nil, err
	}
	head++
	if size > maxPacket {
		return p, nil, fmt.Errorf("OpenPGP packet of %d bytes is too large", size)
	}
	if len(data)-head < size {
		return p, nil, errTruncatedPacket
	}
	p.body, p.whole = data[head:head+size], data[:head+size]
	return p, data[head+size:], nil
}

func newLength(b []byte) (size, head int, err error) {
	switch {
	case b[0] < 192:
		return int(b[0]), 1, nil
	case b[0] < 224:
		if len(b) < 2 {
			return 0, 0, errTruncatedPacket
		}
		return int(b[0]-192)<<8 + int(b[1]) + 192, 2, nil
	case b[0] == 255:
		if len(b) < 5 {
			return 0, 0, errTruncatedPacket
		}
		return int(binary.BigEndian.Uint32(b[1:])), 5, nil
	}
	return 0, 0, errors.New("OpenPGP packet has a partial length")
}

func oldLength(kind byte, b []byte) (size, head int, err error) {
	if kind == 3 {
		return 0, 0, errors.New("OpenPGP packet has no length")
	}
	head = 1 << kind
	if len(b) < head {
		return 0, 0, errTruncatedPacket
	}
	for _, c := range b[:head] {
		size = size<<8 | int(c)
	}
	return size, head, nil
}

// keyName identifies a key packet: its fingerprint, and the 64-bit id that
// signatures carry.
type keyName struct {
	fingerprint string // raw bytes
	id          uint64
}

// nameOf computes the fingerprint of the body of a key packet (RFC 9580,
// section 5.5.4). The old version 3 has none that is safe.
func nameOf(body []byte) (keyName, bool) {
	if len(body) < 6 {
		return keyName{}, false
	}
	switch body[0] {
	case 4:
		h := sha1.New()
		h.Write([]byte{0x99, byte(len(body) >> 8), byte(len(body))})
		h.Write(body)
		sum := h.Sum(nil)
		return keyName{string(sum), binary.BigEndian.Uint64(sum[12:])}, true
	case 6:
		h := sha256.New()
		h.Write([]byte{0x9b})
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(body))))
		h.Write(body)
		sum := h.Sum(nil)
		return keyName{string(sum), binary.BigEndian.Uint64(sum)}, true
	}
	return keyName{}, false
}

// parseKey decodes a public key packet.
func parseKey(p rawPacket) (*packet.PublicKey, error) {
	decoded, err := packet.Read(bytes.NewReader(p.whole))
	if err != nil {
		return nil, err
	}
	pk, ok := decoded.(*packet.PublicKey)
	if !ok {
		return nil, fmt.Errorf("OpenPGP packet %d is no public key", p.tag)
	}
	return pk, nil
}

// Types of signature subpackets (RFC 9580, section 5.2.3.7).
const (
	subpacketExportable  = 4
	subpacketPlaceholder = 100 // "private or experimental": ignored by every reader
)

// parseSignature decodes the body of a signature packet, local (not exportable)
// certifications included: those are how a pacman keyring trusts its master
// keys, and go-crypto refuses them. So it is shown another subpacket type in
// their place, and the bytes that the signature covers are put right afterwards.
func parseSignature(body []byte) (*packet.Signature, error) {
	at := localMark(body)
	var mark byte
	if at >= 0 {
		mark = body[at]
		body = bytes.Clone(body)
		body[at] = subpacketPlaceholder
	}
	framed := append([]byte{0xc0 | tagSignature, 0xff}, binary.BigEndian.AppendUint32(nil, uint32(len(body)))...)
	decoded, err := packet.Read(bytes.NewReader(append(framed, body...)))
	if err != nil {
		return nil, err
	}
	sig, ok := decoded.(*packet.Signature)
	if !ok {
		return nil, errors.New("no signature packet")
	}
	if at >= 0 {
		// The hashed part of a version 4 signature begins with its first
		// byte and holds the subpackets unchanged.
		sig.HashSuffix[at] = mark
	}
	return sig, nil
}

// localMark returns the index of the type byte of the hashed subpacket that
// makes a version 4 signature local, or -1.
func localMark(body []byte) int {
	if len(body) < 6 || body[0] != 4 {
		return -1
	}
	end := 6 + int(binary.BigEndian.Uint16(body[4:]))
	if end > len(body) {
		return -1
	}
	for i := 6; i < end; {
		size, head, err := newSubpacketLength(body[i:end])
		if err != nil || size < 1 || i+head+size > end {
			return -1
		}
		i += head
		if body[i]&0x7f == subpacketExportable && size >= 2 && body[i+1] == 0 {
			return i
		}
		i += size
	}
	return -1
}

// newSubpacketLength is like newLength, except that there are no partial
// lengths and two-byte ones reach further.
func newSubpacketLength(b []byte) (size, head int, err error) {
	if b[0] >= 224 && b[0] < 255 {
		if len(b) < 2 {
			return 0, 0, errTruncatedPacket
		}
		return int(b[0]-192)<<8 + int(b[1]) + 192, 2, nil
	}
	return newLength(b)
}
