// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rastos/rastos/alpm/keyring/agentkey"
)

// Seeds are what a home is to believe from its beginning.
type Seeds struct {
	Keys     [][]byte  // public keys, armored or binary: each is fully trusted
	Keyrings []Keyring // what packages bring
}

// Seed makes a home that believes this, or lets one that is there believe it.
// Who has the home's private key vouches for the keys; where there is none, a
// key is made that vouches for these and is forgotten at once: its public half
// stays. So a system image can have a keyring that pacman takes, and no private
// key that every machine made of it would share. Init gives such a home a key of
// its own, without which it learns no more. Nothing is written where nothing
// changes.
func Seed(files Files, t Seeds, o InitOptions) (*Populated, error) {
	h, err := OpenHome(files, o.Now)
	var none *Error
	if errors.As(err, &none) && none.Reason == NoKeyring {
		h, err = makeHome(files, o)
	}
	if err != nil {
		return nil, err
	}
	done := newPopulated()
	var names []string
	for _, data := range t.Keys {
		more, err := h.takeKeys(data, done)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	names = slices.DeleteFunc(names, func(raw string) bool { return h.ring.believes(h.ring.byName[raw]) })
	if len(names) == 0 && len(t.Keyrings) == 0 {
		if done.Empty() {
			return done, nil
		}
		return done, h.save()
	}
	m, err := h.masterKey()
	if errors.Is(err, ErrNoMaster) && !errors.Is(err, agentkey.ErrLocked) {
		if o.Bits == 0 {
			o.Bits = passingBits
		}
		m, err = h.generateMaster(o)
	}
	if err != nil {
		return nil, err
	}
	for _, raw := range names {
		signed, err := h.vouch(m, h.ring.byName[raw])
		if err != nil {
			return nil, err
		}
		if signed {
			done.Signed = append(done.Signed, h.ring.byName[raw].fingerprint())
		}
	}
	return done, h.populate(m, t.Keyrings, done)
}

// passingBits are those of a key that signs once: it is made where people wait.
const passingBits = 3072

// takeKeys merges a file of public keys and names them.
func (h *Home) takeKeys(data []byte, done *Populated) ([]string, error) {
	data, err := dearmor(data)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if err := done.take(h.ring, data); err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	foreign := newRing()
	if err := foreign.add(data); err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	var names []string
	for _, k := range foreign.keys {
		have := h.ring.byName[k.name.fingerprint]
		if have == nil || have.load() != nil {
			return nil, fmt.Errorf("read key: %s cannot be used", k.fingerprint())
		}
		names = append(names, k.name.fingerprint)
	}
	if len(names) == 0 {
		return nil, errors.New("read key: there is none in the file")
	}
	return names, nil
}
