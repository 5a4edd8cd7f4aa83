// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// maxSignature bounds a .sig file, in bytes, as libalpm does.
const maxSignature = 16 << 10

// A Verdict says what was found good.
type Verdict struct {
	// Signatures are all that were checked; none if there was none and none
	// was required, or if the level is Never.
	Signatures []Signature `json:"signatures"`
}

// A Signature is one good signature.
type Signature struct {
	Key        string    `json:"key"` // fingerprint of the primary key
	User       string    `json:"user"`
	Created    time.Time `json:"created"`
	Validity   string    `json:"validity"`
	KeyExpired bool      `json:"key_expired,omitempty"` // since it signed
}

// Verify checks the detached signatures in sig over what signed delivers. Every
// signature must be good, or the result is an *Error with the reason of the
// first that is not. With no signature, or with level Never, signed is not read.
// sig may be armored.
func (r *Ring) Verify(signed io.Reader, sig []byte, level Level) (*Verdict, error) {
	if level.Check == Never {
		return &Verdict{}, nil
	}
	if len(sig) == 0 {
		if level.Check == Optional {
			return &Verdict{}, nil
		}
		return nil, &Error{Reason: Missing}
	}
	sigs, err := splitSignatures(sig)
	if err != nil {
		return nil, &Error{Reason: Malformed, Err: err}
	}
	checks := make([]*check, len(sigs))
	sinks := make([]io.Writer, len(sigs))
	for i, s := range sigs {
		// What can be said without the data is said before reading it.
		if checks[i], err = r.prepare(s); err != nil {
			return nil, err
		}
		sinks[i] = checks[i].sink
	}
	if _, err := io.Copy(io.MultiWriter(sinks...), signed); err != nil {
		return nil, fmt.Errorf("read signed data: %w", err)
	}
	verdict := &Verdict{}
	for _, c := range checks {
		found, err := r.judge(c, level)
		if err != nil {
			return nil, err
		}
		verdict.Signatures = append(verdict.Signatures, *found)
	}
	return verdict, nil
}

// A check is one signature while its data streams by.
type check struct {
	sig  *packet.Signature
	keys []*key    // that may have made it: ids are not unique
	sink hash.Hash // takes the data
	hash hash.Hash // what sink feeds; another one only for text signatures
}

// splitSignatures decodes the packets of a .sig file.
func splitSignatures(data []byte) ([]*packet.Signature, error) {
	if len(data) > maxSignature {
		return nil, fmt.Errorf("%d bytes are too many for signatures", len(data))
	}
	data, err := dearmor(data)
	if err != nil {
		return nil, err
	}
	var sigs []*packet.Signature
	for len(data) > 0 {
		p, rest, err := nextPacket(data)
		if err != nil {
			return nil, err
		}
		data = rest
		if p.tag != tagSignature {
			return nil, fmt.Errorf("it holds an OpenPGP packet of type %d", p.tag)
		}
		sig, err := parseSignature(p.body)
		if err != nil {
			return nil, err
		}
		sigs = append(sigs, sig)
	}
	if len(sigs) == 0 {
		return nil, errors.New("it is empty")
	}
	return sigs, nil
}

// prepare finds the keys that may have made a signature, and its hash.
func (r *Ring) prepare(s *packet.Signature) (*check, error) {
	if s.SigType != packet.SigTypeBinary && s.SigType != packet.SigTypeText {
		return nil, &Error{Reason: Malformed, Err: fmt.Errorf("signature type %#02x signs no data", byte(s.SigType))}
	}
	if !usable(s) || s.Hash == crypto.SHA1 {
		return nil, &Error{Reason: Malformed, Key: issuerName(s), Err: fmt.Errorf("%v is no safe hash, or it has conditions that are not understood", s.Hash)}
	}
	c := &check{sig: s}
	for _, k := range r.issuers(s) {
		if k.load() == nil {
			c.keys = append(c.keys, k)
		}
	}
	if len(c.keys) == 0 {
		return nil, &Error{Reason: Unknown, Key: issuerName(s)}
	}
	h, err := s.PrepareVerify()
	if err != nil {
		return nil, &Error{Reason: Malformed, Err: err}
	}
	c.hash, c.sink = h, h
	if s.SigType == packet.SigTypeText {
		c.sink = openpgp.NewCanonicalTextHash(h)
	}
	return c, nil
}

// judge decides about one signature, all of whose data is hashed.
func (r *Ring) judge(c *check, level Level) (*Signature, error) {
	k, by := c.signer()
	if k == nil {
		return nil, &Error{Reason: Bad, Key: issuerName(c.sig), User: c.keys[0].userName()}
	}
	return r.assess(c.sig, k, by, level)
}

// assess decides about a signature that a part of a key really made.
func (r *Ring) assess(sig *packet.Signature, k *key, by *signer, level Level) (*Signature, error) {
	now := r.now()
	fail := func(why Reason, err error) (*Signature, error) {
		return nil, &Error{Reason: why, Key: k.fingerprint(), User: k.userName(), Err: err}
	}
	made := sig.CreationTime
	switch {
	case by.revoked:
		return fail(Revoked, nil)
	case r.disabled(k):
		return fail(Disabled, nil)
	case made.After(now):
		return fail(Expired, fmt.Errorf("it is from %s, in the future: is the clock right?", made.UTC().Format(time.DateTime)))
	case sig.SigExpired(now):
		return fail(Expired, nil)
	case made.Before(by.key.CreationTime):
		return fail(Bad, errors.New("it is older than its key"))
	case over(by.expires, made):
		return fail(Expired, fmt.Errorf("the key had expired on %s when it signed", by.expires.UTC().Format(time.DateOnly)))
	}
	validity := r.validity(k)
	if validity < Full && level.Trust == TrustedOnly {
		var why error
		if validity == Marginal {
			why = errors.New("too few trusted keys vouch for it")
		}
		return fail(Untrusted, why)
	}
	return &Signature{Key: k.fingerprint(), User: k.userName(), Created: made.UTC(),
		Validity: validity.String(), KeyExpired: over(by.expires, now)}, nil
}

// Reconsider judges by this ring what another state of it found good, without
// the data: who signed is settled, and whether they are to be believed is asked
// again. found is what the other one's Verify said of sig. The error is an
// *Error, as Verify's.
func (r *Ring) Reconsider(sig []byte, found *Verdict, level Level) error {
	sigs, err := splitSignatures(sig)
	if err != nil {
		return &Error{Reason: Malformed, Err: err}
	}
	if len(sigs) != len(found.Signatures) {
		return &Error{Reason: Malformed, Err: fmt.Errorf("%d signatures, of which %d were checked", len(sigs), len(found.Signatures))}
	}
	for i, s := range sigs {
		k, by := r.madeBy(s, found.Signatures[i].Key)
		if k == nil {
			return &Error{Reason: Unknown, Key: found.Signatures[i].Key}
		}
		if _, err := r.assess(s, k, by, level); err != nil {
			return err
		}
	}
	return nil
}

// madeBy finds the key with that fingerprint, and which part of it signed.
func (r *Ring) madeBy(s *packet.Signature, fingerprint string) (*key, *signer) {
	raw, err := fingerprintOf(fingerprint)
	if err != nil {
		return nil, nil
	}
	k := r.byName[raw]
	if k == nil || k.load() != nil {
		return nil, nil
	}
	for i := range k.info.signers {
		if s.CheckKeyIdOrFingerprint(k.info.signers[i].key) {
			return k, &k.info.signers[i]
		}
	}
	return nil, nil
}

// signer finds out which key really made the signature.
func (c *check) signer() (*key, *signer) {
	for _, k := range c.keys {
		for i := range k.info.signers {
			by := &k.info.signers[i]
			if !c.sig.CheckKeyIdOrFingerprint(by.key) {
				continue
			}
			if by.key.VerifySignature(cloneHash(c.hash), c.sig) == nil {
				return k, by
			}
		}
	}
	return nil, nil
}

// cloneHash copies the state of a hash, for verifying one ends it.
func cloneHash(h hash.Hash) hash.Hash {
	cloner, ok := h.(hash.Cloner)
	if !ok {
		return h
	}
	clone, err := cloner.Clone()
	if err != nil {
		return h
	}
	return clone
}

// issuerName is the signer as the signature itself names it.
func issuerName(s *packet.Signature) string {
	switch {
	case len(s.IssuerFingerprint) > 0:
		return strings.ToUpper(hex.EncodeToString(s.IssuerFingerprint))
	case s.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *s.IssuerKeyId)
	}
	return "(not named)"
}

// Signers names the keys that made the signatures in sig, in hexadecimal;
// nothing is verified.
func Signers(sig []byte) []string {
	list, err := splitSignatures(sig)
	if err != nil {
		return nil
	}
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = issuerName(s)
	}
	return names
}
