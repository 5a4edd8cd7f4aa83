// SPDX-License-Identifier: GPL-3.0-or-later

// Package agentkey reads and writes private keys as gpg-agent keeps them in
// private-keys-v1.d, one file a key, named by its keygrip.
//
// Implemented: reading RSA and Ed25519 keys that have no passphrase, in both
// forms that gpg-agent writes (the bare S-expression, and the lines "Name:
// value" of GnuPG 2.2.38 and later); writing RSA keys as a bare S-expression.
//
// Not implemented: keys with a passphrase, keys on cards, other algorithms;
// each is told apart in the error.
//
// The formats are described in GnuPG's agent/keyformat.txt; the keygrip of an
// RSA key is the SHA-1 of its modulus, as libgcrypt counts it.
package agentkey

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// MaxSize bounds the file of one key, in bytes.
const MaxSize = 64 << 10

var (
	// ErrLocked is a key with a passphrase.
	ErrLocked = errors.New("the private key is locked with a passphrase")
	// ErrElsewhere is a key that a card holds.
	ErrElsewhere = errors.New("the private key is on a card")
)

// Decode reads one key: an *rsa.PrivateKey or an ed25519.PrivateKey.
func Decode(data []byte) (crypto.Signer, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%d bytes are too many for a private key", len(data))
	}
	if !bytes.HasPrefix(data, []byte("(")) {
		var err error
		if data, err = valueOfKey(data); err != nil {
			return nil, err
		}
	}
	e, err := parse(data)
	if err != nil {
		return nil, err
	}
	switch e.name() {
	case "private-key":
	case "protected-private-key":
		return nil, ErrLocked
	case "shadowed-private-key":
		return nil, ErrElsewhere
	default:
		return nil, fmt.Errorf("%q is no private key", e.name())
	}
	if k := e.find("rsa"); k != nil {
		return decodeRSA(k)
	}
	if k := e.find("ecc"); k != nil {
		return decodeEd25519(k)
	}
	return nil, errors.New("the private key is neither RSA nor Ed25519")
}

// valueOfKey joins the lines of "Key:" in the newer form.
func valueOfKey(data []byte) ([]byte, error) {
	var out []byte
	for line := range bytes.Lines(data) {
		switch {
		case len(out) > 0 && (line[0] == ' ' || line[0] == '\t'):
			out = append(out, line...)
		case len(out) > 0:
			return out, nil
		case len(line) >= 4 && strings.EqualFold(string(line[:4]), "key:"):
			out = append(out, bytes.TrimLeft(line[4:], " \t")...)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no private key is in the file")
	}
	return out, nil
}

func decodeRSA(e *expr) (crypto.Signer, error) {
	n, pub, d, p, q := e.number("n"), e.number("e"), e.number("d"), e.number("p"), e.number("q")
	if n == nil || pub == nil || d == nil || p == nil || q == nil || !pub.IsInt64() || pub.Int64() >= 1<<31 {
		return nil, errors.New("the RSA key lacks a number")
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(pub.Int64())}, D: d, Primes: []*big.Int{p, q}}
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("the RSA key: %w", err)
	}
	key.Precompute()
	return key, nil
}

func decodeEd25519(e *expr) (crypto.Signer, error) {
	q, d := e.value("q"), e.value("d")
	if string(e.value("curve")) != "Ed25519" || len(d) == 0 || len(d) > ed25519.SeedSize {
		return nil, errors.New("the private key is on another curve than Ed25519")
	}
	seed := make([]byte, ed25519.SeedSize) // it is kept as a number: leading zeros may be gone
	copy(seed[len(seed)-len(d):], d)
	key := ed25519.NewKeyFromSeed(seed)
	if !bytes.Equal(bytes.TrimPrefix(q, []byte{0x40}), key.Public().(ed25519.PublicKey)) {
		return nil, errors.New("the halves of the Ed25519 key do not belong together")
	}
	return key, nil
}

// EncodeRSA writes a key as gpg-agent reads it. libgcrypt wants p < q and the
// inverse of p, other than package rsa.
func EncodeRSA(key *rsa.PrivateKey) ([]byte, error) {
	if len(key.Primes) != 2 {
		return nil, fmt.Errorf("an RSA key of %d primes, not 2", len(key.Primes))
	}
	p, q := key.Primes[0], key.Primes[1]
	if p.Cmp(q) > 0 {
		p, q = q, p
	}
	var out bytes.Buffer
	out.WriteString("(11:private-key(3:rsa")
	for _, part := range []struct {
		name  string
		value *big.Int
	}{
		{"n", key.N}, {"e", big.NewInt(int64(key.E))}, {"d", key.D}, {"p", p}, {"q", q},
		{"u", new(big.Int).ModInverse(p, q)},
	} {
		value := signed(part.value)
		fmt.Fprintf(&out, "(1:%s%d:", part.name, len(value))
		out.Write(value)
		out.WriteByte(')')
	}
	out.WriteString("))")
	return out.Bytes(), nil
}

// KeygripRSA names the file of a key.
func KeygripRSA(key *rsa.PublicKey) string {
	sum := sha1.Sum(signed(key.N))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// signed is a positive number with room for a sign, as libgcrypt writes one.
func signed(n *big.Int) []byte {
	raw := n.Bytes()
	if len(raw) > 0 && raw[0]&0x80 != 0 {
		raw = append([]byte{0}, raw...)
	}
	return raw
}
