// SPDX-License-Identifier: GPL-3.0-or-later

package agentkey

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func newRSA(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRSARoundTrip(t *testing.T) {
	key := newRSA(t)
	data, err := EncodeRSA(key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	// The primes may have changed places.
	if back, ok := got.(*rsa.PrivateKey); !ok || back.D.Cmp(key.D) != 0 || back.N.Cmp(key.N) != 0 {
		t.Error("another key came back")
	}
	if grip := KeygripRSA(&key.PublicKey); len(grip) != 40 {
		t.Errorf("keygrip %q", grip)
	}
}

func TestReadableForm(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("Created: 20261126T000000\nKey: (private-key (ecc (curve Ed25519)(flags eddsa)(q\n  #40%X#)(d\n #%X#)\n  ))\nLabel: x\n",
		[]byte(key.Public().(ed25519.PublicKey)), key.Seed())
	got, err := Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if !key.Equal(got) {
		t.Error("another key came back")
	}
}

func TestRefused(t *testing.T) {
	good, err := EncodeRSA(newRSA(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"empty":       {"", nil},
		"truncated":   {string(good[:len(good)-3]), errSexp},
		"overlong":    {"(99999:x)", errSexp},
		"locked":      {"(21:protected-private-key(3:rsa(1:n1:x)))", ErrLocked},
		"on a card":   {"(20:shadowed-private-key(3:rsa(1:n1:x)))", ErrElsewhere},
		"no numbers":  {"(private-key (rsa (n #01#)))", nil},
		"other curve": {`(private-key (ecc (curve "NIST P-256")(q #04#)(d #01#)))`, nil},
		"too deep":    {strings.Repeat("(", 100), errSexp},
		"too large":   {strings.Repeat(" ", MaxSize+1), nil},
	} {
		key, err := Decode([]byte(c.data))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, key, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	key := newRSA(f)
	data, err := EncodeRSA(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("Key: (private-key (ecc (curve Ed25519)(flags eddsa)(q #40#)(d #01#)))"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := Decode(data); err == nil && key.Public() == nil {
			t.Error("a key without a public half")
		}
	})
}
