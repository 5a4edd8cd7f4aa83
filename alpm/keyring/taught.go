// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
)

// DecodeKeyrings reads the keyrings among files of a folder, by their names in it.
func DecodeKeyrings(files map[string][]byte) ([]Keyring, error) {
	var out []Keyring
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(file) != ".gpg" {
			continue
		}
		name := file[:len(file)-len(".gpg")]
		k := Keyring{Name: name, Keys: files[file]}
		if err := k.decode(files[name+"-trusted"], files[name+"-revoked"]); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// Taught returns a ring that judges as this one would once Populate had taken
// the keyrings into its home. Nothing is written. Only a home with a key of
// its own learns: a ring of keys that somebody named one by one has no place
// for others, and comes back as it is.
func (r *Ring) Taught(keyrings []Keyring) (*Ring, error) {
	if r.home == "" || !r.hasOwn() {
		return r, nil
	}
	out, err := r.clone()
	if err != nil {
		return nil, err
	}
	for _, k := range keyrings {
		if _, err := out.merge(k.Keys, importRule{}); err != nil {
			return nil, fmt.Errorf("%s.gpg: %w", k.Name, err)
		}
	}
	for _, k := range keyrings {
		if err := out.believe(r, k); err != nil {
			return nil, fmt.Errorf("%s-trusted: %w", k.Name, err)
		}
	}
	for _, k := range keyrings {
		for _, raw := range k.Revoked {
			if out.byName[raw] != nil {
				out.trust.disable(raw)
			}
		}
	}
	return out, nil
}

func (r *Ring) hasOwn() bool {
	for _, v := range r.web() {
		if v == Ultimate {
			return true
		}
	}
	return false
}

func (r *Ring) clone() (*Ring, error) {
	out := newRing()
	out.Now, out.home = r.Now, r.home
	out.direct = maps.Clone(r.direct)
	trust := *r.trust
	trust.owner = maps.Clone(r.trust.owner)
	out.trust = &trust
	return out, out.add(r.Export())
}

// believe takes the master keys of a keyring for certified, which Populate
// would make them, with the ownertrust that goes with it; before is the ring
// without them. It mirrors Home.trust.
func (r *Ring) believe(before *Ring, k Keyring) error {
	fresh := false
	for raw := range k.Trusted {
		key := r.byName[raw]
		if key == nil {
			return fmt.Errorf("the key %X is on it and not in the keyring", raw)
		}
		if key.load() != nil || key.info.revoked || over(key.info.expires, r.now()) || before.ownCertified(raw) {
			continue
		}
		r.direct[raw], fresh = true, true
	}
	if fresh {
		for raw, value := range k.Trusted {
			r.trust.set(raw, value)
		}
	}
	return nil
}

// ownCertified tells whether a key of the home's own vouches for the key.
func (r *Ring) ownCertified(raw string) bool {
	key := r.byName[raw]
	if key == nil || key.load() != nil {
		return false
	}
	introducers := r.web()
	if introducers[key] == Ultimate {
		return true
	}
	for _, u := range key.info.users {
		for _, by := range r.certifiers(key, u, introducers, r.now()) {
			if introducers[by] == Ultimate {
				return true
			}
		}
	}
	return false
}

// What can become of a key when a ring is taught.
const (
	KeyNew      = "new"      // the ring did not have it
	KeyTrusted  = "trusted"  // it had it, and now it is believed
	KeyRevoked  = "revoked"  // its owner took it back
	KeyDisabled = "disabled" // a list of revoked keys has it
	KeyDoubted  = "doubted"  // it was believed, and is not any more
	KeyChanged  = "changed"  // any other news of it: a longer lifetime, a subkey
)

// A KeyChange is what became of one key.
type KeyChange struct {
	Key  string `json:"key"` // fingerprint
	User string `json:"user,omitempty"`
	What string `json:"what"`
	// Trusted tells whether what it signs is believed from now on.
	Trusted bool `json:"trusted"`
}

// Changes tells in what a ring that was taught differs from this one, by the
// fingerprints of the keys.
func (r *Ring) Changes(taught *Ring) []KeyChange {
	if taught == r {
		return nil
	}
	var out []KeyChange
	for _, raw := range slices.Sorted(maps.Keys(taught.byName)) {
		k := taught.byName[raw]
		if k.load() != nil {
			continue
		}
		if what := taught.changeFrom(r, k); what != "" {
			out = append(out, KeyChange{Key: k.fingerprint(), User: k.userName(), What: what, Trusted: taught.believes(k)})
		}
	}
	return out
}

// changeFrom is what became of a key since that state of the ring; "": nothing.
func (r *Ring) changeFrom(before *Ring, k *key) string {
	old := before.byName[k.name.fingerprint]
	if old == nil || old.load() != nil {
		return KeyNew
	}
	was, is := before.believes(old), r.believes(k)
	switch {
	case k.info.revoked && !old.info.revoked:
		return KeyRevoked
	case r.disabled(k) && !before.disabled(old):
		return KeyDisabled
	case is && !was:
		return KeyTrusted
	case was && !is:
		return KeyDoubted
	case !bytes.Equal(old.bytes(), k.bytes()):
		return KeyChanged
	}
	return ""
}

// believes tells whether the ring takes what the key signs.
func (r *Ring) believes(k *key) bool {
	return !k.info.revoked && !r.disabled(k) && r.validity(k) >= Full
}
