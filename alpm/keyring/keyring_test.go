// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var birth = time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)

func testSigner(t testing.TB) *Signer {
	t.Helper()
	s, err := GenerateKey("Test", "test@example.org", birth, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Now = func() time.Time { return birth.Add(time.Hour) }
	return s
}

func publicOf(t testing.TB, s *Signer) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.WritePublic(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func signed(t testing.TB, s *Signer, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.DetachSign(&out, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSignAndVerify(t *testing.T) {
	s := testSigner(t)
	sig := signed(t, s, data)
	if again := signed(t, s, data); !bytes.Equal(sig, again) {
		t.Error("the same key, data and time gave other bytes")
	}
	ring, err := FromKeys(bytes.NewReader(publicOf(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := ring.Verify(bytes.NewReader(data), sig, Level{})
	if err != nil {
		t.Fatal(err)
	}
	if got := verdict.Signatures[0]; got.Key != s.Fingerprint() || got.User != "Test <test@example.org>" || !got.Created.Equal(birth.Add(time.Hour)) || got.Validity != "full" {
		t.Errorf("%+v", got)
	}
	_, err = ring.Verify(strings.NewReader("changed"), sig, Level{})
	wantReason(t, err, Bad)
	for i := range sig { // a changed signature is an error, whatever it says now
		broken := bytes.Clone(sig)
		broken[i] ^= 0x55
		if _, err := ring.Verify(bytes.NewReader(data), broken, Level{}); err == nil && !unsigned(sig, i) {
			t.Errorf("byte %d of the signature may be anything", i)
		}
	}
	for n := range len(sig) {
		if _, err := ring.Verify(bytes.NewReader(data), sig[:n], Level{}); err == nil {
			t.Errorf("the first %d bytes of the signature are enough", n)
		}
	}
}

// unsigned tells bytes that a signature does not cover: its hint at the digest
// (version 4 keys do not need it) and unhashed subpackets.
func unsigned(sig []byte, i int) bool {
	p, _, err := nextPacket(sig)
	if err != nil {
		return false
	}
	head := len(p.whole) - len(p.body)
	hashed := 6 + int(p.body[4])<<8 + int(p.body[5])
	unhashed := int(p.body[hashed])<<8 + int(p.body[hashed+1])
	return i >= head+hashed+2 && i < head+hashed+2+unhashed+2
}

func TestLevels(t *testing.T) {
	s := testSigner(t)
	sig := signed(t, s, data)
	ring, err := FromKeys(bytes.NewReader(publicOf(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	unread := io.Reader(failingReader{})
	for _, level := range []Level{{Check: Optional}, {Check: Never}} {
		if v, err := ring.Verify(unread, nil, level); err != nil || len(v.Signatures) != 0 {
			t.Errorf("%v without a signature: %v", level, err)
		}
	}
	if _, err := ring.Verify(unread, []byte("rubbish"), Level{Check: Never}); err != nil {
		t.Error(err)
	}
	_, err = ring.Verify(unread, nil, Level{})
	wantReason(t, err, Missing)
	_, err = ring.Verify(strings.NewReader("changed"), sig, Level{Check: Optional, Trust: TrustAll})
	wantReason(t, err, Bad)
	for _, bad := range [][]byte{[]byte("rubbish"), {0xff}, make([]byte, 20000), []byte("-----BEGIN PGP SIGNATURE-----\n"), publicOf(t, s)} {
		_, err = ring.Verify(bytes.NewReader(data), bad, Level{})
		wantReason(t, err, Malformed)
	}
	if _, err := ring.Verify(unread, sig, Level{}); !errors.Is(err, errUnreadable) {
		t.Errorf("read error: %v", err)
	}
}

var errUnreadable = errors.New("unreadable")

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errUnreadable }

func TestClock(t *testing.T) {
	s := testSigner(t)
	ring, err := FromKeys(bytes.NewReader(publicOf(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	ring.Now = func() time.Time { return birth }
	_, err = ring.Verify(bytes.NewReader(data), signed(t, s, data), Level{})
	wantReason(t, err, Expired)
	if !strings.Contains(err.Error(), "clock") {
		t.Errorf("%v", err)
	}
}

func TestLoadDirAndTrust(t *testing.T) {
	dir := t.TempDir()
	one, two := testSigner(t), testSigner(t)
	os.WriteFile(filepath.Join(dir, "one.asc"), publicOf(t, one), 0o644)
	// two keys in one file, one of them known already
	os.WriteFile(filepath.Join(dir, "two.asc"), append(publicOf(t, two), publicOf(t, one)...), 0o644)
	os.WriteFile(filepath.Join(dir, "README"), []byte("no key"), 0o644)
	ring, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(ring.Keys()); n != 2 {
		t.Fatalf("%d keys", n)
	}
	for _, s := range []*Signer{one, two} {
		if _, err := ring.Verify(bytes.NewReader(data), signed(t, s, data), Level{}); err != nil {
			t.Error(err)
		}
	}
	only, err := ring.Trust(strings.ToLower(one.Fingerprint()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := only.Verify(bytes.NewReader(data), signed(t, one, data), Level{}); err != nil {
		t.Error(err)
	}
	_, err = only.Verify(bytes.NewReader(data), signed(t, two, data), Level{})
	wantReason(t, err, Unknown)
	if _, err := ring.Trust(one.Fingerprint()[24:]); err == nil {
		t.Error("a short key id was accepted")
	}
	_, err = only.Trust(two.Fingerprint())
	wantReason(t, err, Unknown)
}

func TestPrivateKeysAndRubbishAreNoPublicKeys(t *testing.T) {
	var private bytes.Buffer
	if err := testSigner(t).WritePrivate(&private); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{private.String(), "", "rubbish", "\x99\x00"} {
		if _, err := FromKeys(strings.NewReader(bad)); err == nil {
			t.Errorf("%.20q was accepted", bad)
		}
	}
	if _, err := ReadPrivate(bytes.NewReader(publicOf(t, testSigner(t)))); err == nil {
		t.Error("a public key was taken for a private one")
	}
	back, err := ReadPrivate(bytes.NewReader(private.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	signed(t, back, data)
}

func TestLoadWithoutAKeyring(t *testing.T) {
	_, err := Load(t.TempDir())
	wantReason(t, err, NoKeyring)
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "pubring.gpg"), nil, 0o644)
	os.WriteFile(filepath.Join(dir, "trustdb.gpg"), []byte("rubbish"), 0o644)
	if _, err := Load(dir); err == nil {
		t.Error("rubbish was taken for a trust database")
	}
}

func TestParseSigLevel(t *testing.T) {
	for _, c := range []struct {
		base SigLevel
		line string
		want string
	}{
		{SigLevel{}, "", "PackageRequired PackageTrustedOnly DatabaseRequired DatabaseTrustedOnly"},
		{SigLevel{}, "Required DatabaseOptional", "PackageRequired PackageTrustedOnly DatabaseOptional DatabaseTrustedOnly"},
		{SigLevel{}, "Never", "PackageNever PackageTrustedOnly DatabaseNever DatabaseTrustedOnly"},
		{SigLevel{Package: Level{Never, TrustAll}}, "PackageOptional", "PackageOptional PackageTrustAll DatabaseRequired DatabaseTrustedOnly"},
		{SigLevel{Package: Level{Never, TrustAll}}, "DatabaseTrustAll TrustedOnly", "PackageNever PackageTrustedOnly DatabaseRequired DatabaseTrustedOnly"},
		{SigLevel{}, "optional trustall packagerequired", "PackageRequired PackageTrustAll DatabaseOptional DatabaseTrustAll"},
	} {
		got, err := ParseSigLevel(c.base, c.line)
		if err != nil || got.String() != c.want {
			t.Errorf("%q on %v: %v, %v", c.line, c.base, got, err)
		}
		if again, err := ParseSigLevel(SigLevel{}, got.String()); err != nil || again != got {
			t.Errorf("%v reads back as %v, %v", got, again, err)
		}
	}
	for _, bad := range []string{"Require", "Package", "PackageDatabaseNever", "Optional,Never"} {
		_, err := ParseSigLevel(SigLevel{}, bad)
		var e *LevelError
		if !errors.As(err, &e) || e.ExitCode() != 3 || e.Hint() == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// fromGPG is a file that gpg wrote: two keys, one of which has signed the
// other, and signatures of both.
func fromGPG(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func FuzzKeybox(f *testing.F) {
	box := make([]byte, 32)
	copy(box[8:], "KBXf")
	box[3], box[4], box[7] = 32, 1, 2
	f.Add(box)
	f.Add(fromGPG(f, "pubring.kbx"))
	f.Add(append(box, 0, 0, 0, 20, 2, 1, 0, 0, 0, 0, 0, 16, 0, 0, 0, 4, 1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks, _, err := decodeKeybox(data)
		if err != nil {
			return
		}
		for _, b := range blocks {
			newRing().add(b)
		}
	})
}

func FuzzTrustDB(f *testing.F) {
	record := make([]byte, 80)
	copy(record, "\x01gpg\x03\x03\x01\x05")
	record[40], record[62] = recordOwnertrust, ownerUltimate
	f.Add(record)
	f.Add(fromGPG(f, "trustdb.gpg"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if db, err := decodeTrustDB(data); err == nil && (db.marginals < 1 || db.completes < 1) {
			t.Error("a key would be trusted by nobody's word")
		}
	})
}

func FuzzSignature(f *testing.F) {
	s := testSigner(f)
	good := signed(f, s, data)
	f.Add(good)
	f.Add(append(bytes.Clone(good), good...))
	f.Add(fromGPG(f, "one.sig"))
	f.Add(fromGPG(f, "two.sig"))
	key, err := dearmor(publicOf(f, s))
	if err != nil {
		f.Fatal(err)
	}
	ring, err := FromKeys(bytes.NewReader(append(key, fromGPG(f, "keys.gpg")...)))
	if err != nil || len(ring.Keys()) != 3 {
		f.Fatalf("%d keys, %v", len(ring.Keys()), err)
	}
	f.Fuzz(func(t *testing.T, sig []byte) {
		if _, err := ring.Verify(strings.NewReader("never signed"), sig, Level{}); err == nil && len(sig) > 0 {
			t.Errorf("%x is a signature of anything", sig)
		}
	})
}

func FuzzPublicKey(f *testing.F) {
	body, err := dearmor(publicOf(f, testSigner(f)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add(fromGPG(f, "keys.gpg"))
	f.Add(fromGPG(f, "one.asc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ring, err := FromKeys(bytes.NewReader(data)); err == nil {
			ring.Keys()
		}
	})
}
