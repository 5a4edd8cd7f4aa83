// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
)

// TestTaughtJudgesAsPopulated: a ring that was taught keyrings says of every
// key what the home says after they were taken in, also where a person decided
// something about the keys before.
func TestTaughtJudgesAsPopulated(t *testing.T) {
	testkit.NeedTool(t, "gpg")
	keyrings := filepath.Join(t.TempDir(), "keyrings")
	d := newDistribution(t, keyrings)
	files := map[string][]byte{}
	for _, name := range []string{"test.gpg", "test-trusted", "test-revoked"} {
		data, err := os.ReadFile(filepath.Join(keyrings, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	rings, err := DecodeKeyrings(files)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	home, _ := shortInit(t, dir)
	judge := func(what string, want int) {
		t.Helper()
		before, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		taught, err := before.Taught(rings)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, home).Populate(rings); err != nil {
			t.Fatal(err)
		}
		after, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := taught.Keys(), after.Keys(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: taught\n%+v\npopulated\n%+v", what, got, want)
		}
		if n := len(before.Keys()); n != want {
			t.Errorf("%s: the ring itself has %d keys now, not %d", what, n, want)
		}
	}
	judge("a new home", 1)
	judge("a filled one", 5)
	h := open(t, home)
	raw, err := fingerprintOf(d.master)
	if err != nil {
		t.Fatal(err)
	}
	h.ring.trust.set(raw, ownerNever)
	if err := h.save(); err != nil {
		t.Fatal(err)
	}
	judge("a master key that a person trusts no more", 5)
}

// TestNamedKeysLearnNothing: nor does a home that has no key of its own.
func TestNamedKeysLearnNothing(t *testing.T) {
	s := testSigner(t)
	public := publicOf(t, s)
	rings := []Keyring{{Name: "x", Keys: public}}
	empty, err := Load(mustHome(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Ring{newRing(), empty} {
		r.Now = time.Now
		taught, err := r.Taught(rings)
		if err != nil || taught != r {
			t.Errorf("it learned: %v", err)
		}
	}
}

// mustHome is a home without any key.
func mustHome(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, publicFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestReconsiderFindsWhatATaughtRingRevokes: a signature that was good before is
// judged as one that is seen for the first time.
func TestReconsiderFindsWhatATaughtRingRevokes(t *testing.T) {
	h := newHome(t, true)
	root, leaver, stays := h.generate("root"), h.generate("leaver"), h.generate("stays")
	h.ownertrust(root, 6)
	for _, key := range []string{leaver, stays} {
		h.gpg("-u", root, "--quick-lsign-key", key)
	}
	before := h.load()
	certificate, err := os.ReadFile(filepath.Join(h.dir, revocations, leaver+".rev"))
	if err != nil {
		t.Fatal(err)
	}
	h.feed(bytes.Replace(certificate, []byte(":-----BEGIN"), []byte("-----BEGIN"), 1), "--import")
	taught, err := before.Taught([]Keyring{{Name: "x", Keys: h.gpg("--export")}})
	if err != nil {
		t.Fatal(err)
	}
	for key, revoked := range map[string]bool{leaver: true, stays: false} {
		sig := h.sign(stays, data)
		if revoked {
			signer, err := ReadPrivate(bytes.NewReader(h.gpg("--export-secret-keys", key)))
			if err != nil {
				t.Fatal(err)
			}
			sig = signed(t, signer, data)
		}
		found, err := before.Verify(bytes.NewReader(data), sig, Level{})
		if err != nil {
			t.Fatal(err)
		}
		err = taught.Reconsider(sig, found, Level{})
		switch {
		case revoked:
			wantReason(t, err, Revoked)
		case err != nil:
			t.Error(err)
		}
		if err := before.Reconsider(sig, found, Level{}); err != nil {
			t.Errorf("by the ring that found it good: %v", err)
		}
		wantReason(t, newRing().Reconsider(sig, found, Level{}), Unknown)
		wantReason(t, taught.Reconsider(append(sig, sig...), found, Level{}), Malformed)
	}
	changes := before.Changes(taught)
	if len(changes) != 1 || changes[0].Key != leaver || changes[0].What != KeyRevoked || changes[0].Trusted {
		t.Errorf("changes %+v", changes)
	}
}
