// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A master is the keyring's own key with its secret half.
type master struct {
	key     *key
	private crypto.Signer
}

// Numbers of RFC 9580 that go into certifications.
const (
	algorithmRSA    = 1
	algorithmEdDSA  = 22
	hashSHA512      = 10
	subpacketMade   = 2
	subpacketIssuer = 16
	subpacketSigner = 33
)

// certify makes a certification of a user ID that counts in this keyring alone
// (gpg calls it a local signature). The packet is put together here, since
// go-crypto makes none of that kind.
func (m *master) certify(k *key, user []byte, now time.Time) (rawPacket, error) {
	algorithm := byte(algorithmRSA)
	if _, ok := m.private.Public().(ed25519.PublicKey); ok {
		algorithm = algorithmEdDSA
	}
	var hashed []byte
	hashed = subpacket(hashed, subpacketSigner, append([]byte{4}, m.key.name.fingerprint...))
	hashed = subpacket(hashed, subpacketMade, binary.BigEndian.AppendUint32(nil, uint32(now.Unix())))
	hashed = subpacket(hashed, subpacketExportable, []byte{0})
	body := []byte{4, byte(packet.SigTypeGenericCert), algorithm, hashSHA512, byte(len(hashed) >> 8), byte(len(hashed))}
	body = append(body, hashed...)

	h := sha512.New()
	primary := k.packets[0].body
	h.Write([]byte{0x99, byte(len(primary) >> 8), byte(len(primary))})
	h.Write(primary)
	h.Write(binary.BigEndian.AppendUint32([]byte{0xb4}, uint32(len(user))))
	h.Write(user)
	h.Write(body)
	h.Write(binary.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(body))))
	digest := h.Sum(nil)

	unhashed := subpacket(nil, subpacketIssuer, binary.BigEndian.AppendUint64(nil, m.key.name.id))
	body = append(body, byte(len(unhashed)>>8), byte(len(unhashed)))
	body = append(append(body, unhashed...), digest[:2]...)
	numbers, err := m.numbers(digest)
	if err != nil {
		return rawPacket{}, fmt.Errorf("certify %q: %w", user, err)
	}
	return packetOf(tagSignature, append(body, numbers...)), nil
}

// numbers signs a digest: the numbers at the end of a signature packet. Both
// algorithms give the same ones each time.
func (m *master) numbers(digest []byte) ([]byte, error) {
	switch private := m.private.(type) {
	case *rsa.PrivateKey:
		sig, err := rsa.SignPKCS1v15(nil, private, crypto.SHA512, digest)
		return multiPrecision(nil, sig), err
	case ed25519.PrivateKey:
		sig := ed25519.Sign(private, digest)
		return multiPrecision(multiPrecision(nil, sig[:32]), sig[32:]), nil
	}
	return nil, fmt.Errorf("a key of type %T signs nothing", m.private)
}

// multiPrecision appends a number as OpenPGP writes it: bits, then bytes.
func multiPrecision(out, raw []byte) []byte {
	n := new(big.Int).SetBytes(raw)
	return append(binary.BigEndian.AppendUint16(out, uint16(n.BitLen())), n.Bytes()...)
}

// subpacket appends a short one.
func subpacket(out []byte, kind byte, data []byte) []byte {
	return append(append(out, byte(1+len(data)), kind), data...)
}

// packetOf frames a body as old gpg does: the form that every reader knows.
func packetOf(tag byte, body []byte) rawPacket {
	head := binary.BigEndian.AppendUint16([]byte{0x80 | tag<<2 | 1}, uint16(len(body)))
	whole := append(head, body...)
	return rawPacket{tag: int(tag), body: whole[3:], whole: whole}
}

// belongs tells whether a private key is the secret half of k.
func belongs(private crypto.Signer, k *key) bool {
	if k.load() != nil {
		return false
	}
	switch public := k.info.primary.PublicKey.(type) {
	case *rsa.PublicKey:
		return public.Equal(private.Public())
	case interface{ MarshalPoint() []byte }: // EdDSA: 0x40, then the point
		ed, ok := private.Public().(ed25519.PublicKey)
		return ok && string(public.MarshalPoint()) == "\x40"+string(ed)
	}
	return false
}
