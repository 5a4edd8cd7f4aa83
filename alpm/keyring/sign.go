// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Signer is a private key that signs repositories.
type Signer struct {
	// Now is the time written into signatures; nil means time.Now. A fixed
	// one makes signatures reproducible.
	Now func() time.Time

	entity *openpgp.Entity
	key    *packet.PrivateKey
}

// GenerateKey makes an Ed25519 key (version 4, which gpg 2.2 reads) that never
// expires.
func GenerateKey(name, email string, t time.Time, rand io.Reader) (*Signer, error) {
	return generate(name, email, t, rand, func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoEdDSA })
}

func generate(name, email string, t time.Time, rand io.Reader, kind func(*packet.Config)) (*Signer, error) {
	config := signConfig(func() time.Time { return t })
	config.Rand = rand
	kind(config)
	entity, err := openpgp.NewEntity(name, "", email, config)
	if err != nil {
		return nil, fmt.Errorf("generate key for %s <%s>: %w", name, email, err)
	}
	entity.Subkeys = nil // for encryption, which nothing here does
	return &Signer{entity: entity, key: entity.PrivateKey}, nil
}

// ReadPrivate reads a private key, armored or binary, as gpg
// --export-secret-keys writes it without a passphrase.
func ReadPrivate(r io.Reader) (*Signer, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	if data, err = dearmor(data); err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	entities, err := openpgp.ReadKeyRing(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	for _, e := range entities {
		if s, ok := signerOf(e); ok {
			if s.key.Encrypted {
				return nil, errors.New("read private key: it is locked with a passphrase; export it without one")
			}
			return s, nil
		}
	}
	return nil, errors.New("read private key: the file holds no private key that can sign")
}

// signerOf picks the newest usable signing key of an entity: a subkey, or the
// primary key.
func signerOf(e *openpgp.Entity) (*Signer, bool) {
	var best *packet.PrivateKey
	for _, sub := range e.Subkeys {
		usable := sub.PrivateKey != nil && !sub.PrivateKey.Dummy() && sub.Sig != nil && sub.Sig.FlagSign && len(sub.Revocations) == 0
		if usable && (best == nil || sub.PublicKey.CreationTime.After(best.CreationTime)) {
			best = sub.PrivateKey
		}
	}
	if best == nil && e.PrivateKey != nil && !e.PrivateKey.Dummy() && e.PrivateKey.CanSign() {
		best = e.PrivateKey
	}
	return &Signer{entity: e, key: best}, best != nil
}

// Fingerprint is that of the primary key, in hexadecimal.
func (s *Signer) Fingerprint() string {
	return strings.ToUpper(hex.EncodeToString(s.entity.PrimaryKey.Fingerprint))
}

// WritePrivate writes the key, secret part included, armored and not locked.
func (s *Signer) WritePrivate(w io.Writer) error {
	return armored(w, openpgp.PrivateKeyType, func(w io.Writer) error {
		return s.entity.SerializePrivateWithoutSigning(w, nil)
	})
}

// WritePublic writes the public key, armored.
func (s *Signer) WritePublic(w io.Writer) error {
	return armored(w, openpgp.PublicKeyType, s.entity.Serialize)
}

func armored(w io.Writer, kind string, write func(io.Writer) error) error {
	body, err := armor.Encode(w, kind, nil)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if err := write(body); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if err := body.Close(); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	_, err = io.WriteString(w, "\n")
	return err
}

// DetachSign writes a binary detached signature of what signed delivers, as a
// .sig file holds it.
func (s *Signer) DetachSign(w io.Writer, signed io.Reader) error {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	config := signConfig(now)
	sig := &packet.Signature{
		Version:      s.key.Version,
		SigType:      packet.SigTypeBinary,
		PubKeyAlgo:   s.key.PubKeyAlgo,
		Hash:         crypto.SHA512,
		CreationTime: now(),
		IssuerKeyId:  &s.key.KeyId,
	}
	h, err := sig.PrepareSign(config)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if _, err := io.Copy(h, signed); err != nil {
		return fmt.Errorf("sign: read data: %w", err)
	}
	if err := sig.Sign(h, s.key, config); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if err := sig.Serialize(w); err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	return nil
}

// signConfig leaves out the salt that go-crypto adds to signatures: the same
// key, data and time are to give the same bytes.
func signConfig(now func() time.Time) *packet.Config {
	plain := false
	return &packet.Config{Time: now, DefaultHash: crypto.SHA512, NonDeterministicSignaturesViaNotation: &plain}
}
