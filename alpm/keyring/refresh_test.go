// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"slices"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
)

// TestRefresh takes what gpg made of a key since it came in: a longer life, a
// subkey, a certification by a stranger, a revocation. gpg reads what is left.
func TestRefresh(t *testing.T) {
	testkit.NeedTool(t, "gpg")
	theirs := newHome(t, true)
	anna, stranger := theirs.generate("anna", "1y"), theirs.generate("stranger")
	dir := tempHome(t)
	files, master := shortInit(t, dir)
	h := open(t, files)
	raw, err := fingerprintOf(anna)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Populate([]Keyring{{Name: "x", Keys: theirs.gpg("--export", anna), Trusted: map[string]byte{raw: 4}}}); err != nil {
		t.Fatal(err)
	}
	if h.MasterKey() != master {
		t.Errorf("its own key is %s, not %s", h.MasterKey(), master)
	}
	refresh := func(want bool) Key {
		t.Helper()
		news, err := h.Refresh(anna, theirs.gpg("--export", "--armor"))
		if err != nil || news != want {
			t.Errorf("news: %v, %v", news, err)
		}
		ring, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		keys := ring.Keys()
		if i := slices.IndexFunc(keys, func(k Key) bool { return k.Fingerprint == stranger }); i >= 0 {
			t.Error("a stranger's key came in")
		}
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Fingerprint == anna })
		if i < 0 {
			t.Fatal("the key has gone")
		}
		return keys[i]
	}
	if k := refresh(false); k.Validity != "full" || k.Ownertrust != "marginal" || k.Expires.IsZero() {
		t.Errorf("before: %+v", k)
	}
	theirs.gpg("--quick-set-expire", anna, "9y")
	theirs.gpg("--quick-add-key", anna, "ed25519", "sign", "never")
	if k := refresh(true); time.Until(k.Expires) < 8*365*24*time.Hour || k.Validity != "full" || k.Ownertrust != "marginal" {
		t.Errorf("with a longer life: %+v", k)
	}
	if got := colons(gpgOn(t, dir, "--with-colons", "-k", anna), "sub", 1); len(got) != 1 || got[0] != "f" {
		t.Errorf("gpg finds the subkey %v", got)
	}
	refresh(false)
	theirs.gpg("-u", stranger, "--quick-sign-key", anna)
	refresh(false)

	revocation := theirs.feed([]byte("y\n0\n\ny\n"), "--command-fd", "0", "--no-batch", "--gen-revoke", anna)
	theirs.feed(revocation, "--import")
	if k := refresh(true); !k.Revoked {
		t.Errorf("revoked: %+v", k)
	}
	if got := colons(gpgOn(t, dir, "--with-colons", "-k", anna), "pub", 1); len(got) != 1 || got[0] != "r" {
		t.Errorf("gpg finds the key %v", got)
	}
	if _, err := h.Refresh(anna, []byte("rubbish")); err == nil {
		t.Error("rubbish was taken")
	}
	if Holds(theirs.gpg("--export", stranger), anna) || !Holds(theirs.gpg("--export", "--armor", anna), anna) {
		t.Error("Holds is wrong")
	}
}
