// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func reasonOf(err error) (Reason, bool) {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason, true
	}
	return 0, false
}

func wantReason(t *testing.T, err error, want Reason) {
	t.Helper()
	got, ok := reasonOf(err)
	if !ok || got != want {
		t.Errorf("error %v, want reason %d", err, want)
		return
	}
	var e *Error
	errors.As(err, &e)
	if e.ExitCode() != 5 {
		t.Errorf("exit code %d", e.ExitCode())
	}
}

var data = []byte("a package, say\n")

// TestWebOfTrustAsPacmanKeyMakesIt builds what pacman-key --init and --populate
// leave behind: a local ultimate key, five master keys signed locally by it
// with marginal ownertrust, packagers signed by some masters. Both keyring
// formats, and gpg's own opinion about each key as the measure.
func TestWebOfTrustAsPacmanKeyMakesIt(t *testing.T) {
	for _, old := range []bool{true, false} {
		t.Run(fmt.Sprintf("pubring.gpg=%v", old), func(t *testing.T) {
			masters, packagers, local := newHome(t, false), newHome(t, false), newHome(t, old)
			var masterKeys []string
			for i := range 4 {
				masterKeys = append(masterKeys, masters.generate(fmt.Sprintf("master%d", i)))
			}
			keys := map[string]string{}
			for i, name := range []string{"none", "one", "two", "three", "four"} {
				keys[name] = packagers.generate(name)
				masters.pass(packagers, keys[name])
				for _, m := range masterKeys[:i] {
					masters.gpg("-u", m, "--quick-sign-key", keys[name])
				}
			}
			keys["local"] = local.generate("local")
			local.ownertrust(keys["local"], 6)
			local.pass(masters)
			for _, m := range masterKeys {
				local.gpg("-u", keys["local"], "--quick-lsign-key", m)
				local.ownertrust(m, 4)
				keys["m"+m] = m
			}
			keys["stray"] = masters.generate("stray") // signs, but nobody trusts it
			masters.gpg("-u", keys["stray"], "--quick-sign-key", keys["none"])
			local.pass(masters, keys["stray"], keys["none"])
			local.ownertrust(keys["stray"], 5)
			compareWithGPG(t, local, keys)

			ring := local.load()
			for name, want := range map[string]bool{"none": false, "one": false, "two": false, "three": true, "four": true} {
				sig := packagers.sign(keys[name], data)
				verdict, err := ring.Verify(bytes.NewReader(data), sig, Level{})
				if want && (err != nil || verdict.Signatures[0].Key != keys[name] || !strings.HasPrefix(verdict.Signatures[0].User, name)) {
					t.Errorf("%s: %+v, %v", name, verdict, err)
				}
				if !want {
					wantReason(t, err, Untrusted)
				}
				if _, err := ring.Verify(bytes.NewReader(data), sig, Level{Trust: TrustAll}); err != nil {
					t.Errorf("%s with TrustAll: %v", name, err)
				}
			}
		})
	}
}

// compareWithGPG lets gpg and us judge all keys of a home.
func compareWithGPG(t *testing.T, h *home, keys map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, k := range h.load().Keys() {
		got[k.Fingerprint] = k.Validity
	}
	for name, fingerprint := range keys {
		if want := h.validityByGPG(fingerprint); got[fingerprint] != want {
			t.Errorf("%s: %s, gpg says %s", name, got[fingerprint], want)
		}
	}
}

func TestFullOwnertrustDepthAndRevokedCertification(t *testing.T) {
	h := newHome(t, true)
	keys := map[string]string{"root": h.generate("root", "@20200101T000000")}
	h.ownertrust(keys["root"], 6)
	// a chain of full ownertrust: valid as far as gpg goes, and no further
	previous := keys["root"]
	for i := range 7 {
		name := fmt.Sprintf("chain%d", i)
		keys[name] = h.generate(name)
		h.ownertrust(keys[name], 5)
		h.gpg("-u", previous, "--quick-sign-key", keys[name])
		previous = keys[name]
	}
	// generated keys are ultimately trusted: the chain must not be its own root
	compareWithGPG(t, h, keys)

	keys["withdrawn"] = h.generate("withdrawn", "@20200101T000000")
	h.ownertrust(keys["withdrawn"], 2)
	h.gpg("@20250101T000000", "-u", keys["root"], "--quick-sign-key", keys["withdrawn"])
	compareWithGPG(t, h, keys)
	h.gpg("--command-fd", "0", "-u", keys["root"], "--quick-revoke-sig", keys["withdrawn"], keys["root"])
	compareWithGPG(t, h, keys)
	sig := h.sign(keys["withdrawn"], data)
	_, err := h.load().Verify(bytes.NewReader(data), sig, Level{})
	wantReason(t, err, Untrusted)
}

func TestRevokedExpiredDisabled(t *testing.T) {
	h := newHome(t, true)
	root := h.generate("root", "@20190101T000000")
	trusted := func(name string, more ...string) string {
		key := h.generate(name, more...)
		h.ownertrust(key, 2)
		at := []string{}
		if len(more) > 0 {
			at = more[:1]
		}
		h.gpg(append(at, "-u", root, "--quick-sign-key", key)...)
		return key
	}
	revoked, disabled := trusted("revoked"), trusted("disabled")
	expired := trusted("expired", "@20200101T000000", "2020-12-31")
	sigs := map[string][]byte{
		"revoked":  h.sign(revoked, data),
		"disabled": h.sign(disabled, data),
		"expired":  h.sign(expired, data, "@20200601T000000"),
	}
	ring := h.load()
	for name, sig := range sigs {
		verdict, err := ring.Verify(bytes.NewReader(data), sig, Level{})
		if err != nil || verdict.Signatures[0].KeyExpired != (name == "expired") {
			t.Errorf("%s, before: %+v, %v", name, verdict, err)
		}
	}
	shortLived := h.feed(data, "@20200601T000000", "-u", root, "--ask-sig-expire", "--default-sig-expire", "1d", "--detach-sign", "-o", "-")
	_, err := ring.Verify(bytes.NewReader(data), shortLived, Level{Trust: TrustAll})
	wantReason(t, err, Expired)
	late := h.sign(expired, data, "@20200601T000000") // gpg itself would not sign after
	ring.Now = func() time.Time { return time.Date(2020, 3, 1, 0, 0, 0, 0, time.UTC) }
	_, err = ring.Verify(bytes.NewReader(data), late, Level{Trust: TrustAll})
	wantReason(t, err, Expired) // from the future

	secret, err := ReadPrivate(bytes.NewReader(h.gpg("--export-secret-keys", expired)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.load().Verify(bytes.NewReader(data), signed(t, secret, data), Level{Trust: TrustAll})
	wantReason(t, err, Expired) // made by a key that had expired already

	certificate, err := os.ReadFile(filepath.Join(h.dir, "openpgp-revocs.d", revoked+".rev"))
	if err != nil {
		t.Fatal(err)
	}
	h.feed(bytes.Replace(certificate, []byte(":-----BEGIN"), []byte("-----BEGIN"), 1), "--import")
	h.feed([]byte("disable\nsave\n"), "--command-fd", "0", "--edit-key", disabled)
	ring = h.load()
	_, err = ring.Verify(bytes.NewReader(data), sigs["revoked"], Level{Trust: TrustAll})
	wantReason(t, err, Revoked)
	_, err = ring.Verify(bytes.NewReader(data), sigs["disabled"], Level{Trust: TrustAll})
	wantReason(t, err, Disabled)
}

func TestRevokedUserIDLosesItsCertifications(t *testing.T) {
	h := newHome(t, true)
	root, key := h.generate("root"), h.generate("two-names")
	h.ownertrust(key, 2)
	h.gpg("-u", root, "--quick-sign-key", key)
	h.gpg("--quick-add-uid", key, "Other <other@example.org>")
	sig := h.sign(key, data)
	if _, err := h.load().Verify(bytes.NewReader(data), sig, Level{}); err != nil {
		t.Fatal(err)
	}
	h.gpg("--quick-revoke-uid", key, "two-names <two-names@example.org>")
	_, err := h.load().Verify(bytes.NewReader(data), sig, Level{})
	wantReason(t, err, Untrusted)
	if got := h.validityByGPG(key); got == "full" {
		t.Errorf("gpg says %s", got)
	}
}

func TestSigningSubkeyAndSeveralSignatures(t *testing.T) {
	h := newHome(t, false)
	root, with := h.generate("root"), h.generate("with-subkey")
	h.gpg("--quick-add-key", with, "rsa2048", "sign", "never")
	one, two := h.sign(root, data), h.sign(with, data)
	ring := h.load()
	verdict, err := ring.Verify(bytes.NewReader(data), append(bytes.Clone(one), two...), Level{})
	if err != nil || len(verdict.Signatures) != 2 || verdict.Signatures[1].Key != with {
		t.Fatalf("%+v, %v", verdict, err)
	}
	armored := h.feed(data, "-u", with, "--armor", "--detach-sign", "-o", "-")
	if _, err := ring.Verify(bytes.NewReader(data), armored, Level{}); err != nil {
		t.Errorf("armored: %v", err)
	}
	text := h.feed(data, "-u", with, "--textmode", "--detach-sign", "-o", "-")
	if _, err := ring.Verify(bytes.NewReader(data), text, Level{}); err != nil {
		t.Errorf("text: %v", err)
	}

	// every signature must be good
	other := h.sign(root, []byte("something else"))
	_, err = ring.Verify(bytes.NewReader(data), append(bytes.Clone(two), other...), Level{})
	wantReason(t, err, Bad)
	stranger := newHome(t, false)
	foreign := stranger.sign(stranger.generate("stranger"), data)
	_, err = ring.Verify(bytes.NewReader(data), append(bytes.Clone(two), foreign...), Level{Trust: TrustAll})
	wantReason(t, err, Unknown)
	if !strings.Contains(err.Error(), stranger.fingerprint("stranger")) {
		t.Errorf("%v does not name the key", err)
	}
}

func TestOursIsReadByGPG(t *testing.T) {
	h := newHome(t, false)
	signer := testSigner(t)
	var public, private, sig bytes.Buffer
	if err := signer.WritePublic(&public); err != nil {
		t.Fatal(err)
	}
	if err := signer.DetachSign(&sig, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	h.feed(public.Bytes(), "--import")
	dir := t.TempDir()
	sigFile := filepath.Join(dir, "data.sig")
	if err := os.WriteFile(sigFile, sig.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	h.feed(data, "--trust-model", "always", "--verify", sigFile, "-")
	if _, err := h.try([]byte("changed"), "--trust-model", "always", "--verify", sigFile, "-"); err == nil {
		t.Error("gpg took changed data")
	}

	// the private key there, back again, and used
	if err := signer.WritePrivate(&private); err != nil {
		t.Fatal(err)
	}
	other := newHome(t, false)
	other.feed(private.Bytes(), "--import")
	back, err := ReadPrivate(bytes.NewReader(other.gpg("--export-secret-keys", signer.Fingerprint())))
	if err != nil || back.Fingerprint() != signer.Fingerprint() {
		t.Fatalf("%v, %v", back, err)
	}
	ring, err := FromKeys(bytes.NewReader(h.gpg("--export", signer.Fingerprint())))
	if err != nil {
		t.Fatal(err)
	}
	theirs := other.sign(signer.Fingerprint(), data)
	if _, err := ring.Verify(bytes.NewReader(data), theirs, Level{}); err != nil {
		t.Errorf("signed by gpg with our key: %v", err)
	}
}
