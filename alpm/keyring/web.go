// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"crypto"
	"sort"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Validity says how sure it is that a key belongs to whom it names.
type Validity int

// The validities, as gpg computes them.
const (
	Undefined Validity = iota // nobody trusted says so
	Marginal                  // somebody does, but not enough
	Full                      // enough do
	Ultimate                  // it is our own key
)

func (v Validity) String() string {
	return [...]string{"undefined", "marginal", "full", "ultimate"}[v]
}

// sha1CertsUntil is when certifications over SHA-1 stopped to count (GnuPG
// 2.2.18): since collisions are affordable, a newer one may be forged.
const sha1CertsUntil = 1547856000 // 2019-01-19

// web computes which of the keys with ownertrust are valid: only those lend
// validity to others. It goes outwards from our own keys, level by level.
func (r *Ring) web() map[*key]Validity {
	r.webOnce.Do(func() {
		now := r.now()
		valid := map[*key]Validity{}
		var pending []*key
		for _, k := range r.keys {
			switch owner := r.trust.of(k.name.fingerprint); {
			case owner&ownerDisabled != 0:
			case owner&ownerMask == ownerUltimate:
				if k.load() == nil && !k.info.revoked && !over(k.info.expires, now) {
					valid[k] = Ultimate
				}
			case owner&ownerMask == ownerMarginal, owner&ownerMask == ownerFull:
				pending = append(pending, k)
			}
		}
		for depth := 1; depth < r.trust.maxDepth && len(pending) > 0; depth++ {
			found := map[*key]Validity{}
			var rest []*key
			for _, k := range pending {
				certified := k.load() == nil && (r.direct[k.name.fingerprint] || r.vouched(k, valid, now) == Full)
				if certified && !k.info.revoked && !over(k.info.expires, now) {
					found[k] = Full
				} else {
					rest = append(rest, k)
				}
			}
			if len(found) == 0 {
				break
			}
			for k, v := range found {
				valid[k] = v
			}
			pending = rest
		}
		r.introducers = valid
	})
	return r.introducers
}

// validity is how far a key can be believed. Unlike gpg, it does not drop for
// a key that has expired since: what a key signed in its lifetime stays good,
// or a keyring package that is late could not be upgraded any more.
func (r *Ring) validity(k *key) Validity {
	if r.direct[k.name.fingerprint] {
		return Full
	}
	introducers := r.web()
	if v, ok := introducers[k]; ok {
		return v
	}
	if r.trust.of(k.name.fingerprint)&ownerMask == ownerUltimate {
		return Ultimate
	}
	return r.vouched(k, introducers, r.now())
}

// vouched counts the introducers that certify a user ID of the key; the best
// user ID decides.
func (r *Ring) vouched(k *key, introducers map[*key]Validity, now time.Time) Validity {
	if k.load() != nil {
		return Undefined
	}
	best := Undefined
	for _, u := range k.info.users {
		marginals, completes := 0, 0
		for _, by := range r.certifiers(k, u, introducers, now) {
			switch owner := r.trust.of(by.name.fingerprint) & ownerMask; {
			case introducers[by] == Ultimate:
				return Full
			case owner == ownerFull:
				completes++
			case owner == ownerMarginal:
				marginals++
			}
		}
		switch {
		case completes >= r.trust.completes || marginals >= r.trust.marginals:
			return Full
		case completes+marginals > 0:
			best = Marginal
		}
	}
	return best
}

// certifiers returns the introducers whose certification of the user ID holds
// now: the newest of each one counts, and it may be a revocation.
func (r *Ring) certifiers(k *key, u *userID, introducers map[*key]Validity, now time.Time) []*key {
	byIssuer := map[*key][]*packet.Signature{}
	var order []*key
	for _, s := range u.certs {
		for _, by := range r.issuers(s) {
			if _, ok := introducers[by]; !ok || by == k {
				continue
			}
			if byIssuer[by] == nil {
				order = append(order, by)
			}
			byIssuer[by] = append(byIssuer[by], s)
		}
	}
	var out []*key
	for _, by := range order {
		last := newest(byIssuer[by], func(s *packet.Signature) bool {
			return countsAsCert(s) && !s.CreationTime.After(now) &&
				by.info.primary.VerifyUserIdSignature(u.name, k.info.primary, s) == nil
		})
		if last != nil && last.SigType != packet.SigTypeCertificationRevocation && !last.SigExpired(now) {
			out = append(out, by)
		}
	}
	return out
}

// countsAsCert leaves out what gpg leaves out: persona certifications (made
// without any check) and forgeable ones.
func countsAsCert(s *packet.Signature) bool {
	if s.Hash == crypto.SHA1 && s.CreationTime.Unix() >= sha1CertsUntil {
		return false
	}
	return s.SigType == packet.SigTypeCertificationRevocation ||
		isCertification(s) && s.SigType != packet.SigTypePersonaCert
}

func newestFirst(sigs []*packet.Signature) []*packet.Signature {
	sorted := append([]*packet.Signature(nil), sigs...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].CreationTime.After(sorted[j].CreationTime) })
	return sorted
}
