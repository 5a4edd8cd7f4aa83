// SPDX-License-Identifier: GPL-3.0-or-later

// Package keyring verifies the OpenPGP signatures of packages and databases
// against a pacman keyring, without gpg.
//
// Implemented: reading GnuPG's home directory as pacman-key makes it
// (pubring.gpg or pubring.kbx, ownertrust from trustdb.gpg); GnuPG's web of
// trust (ultimate, full and marginal ownertrust; local signatures; revoked,
// expired and disabled keys and user IDs; depth); plain key files, trusted
// fully; pacman's SigLevel; detached signatures over streams, several of them
// too; a small signer; making such a home and filling it with a distribution's
// keys, as pacman-key --init and --populate do (pubring.gpg alone).
//
// Not implemented: the key database of GnuPG's keyboxd, trust signatures
// (they count as plain certifications, so nothing is trusted more), designated
// revokers, certifications of user attributes (photos), version 3 keys and
// signatures, DSA with hashes that FIPS 186-3 does not allow, key servers.
//
// OpenPGP is RFC 9580 and RFC 4880; the keybox and the trust database are
// described in GnuPG's kbx/keybox-blob.c and doc/DETAILS; SigLevel in
// pacman.conf(5). The cryptography is ProtonMail/go-crypto's.
package keyring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Ring is a set of public keys and what is trusted among them. Many
// goroutines may verify with it at once.
type Ring struct {
	// Now is the clock by which keys and signatures expire; nil means
	// time.Now. It is set before the first use.
	Now func() time.Time

	keys   []*key
	byID   map[uint64][]*key // primary keys and subkeys
	byName map[string]*key   // fingerprints of primary keys
	trust  *trustDB
	direct map[string]bool // fingerprints trusted without a web
	home   string          // the GnuPG home that it was read from

	webOnce     sync.Once
	introducers map[*key]Validity
}

func newRing() *Ring {
	return &Ring{byID: map[uint64][]*key{}, byName: map[string]*key{}, trust: newTrustDB(), direct: map[string]bool{}}
}

// Load reads a GnuPG home directory, such as /etc/pacman.d/gnupg.
func Load(gnupgHome string) (*Ring, error) {
	r := newRing()
	r.home = gnupgHome
	if err := r.loadKeys(gnupgHome); err != nil {
		return nil, err
	}
	path := filepath.Join(gnupgHome, "trustdb.gpg")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil // then nothing is trusted
	}
	if err != nil {
		return nil, fmt.Errorf("read trust database: %w", err)
	}
	if r.trust, err = decodeTrustDB(data); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return r, nil
}

// loadKeys reads the file that gpg would read: the keybox if it is in use, else
// the older pubring.gpg, which pacman-key still makes.
func (r *Ring) loadKeys(home string) error {
	box, boxErr := os.ReadFile(filepath.Join(home, "pubring.kbx"))
	old, oldErr := os.ReadFile(filepath.Join(home, "pubring.gpg"))
	for _, err := range []error{boxErr, oldErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read keyring: %w", err)
		}
	}
	if boxErr != nil && oldErr != nil {
		return &Error{Reason: NoKeyring, Err: fmt.Errorf("neither pubring.gpg nor pubring.kbx is in %s", home)}
	}
	if boxErr == nil {
		blocks, used, err := decodeKeybox(box)
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Join(home, "pubring.kbx"), err)
		}
		if used || oldErr != nil {
			for _, block := range blocks {
				if err := r.add(block); err != nil {
					return fmt.Errorf("read %s: %w", filepath.Join(home, "pubring.kbx"), err)
				}
			}
			return nil
		}
	}
	if err := r.add(old); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(home, "pubring.gpg"), err)
	}
	return nil
}

// FromKeys makes a ring of the public keys in the readers, armored or binary.
// All of them are fully trusted.
func FromKeys(keys ...io.Reader) (*Ring, error) {
	r := newRing()
	for _, reader := range keys {
		data, err := io.ReadAll(reader)
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		if data, err = dearmor(data); err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		if len(data) == 0 {
			return nil, errors.New("read key: there is none in the file")
		}
		if err := r.add(data); err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
	}
	for _, k := range r.keys {
		if err := k.load(); err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		r.direct[k.name.fingerprint] = true
	}
	return r, nil
}

// LoadDir is FromKeys with the files of a directory named *.gpg, *.asc, *.pgp
// or *.key.
func LoadDir(dir string) (*Ring, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	var readers []io.Reader
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".gpg", ".asc", ".pgp", ".key":
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, fmt.Errorf("read keys: %w", err)
			}
			readers = append(readers, bytes.NewReader(data))
		}
	}
	return FromKeys(readers...)
}

// Trust returns a ring with just the key of that fingerprint out of this one,
// fully trusted. Spaces and case do not matter, but the fingerprint must be
// whole: shorter ids can be forged.
func (r *Ring) Trust(fingerprint string) (*Ring, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(fingerprint, " ", ""))
	if err != nil || len(raw) < 20 {
		return nil, fmt.Errorf("key %q: not a whole fingerprint of 40 or 64 hexadecimal digits", fingerprint)
	}
	k := r.byName[string(raw)]
	if k == nil {
		return nil, &Error{Reason: Unknown, Key: strings.ToUpper(hex.EncodeToString(raw))}
	}
	out := newRing()
	out.Now = r.Now
	out.index(k)
	out.direct[k.name.fingerprint] = true
	return out, nil
}

// Home is the GnuPG home that the ring was read from; empty for a ring made of
// keys, all of which are trusted.
func (r *Ring) Home() string { return r.home }

// Export writes the public keys one after the other, in binary form, as gpg
// --export does and a pubring.gpg holds them.
func (r *Ring) Export() []byte {
	var out []byte
	for _, k := range r.keys {
		out = append(out, k.bytes()...)
	}
	return out
}

// add splits key blocks into the ring.
func (r *Ring) add(data []byte) error {
	var current *key
	for len(data) > 0 {
		p, rest, err := nextPacket(data)
		if err != nil {
			return err
		}
		data = rest
		switch p.tag {
		case tagSecretKey:
			return errors.New("this is a private key; only its public part belongs here")
		case tagPublicKey:
			current = nil // a key too old to have a safe fingerprint is passed over
			name, ok := nameOf(p.body)
			if !ok {
				continue
			}
			if current = r.byName[name.fingerprint]; current == nil {
				current = &key{name: name}
				r.index(current)
			}
		case tagSubkey:
			if name, ok := nameOf(p.body); ok && current != nil {
				current.subkeys = append(current.subkeys, name)
				r.indexID(name.id, current)
			}
		}
		if current != nil {
			current.packets = append(current.packets, p)
		}
	}
	return nil
}

func (r *Ring) index(k *key) {
	r.keys = append(r.keys, k)
	r.byName[k.name.fingerprint] = k
	r.indexID(k.name.id, k)
	for _, sub := range k.subkeys {
		r.indexID(sub.id, k)
	}
}

func (r *Ring) indexID(id uint64, k *key) {
	for _, have := range r.byID[id] {
		if have == k {
			return
		}
	}
	r.byID[id] = append(r.byID[id], k)
}

// issuers returns the keys that may have made a signature.
func (r *Ring) issuers(s *packet.Signature) []*key {
	if s.IssuerKeyId == nil {
		return nil
	}
	return r.byID[*s.IssuerKeyId]
}

func (r *Ring) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// A Key is what a ring knows about one key.
type Key struct {
	Fingerprint string    `json:"fingerprint"`
	Users       []string  `json:"users"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires,omitzero"` // zero: never
	Validity    string    `json:"validity"`
	Ownertrust  string    `json:"ownertrust"` // how far its owner is trusted to vouch for others
	Revoked     bool      `json:"revoked,omitempty"`
	Expired     bool      `json:"expired,omitempty"`
	Disabled    bool      `json:"disabled,omitempty"`
}

// Keys lists the usable keys of the ring, by fingerprint.
func (r *Ring) Keys() []Key {
	var out []Key
	for _, k := range r.keys {
		if k.load() != nil {
			continue
		}
		entry := Key{
			Fingerprint: k.fingerprint(),
			Created:     k.info.primary.CreationTime.UTC(),
			Expires:     k.info.expires,
			Users:       []string{},
			Validity:    r.validity(k).String(),
			Ownertrust:  r.trust.word(k.name.fingerprint),
			Revoked:     k.info.revoked,
			Expired:     over(k.info.expires, r.now()),
			Disabled:    r.disabled(k),
		}
		for _, u := range k.info.users {
			entry.Users = append(entry.Users, u.name)
		}
		out = append(out, entry)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Fingerprint < out[j].Fingerprint })
	return out
}

func (r *Ring) disabled(k *key) bool {
	return r.trust.of(k.name.fingerprint)&ownerDisabled != 0
}

// dearmor returns binary OpenPGP data from either form. A file may hold several
// armored blocks.
func dearmor(data []byte) ([]byte, error) {
	if !bytes.Contains(data, []byte("-----BEGIN PGP ")) || len(data) > 0 && data[0]&0x80 != 0 {
		return data, nil
	}
	var out []byte
	for rest := data; ; {
		at := bytes.Index(rest, []byte("-----BEGIN PGP "))
		if at < 0 {
			return out, nil
		}
		rest = rest[at:]
		block, err := armor.Decode(bytes.NewReader(rest))
		if err != nil {
			return nil, fmt.Errorf("armor: %w", err)
		}
		body, err := io.ReadAll(block.Body)
		if err != nil {
			return nil, fmt.Errorf("armor: %w", err)
		}
		out = append(out, body...)
		rest = rest[len("-----BEGIN PGP "):]
	}
}
