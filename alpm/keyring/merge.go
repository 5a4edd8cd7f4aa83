// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// tagRingTrust marks what gpg notes for itself between the packets of a
// pubring.gpg; it can be left out.
const tagRingTrust = 12

// A section is a primary key, user ID, photo or subkey, and the signatures
// that follow it.
type section struct {
	head rawPacket
	sigs []rawPacket
}

func (s *section) is(o *section) bool {
	return s.head.tag == o.head.tag && string(s.head.body) == string(o.head.body)
}

// addSig adds a signature that is not there yet.
func (s *section) addSig(sig rawPacket) bool {
	if slices.ContainsFunc(s.sigs, func(have rawPacket) bool { return string(have.body) == string(sig.body) }) {
		return false
	}
	s.sigs = append(s.sigs, sig)
	return true
}

// sections groups the packets of a key; the first one is the primary key.
func (k *key) sections() []*section {
	out := []*section{{head: k.packets[0]}}
	current := out[0]
	for _, p := range k.packets[1:] {
		switch p.tag {
		case tagPublicKey:
			current = out[0]
		case tagUserID, tagUserAttr, tagSubkey:
			current = &section{head: p}
			if at := slices.IndexFunc(out, current.is); at >= 0 {
				current = out[at]
			} else {
				out = append(out, current)
			}
		case tagSignature:
			current.addSig(p)
		}
	}
	return out
}

// keyOf makes a key of sections, the parts in the order that OpenPGP wants:
// subkeys come last.
func keyOf(name keyName, sections []*section) *key {
	k := &key{name: name}
	for _, subkeys := range []bool{false, true} {
		for _, s := range sections {
			if (s.head.tag == tagSubkey) != subkeys {
				continue
			}
			if n, ok := nameOf(s.head.body); ok && subkeys {
				k.subkeys = append(k.subkeys, n)
			}
			k.packets = append(append(k.packets, s.head), s.sigs...)
		}
	}
	return k
}

// importRule says what of a foreign key is taken.
type importRule struct {
	only   string                       // nothing but this key (raw fingerprint); "": all
	vouch  func(*packet.Signature) bool // whose certifications are kept; nil: everybody's
	update bool                         // of keys that are known alone
}

// imported names what an import did, by fingerprint.
type imported struct{ added, updated []string }

// merge takes keys into the ring: new ones, and what is new of those it has.
// As gpg does it, certifications that are local to another keyring, and parts
// that the key's owner never signed, are left out.
func (r *Ring) merge(data []byte, rule importRule) (imported, error) {
	var done imported
	foreign := newRing()
	if err := foreign.add(data); err != nil {
		return done, err
	}
	for _, k := range foreign.keys {
		have := r.byName[k.name.fingerprint]
		if rule.only != "" && k.name.fingerprint != rule.only || rule.update && have == nil {
			continue
		}
		if k.load() != nil {
			continue // nothing in it that its owner signed
		}
		parts := k.clean(rule)
		if have == nil {
			r.index(keyOf(k.name, parts))
			done.added = append(done.added, k.fingerprint())
			continue
		}
		all := have.sections()
		if join(&all, parts) {
			r.replace(have, keyOf(have.name, all))
			done.updated = append(done.updated, k.fingerprint())
		}
	}
	return done, nil
}

// join adds sections and signatures that are missing, and tells of any.
func join(all *[]*section, more []*section) (changed bool) {
	for _, m := range more {
		at := slices.IndexFunc(*all, m.is)
		if at < 0 {
			*all = append(*all, m)
			changed = true
			continue
		}
		for _, sig := range m.sigs {
			changed = (*all)[at].addSig(sig) || changed
		}
	}
	return changed
}

// clean leaves out what is not to be imported.
func (k *key) clean(rule importRule) []*section {
	var out []*section
	for _, s := range k.sections() {
		s.sigs = slices.DeleteFunc(s.sigs, func(p rawPacket) bool {
			sig, err := parseSignature(p.body)
			if err != nil || localMark(p.body) >= 0 {
				return true
			}
			return rule.vouch != nil && !sig.CheckKeyIdOrFingerprint(k.info.primary) && !rule.vouch(sig)
		})
		if k.ownerSigned(s) {
			out = append(out, s)
		}
	}
	return out
}

// ownerSigned tells whether the key itself signed one of its parts; taking the
// part back is such a signature, too. Photos are not looked at by anybody.
func (k *key) ownerSigned(s *section) bool {
	pk := k.info.primary
	var valid func(*packet.Signature) bool
	switch s.head.tag {
	case tagUserID:
		name := string(s.head.body)
		valid = func(sig *packet.Signature) bool {
			return sig.CheckKeyIdOrFingerprint(pk) && pk.VerifyUserIdSignature(name, pk, sig) == nil
		}
	case tagSubkey:
		sub, err := parseKey(s.head)
		valid = func(sig *packet.Signature) bool {
			return err == nil && (sig.SigType == packet.SigTypeSubkeyBinding && pk.VerifyKeySignature(sub, sig) == nil ||
				sig.SigType == packet.SigTypeSubkeyRevocation && pk.VerifySubkeyRevocationSignature(sig, sub) == nil)
		}
	default:
		return s.head.tag != tagUserAttr
	}
	return slices.ContainsFunc(s.sigs, func(p rawPacket) bool {
		sig, err := parseSignature(p.body)
		return err == nil && valid(sig)
	})
}

// replace puts another state of a key in its place.
func (r *Ring) replace(old, k *key) {
	r.keys[slices.Index(r.keys, old)] = k
	r.byName[k.name.fingerprint] = k
	for id, list := range r.byID {
		if at := slices.Index(list, old); at >= 0 {
			list = slices.Clone(list)
			list[at] = k
			r.byID[id] = list
		}
	}
	for _, sub := range k.subkeys {
		r.indexID(sub.id, k)
	}
}

// encode writes the keys as gpg reads them from a pubring.gpg.
func (r *Ring) encode() []byte {
	var out []byte
	for _, k := range r.keys {
		for _, p := range k.packets {
			if p.tag != tagRingTrust {
				out = append(out, p.whole...)
			}
		}
	}
	return out
}
