// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A key is one primary key with all that is bound to it. Splitting the packets
// is done when the ring is read; decoding them and checking its self-signatures
// only when the key is needed, since most keys of a ring never are.
type key struct {
	name    keyName
	subkeys []keyName
	packets []rawPacket // the primary key packet first

	once sync.Once
	bad  error // the key cannot be used at all
	info keyInfo
}

// keyInfo is what the self-signatures of a key say. Times are compared by the
// user of it.
type keyInfo struct {
	primary *packet.PublicKey
	revoked bool
	expires time.Time // zero: never
	users   []*userID
	signers []signer // keys that may sign data: the primary and subkeys
}

// A userID is a name with the certifications of it by others.
type userID struct {
	name    string
	primary bool
	made    time.Time // of its newest self-signature
	certs   []*packet.Signature
}

// A signer is a key that may sign data.
type signer struct {
	key     *packet.PublicKey
	expires time.Time // zero: never
	revoked bool
}

// part is a primary key, user ID or subkey with the signatures after it.
type part struct {
	packet rawPacket
	sigs   []*packet.Signature
}

// load decodes the key once.
func (k *key) load() error {
	k.once.Do(func() { k.bad = k.decode() })
	return k.bad
}

func (k *key) fingerprint() string {
	return strings.ToUpper(hex.EncodeToString([]byte(k.name.fingerprint)))
}

// bytes are the packets of the key as they were read.
func (k *key) bytes() []byte {
	var out []byte
	for _, p := range k.packets {
		out = append(out, p.whole...)
	}
	return out
}

func (k *key) decode() error {
	primary, users, subkeys := k.parts()
	pk, err := parseKey(primary.packet)
	if err != nil {
		return fmt.Errorf("key %s: %w", k.fingerprint(), err)
	}
	k.info.primary = pk
	k.info.revoked = anyValid(primary.sigs, func(s *packet.Signature) bool {
		return s.SigType == packet.SigTypeKeyRevocation && pk.VerifyRevocationSignature(s) == nil
	})
	direct := newest(primary.sigs, func(s *packet.Signature) bool {
		return s.SigType == packet.SigTypeDirectSignature && pk.VerifyDirectKeySignature(s) == nil
	})
	self := direct
	for _, u := range users {
		user, sig := k.decodeUser(pk, u)
		if user == nil {
			continue
		}
		k.info.users = append(k.info.users, user)
		if self == nil || self != direct && sig.CreationTime.After(self.CreationTime) {
			self = sig
		}
	}
	if self == nil {
		return fmt.Errorf("key %s: it has no valid self-signature", k.fingerprint())
	}
	k.info.expires = expiry(pk, self)
	if pk.CanSign() && (!self.FlagsValid || self.FlagSign) {
		k.info.signers = append(k.info.signers, signer{pk, k.info.expires, k.info.revoked})
	}
	for _, s := range subkeys {
		if sub, ok := k.decodeSubkey(pk, s); ok {
			k.info.signers = append(k.info.signers, sub)
		}
	}
	return nil
}

// parts groups the packets of the key. The same user ID or subkey may come
// several times, when several files hold the key: its signatures are joined.
func (k *key) parts() (primary *part, users, subkeys []*part) {
	primary = &part{packet: k.packets[0]}
	current := primary
	seen := map[string]*part{}
	for _, p := range k.packets[1:] {
		switch p.tag {
		case tagPublicKey: // once more, from another file
			current = primary
		case tagUserID, tagSubkey:
			id := fmt.Sprint(p.tag) + string(p.body)
			if seen[id] == nil {
				seen[id] = &part{packet: p}
				if p.tag == tagUserID {
					users = append(users, seen[id])
				} else {
					subkeys = append(subkeys, seen[id])
				}
			}
			current = seen[id]
		case tagUserAttr:
			current = &part{}
		case tagSignature:
			// One that cannot be decoded (an algorithm of tomorrow) says
			// nothing; the others still do.
			if sig, err := parseSignature(p.body); err == nil && usable(sig) {
				current.sigs = append(current.sigs, sig)
			}
		}
	}
	return primary, users, subkeys
}

// decodeUser checks the self-signatures of a user ID. It returns nil for one
// that its owner never signed or has revoked.
func (k *key) decodeUser(pk *packet.PublicKey, u *part) (*userID, *packet.Signature) {
	name := string(u.packet.body)
	var own, others []*packet.Signature
	for _, s := range u.sigs {
		if s.CheckKeyIdOrFingerprint(pk) {
			own = append(own, s)
		} else {
			others = append(others, s)
		}
	}
	self := newest(own, func(s *packet.Signature) bool {
		return (isCertification(s) || s.SigType == packet.SigTypeCertificationRevocation) &&
			pk.VerifyUserIdSignature(name, pk, s) == nil
	})
	if self == nil || self.SigType == packet.SigTypeCertificationRevocation {
		return nil, nil
	}
	user := &userID{name: name, made: self.CreationTime, certs: others}
	user.primary = self.IsPrimaryId != nil && *self.IsPrimaryId
	return user, self
}

// decodeSubkey checks the binding of a subkey that may sign, and the subkey's
// own signature that it belongs there.
func (k *key) decodeSubkey(pk *packet.PublicKey, s *part) (signer, bool) {
	sub, err := parseKey(s.packet)
	if err != nil || !sub.CanSign() {
		return signer{}, false
	}
	bound := newest(s.sigs, func(sig *packet.Signature) bool {
		return sig.SigType == packet.SigTypeSubkeyBinding && pk.VerifyKeySignature(sub, sig) == nil
	})
	if bound == nil || !bound.FlagSign {
		return signer{}, false
	}
	revoked := anyValid(s.sigs, func(sig *packet.Signature) bool {
		return sig.SigType == packet.SigTypeSubkeyRevocation && pk.VerifySubkeyRevocationSignature(sig, sub) == nil
	})
	return signer{sub, earlier(expiry(sub, bound), k.info.expires), revoked || k.info.revoked}, true
}

// userName is the user ID to show for the key.
func (k *key) userName() string {
	var best *userID
	for _, u := range k.info.users {
		if best == nil || u.primary && !best.primary || u.primary == best.primary && u.made.After(best.made) {
			best = u
		}
	}
	if best == nil {
		return ""
	}
	return best.name
}

// usable refuses signatures over hashes that are broken, and those with
// conditions that we do not understand.
func usable(s *packet.Signature) bool {
	if s.Hash == crypto.MD5 || s.Hash == crypto.RIPEMD160 || !s.Hash.Available() {
		return false
	}
	for _, n := range s.Notations {
		if n.IsCritical {
			return false
		}
	}
	return true
}

func isCertification(s *packet.Signature) bool {
	switch s.SigType {
	case packet.SigTypeGenericCert, packet.SigTypePersonaCert, packet.SigTypeCasualCert, packet.SigTypePositiveCert:
		return true
	}
	return false
}

// newest returns the newest signature that is valid; the newest are asked
// first, for the question is expensive.
func newest(sigs []*packet.Signature, valid func(*packet.Signature) bool) *packet.Signature {
	for _, s := range newestFirst(sigs) {
		if valid(s) {
			return s
		}
	}
	return nil
}

func anyValid(sigs []*packet.Signature, valid func(*packet.Signature) bool) bool {
	return newest(sigs, valid) != nil
}

func expiry(pk *packet.PublicKey, s *packet.Signature) time.Time {
	if s.KeyLifetimeSecs == nil || *s.KeyLifetimeSecs == 0 {
		return time.Time{}
	}
	return pk.CreationTime.Add(time.Duration(*s.KeyLifetimeSecs) * time.Second)
}

// earlier returns the first of two moments, of which a zero one never comes.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// over tells whether t has passed at now.
func over(t, now time.Time) bool { return !t.IsZero() && now.After(t) }
