// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Keyring is what a distribution ships: keys, which of them are its master
// keys, and which are not to be used any more.
type Keyring struct {
	Name    string
	Keys    []byte          // NAME.gpg
	Trusted map[string]byte // NAME-trusted: ownertrust by raw fingerprint
	Revoked []string        // NAME-revoked: raw fingerprints
}

// KeyringsDir is where packages put keyrings, below a root.
const KeyringsDir = "usr/share/pacman/keyrings"

// unknownKeyringError is a keyring that is not in the folder.
type unknownKeyringError struct{ name string }

func (e *unknownKeyringError) Error() string {
	if e.name == "" {
		return "there are no keyrings"
	}
	return fmt.Sprintf("there is no keyring %s: %[1]s.gpg is missing", e.name)
}
func (e *unknownKeyringError) Hint() string {
	return "packages such as archlinux-keyring bring them to /" + KeyringsDir
}
func (e *unknownKeyringError) ExitCode() int { return 4 }

// ReadKeyrings reads keyrings out of a folder: those that are named, or all.
func ReadKeyrings(files Files, names ...string) ([]Keyring, error) {
	if len(names) == 0 {
		entries, err := files.ReadDir(".")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look for keyrings: %w", err)
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".gpg"); ok && !e.IsDir() {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return nil, &unknownKeyringError{}
		}
		slices.Sort(names)
	}
	var out []Keyring
	for _, name := range names {
		k := Keyring{Name: name}
		var err error
		if k.Keys, err = files.ReadFile(name + ".gpg"); errors.Is(err, fs.ErrNotExist) {
			return nil, &unknownKeyringError{name}
		}
		var trusted, revoked []byte
		for _, f := range []struct {
			ending string
			into   *[]byte
		}{{"-trusted", &trusted}, {"-revoked", &revoked}} {
			data, ferr := files.ReadFile(name + f.ending)
			if ferr != nil && !errors.Is(ferr, fs.ErrNotExist) {
				err = ferr
			}
			*f.into = data
		}
		if err != nil {
			return nil, fmt.Errorf("read keyring %s: %w", name, err)
		}
		if err := k.decode(trusted, revoked); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// decode reads the two lists.
func (k *Keyring) decode(trusted, revoked []byte) (err error) {
	if k.Keys, err = dearmor(k.Keys); err != nil {
		return fmt.Errorf("%s.gpg: %w", k.Name, err)
	}
	k.Trusted = map[string]byte{}
	err = eachLine(k.Name+"-trusted", trusted, func(line string) error {
		id, rest, _ := strings.Cut(line, ":")
		raw, err := fingerprintOf(id)
		value, verr := strconv.ParseUint(strings.TrimSuffix(rest, ":"), 10, 8)
		if err = errors.Join(err, verr); err != nil {
			return err
		}
		if value &= ownerMask; value < ownerUnknown || value > ownerUltimate {
			return fmt.Errorf("%d is no ownertrust", value)
		}
		k.Trusted[raw] = byte(value)
		return nil
	})
	if err != nil {
		return err
	}
	return eachLine(k.Name+"-revoked", revoked, func(line string) error {
		raw, err := fingerprintOf(line)
		k.Revoked = append(k.Revoked, raw)
		return err
	})
}

// eachLine visits the lines of a list that are not empty and no comments.
func eachLine(name string, data []byte, visit func(string) error) error {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		if err := visit(text); err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	return nil
}

// fingerprintOf reads a whole fingerprint: shorter ids can be forged.
func fingerprintOf(text string) (string, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil || len(raw) != 20 && len(raw) != 32 {
		return "", fmt.Errorf("key %q: not a whole fingerprint of 40 or 64 hexadecimal digits", text)
	}
	return string(raw), nil
}

// Populated says what Populate did, by fingerprint.
type Populated struct {
	Added    []string `json:"added"`
	Updated  []string `json:"updated"`
	Signed   []string `json:"signed"`   // vouched for by the keyring's own key
	Disabled []string `json:"disabled"` // because they are on a list of revoked keys
	Unusable []string `json:"unusable"` // master keys that are revoked or expired
}

// Populate takes keyrings into the home, as pacman-key --populate does: their
// keys, a local certification of each master key with the ownertrust that its
// list gives it, and the mark on revoked keys that they are disabled. Nothing
// is written where nothing changes.
func (h *Home) Populate(keyrings []Keyring) (*Populated, error) {
	m, err := h.masterKey()
	if err != nil {
		return nil, err
	}
	done := newPopulated()
	return done, h.populate(m, keyrings, done)
}

func newPopulated() *Populated {
	return &Populated{Added: []string{}, Updated: []string{}, Signed: []string{}, Disabled: []string{}, Unusable: []string{}}
}

// take merges keys into the ring and notes it.
func (p *Populated) take(r *Ring, keys []byte) error {
	got, err := r.merge(keys, importRule{})
	p.Added = append(p.Added, got.added...)
	p.Updated = append(p.Updated, got.updated...)
	return err
}

func (h *Home) populate(m *master, keyrings []Keyring, done *Populated) error {
	for _, k := range keyrings {
		if err := done.take(h.ring, k.Keys); err != nil {
			return fmt.Errorf("%s.gpg: %w", k.Name, err)
		}
	}
	m = &master{h.ring.byName[m.key.name.fingerprint], m.private}
	for _, k := range keyrings {
		if err := h.trust(m, k, done); err != nil {
			return fmt.Errorf("%s-trusted: %w", k.Name, err)
		}
	}
	for _, k := range keyrings {
		for _, raw := range k.Revoked {
			if key := h.ring.byName[raw]; key != nil && !h.ring.disabled(key) {
				h.ring.trust.disable(raw)
				done.Disabled = append(done.Disabled, key.fingerprint())
			}
		}
	}
	if done.Empty() {
		return nil
	}
	return h.save()
}

// Empty tells that nothing changed.
func (p *Populated) Empty() bool {
	return len(p.Added)+len(p.Updated)+len(p.Signed)+len(p.Disabled) == 0
}

// Keys are all that changed, each of them once.
func (p *Populated) Keys() []string {
	all := slices.Concat(p.Added, p.Updated, p.Signed, p.Disabled)
	slices.Sort(all)
	return slices.Compact(all)
}

// trust vouches for the master keys of one keyring. Their ownertrust is set
// when one of them is new, and left as a person may have changed it otherwise.
func (h *Home) trust(m *master, k Keyring, done *Populated) error {
	fresh := false
	var names []string
	for raw := range k.Trusted {
		names = append(names, raw)
	}
	slices.Sort(names)
	for _, raw := range names {
		key := h.ring.byName[raw]
		if key == nil {
			return fmt.Errorf("the key %X is on it and not in the keyring", raw)
		}
		if key.load() != nil || key.info.revoked || over(key.info.expires, h.now()) {
			done.Unusable = append(done.Unusable, key.fingerprint())
			continue
		}
		signed, err := h.vouch(m, key)
		if err != nil {
			return err
		}
		if signed {
			fresh = true
			done.Signed = append(done.Signed, key.fingerprint())
		}
	}
	for _, raw := range names {
		if fresh {
			h.ring.trust.set(raw, k.Trusted[raw])
		}
	}
	return nil
}

// vouch certifies the user IDs of a key that the master key has not certified.
func (h *Home) vouch(m *master, k *key) (bool, error) {
	parts := k.sections()
	signed := false
	for _, u := range k.info.users {
		certified := m.key == k || anyValid(u.certs, func(s *packet.Signature) bool {
			return isCertification(s) && !s.SigExpired(h.now()) && s.CheckKeyIdOrFingerprint(m.key.info.primary) &&
				m.key.info.primary.VerifyUserIdSignature(u.name, k.info.primary, s) == nil
		})
		if certified {
			continue
		}
		sig, err := m.certify(k, []byte(u.name), h.now())
		if err != nil {
			return false, err
		}
		at := slices.IndexFunc(parts, func(s *section) bool { return s.head.tag == tagUserID && string(s.head.body) == u.name })
		parts[at].addSig(sig)
		signed = true
	}
	if signed {
		h.ring.replace(k, keyOf(k.name, parts))
	}
	return signed, nil
}

// Refresh takes news of one key that the home has: signatures that its owner
// or another key of the home made, new user IDs and subkeys. Certifications by
// strangers are left out, as gpg's import-clean does: anybody can make any
// number of them. It tells whether there was any news.
func (h *Home) Refresh(fingerprint string, data []byte) (bool, error) {
	raw, err := fingerprintOf(fingerprint)
	if err != nil {
		return false, err
	}
	if data, err = dearmor(data); err != nil {
		return false, fmt.Errorf("key %s: %w", fingerprint, err)
	}
	known := func(s *packet.Signature) bool { return len(h.ring.issuers(s)) > 0 }
	got, err := h.ring.merge(data, importRule{only: raw, vouch: known, update: true})
	if err != nil {
		return false, fmt.Errorf("key %s: %w", fingerprint, err)
	}
	if len(got.updated) == 0 {
		return false, nil
	}
	return true, h.save()
}

// MasterKey is the fingerprint of the home's own key, "" if it has none.
func (h *Home) MasterKey() string {
	m, err := h.masterKey()
	if err != nil {
		return ""
	}
	return m.key.fingerprint()
}

// Holds tells whether the key is among those in data.
func Holds(data []byte, fingerprint string) bool {
	raw, err := fingerprintOf(fingerprint)
	if err != nil {
		return false
	}
	r := newRing()
	if data, err = dearmor(data); err == nil {
		err = r.add(data)
	}
	return err == nil && r.byName[raw] != nil
}
