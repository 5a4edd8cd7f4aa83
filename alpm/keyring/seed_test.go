// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
)

func quickly() InitOptions { return InitOptions{Now: time.Now, Random: rand.Reader, Bits: 2048} }

// contents are the files of a home.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir+"/")] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSeededHomeHasNoPrivateKey: and believes what it was made with, as gpg
// does; a second time nothing is written.
func TestSeededHomeHasNoPrivateKey(t *testing.T) {
	testkit.NeedTool(t, "gpg")
	keyrings := filepath.Join(t.TempDir(), "keyrings")
	d := newDistribution(t, keyrings)
	rings, err := ReadKeyrings(filesIn(t, keyrings))
	if err != nil {
		t.Fatal(err)
	}
	vendor := testSigner(t)
	seeds := Seeds{Keys: [][]byte{publicOf(t, vendor)}, Keyrings: rings}
	dir := tempHome(t)
	done, err := Seed(filesIn(t, dir), seeds, quickly())
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Added) != 5 || len(done.Signed) != 2 || len(done.Disabled) != 1 {
		t.Errorf("done: %+v", done)
	}
	before := contents(t, dir)
	for name := range before {
		if strings.HasPrefix(name, privateDir) {
			t.Errorf("there is the private key %s", name)
		}
	}
	if home := open(t, filesIn(t, dir)); home.MasterKey() != "" {
		t.Error("the home says that it has a key of its own")
	}
	ring, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	judge := map[string]string{vendor.Fingerprint(): "f", d.master: "f", d.packager: "f", d.stranger: "-", d.revoked: "d"}
	for _, k := range ring.Keys() {
		want, known := judge[k.Fingerprint]
		if !known {
			continue // who vouched
		}
		if got := k.Validity == "full" && !k.Disabled; got != (want == "f") {
			t.Errorf("%v is %s", k.Users, k.Validity)
		}
		listed := colons(gpgOn(t, dir, "--with-colons", "-k", k.Fingerprint), "pub", 1)
		if want != "d" && !slices.Equal(listed, []string{want}) {
			t.Errorf("gpg believes %v %v, not %s", k.Users, listed, want)
		}
	}
	before = contents(t, dir) // gpg has its own lock and socket files
	if _, err := Seed(filesIn(t, dir), Seeds{Keys: seeds.Keys}, quickly()); err != nil {
		t.Fatal(err)
	}
	for name, text := range contents(t, dir) {
		if before[name] != text {
			t.Errorf("%s was written again", name)
		}
	}
}

// TestSeedAgainVouchesForWhatIsNew: and only for that.
func TestSeedAgainVouchesForWhatIsNew(t *testing.T) {
	first, later := testSigner(t), testSigner(t)
	files := filesIn(t, t.TempDir())
	for i, keys := range [][][]byte{{publicOf(t, first)}, {publicOf(t, first), publicOf(t, later)}} {
		done, err := Seed(files, Seeds{Keys: keys}, quickly())
		if err != nil {
			t.Fatal(err)
		}
		newest := []*Signer{first, later}[i].Fingerprint()
		if !slices.Equal(done.Signed, []string{newest}) || !slices.Equal(done.Added, []string{newest}) {
			t.Errorf("done: %+v", done)
		}
	}
	believed := 0
	for _, k := range open(t, files).ring.Keys() {
		if k.Validity == "full" {
			believed++
		}
	}
	if believed != 2 {
		t.Errorf("%d keys are believed", believed)
	}
}

// TestSeededHomeGetsAKeyOfItsOwn: by Init, and goes on with that.
func TestSeededHomeGetsAKeyOfItsOwn(t *testing.T) {
	vendor, later := testSigner(t), testSigner(t)
	files := filesIn(t, t.TempDir())
	if _, err := Seed(files, Seeds{Keys: [][]byte{publicOf(t, vendor)}}, quickly()); err != nil {
		t.Fatal(err)
	}
	own, made, err := Init(files, quickly())
	if err != nil || !made {
		t.Fatal(made, err)
	}
	home := open(t, files)
	if home.MasterKey() != own {
		t.Errorf("its own key is %q, not %q", home.MasterKey(), own)
	}
	if _, err := Seed(files, Seeds{Keys: [][]byte{publicOf(t, later)}}, quickly()); err != nil {
		t.Fatal(err)
	}
	if n := len(open(t, files).ring.Keys()); n != 4 { // two that vouch, two that are vouched for
		t.Errorf("%d keys: another one was made to vouch", n)
	}
}

// TestSeedRefusesWhatIsNoKey: a manifest may name the wrong file.
func TestSeedRefusesWhatIsNoKey(t *testing.T) {
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "a cut key": publicOf(t, testSigner(t))[:200]} {
		dir := t.TempDir()
		if _, err := Seed(filesIn(t, dir), Seeds{Keys: [][]byte{data}}, quickly()); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
