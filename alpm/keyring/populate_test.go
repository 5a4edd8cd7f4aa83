// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/testkit"
)

func filesIn(t *testing.T, dir string) *fsroot.FS {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	return files
}

// shortInit makes a home with a master key that is quick to make.
func shortInit(t *testing.T, dir string) (*fsroot.FS, string) {
	t.Helper()
	files := filesIn(t, dir)
	fingerprint, made, err := Init(files, InitOptions{Now: time.Now, Random: rand.Reader, Bits: 2048})
	if err != nil || !made {
		t.Fatal(made, err)
	}
	return files, fingerprint
}

func open(t *testing.T, files Files) *Home {
	t.Helper()
	h, err := OpenHome(files, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// distribution is a keyring as a distribution makes it: a master key that
// certifies a packager, a packager that nobody certifies, one that is revoked.
type distribution struct {
	master, packager, stranger, revoked string // fingerprints
	home                                *home
}

// newDistribution writes the files of a keyring "test" to dir.
func newDistribution(t *testing.T, dir string) *distribution {
	t.Helper()
	h := newHome(t, true)
	d := &distribution{home: h, master: h.generate("master"), packager: h.generate("packager"),
		stranger: h.generate("stranger"), revoked: h.generate("revoked")}
	for _, fingerprint := range []string{d.packager, d.revoked} {
		h.gpg("-u", d.master, "--quick-sign-key", fingerprint)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"test.gpg":     h.gpg("--export"),
		"test-trusted": []byte("# master keys\n\n" + d.master + ":5:\n"),
		"test-revoked": []byte(d.revoked + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// gpgOn runs gpg on a home that is ours, as pacman's library does.
func gpgOn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", dir, "--batch", "--no-tty"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gpg %q: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// colons picks fields of gpg's list: what a record of that kind says there.
func colons(list, kind string, field int) (out []string) {
	for line := range strings.Lines(list) {
		if fields := strings.Split(strings.TrimSpace(line), ":"); fields[0] == kind && len(fields) > field {
			out = append(out, fields[field])
		}
	}
	return out
}

// tempHome has a short path, for the agent's socket.
func tempHome(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", dir, "--kill", "all").Run()
		os.RemoveAll(dir)
	})
	return dir
}

// TestGPGAcceptsInit: gpg finds the master key with its secret half, trusts it,
// and signs with it.
func TestGPGAcceptsInit(t *testing.T) {
	testkit.NeedTool(t, "gpg")
	dir := tempHome(t)
	files, fingerprint := shortInit(t, dir)
	secret := gpgOn(t, dir, "--with-colons", "-K")
	if got := colons(secret, "fpr", 9); len(got) != 1 || got[0] != fingerprint {
		t.Errorf("gpg's private keys are %v, ours is %s", got, fingerprint)
	}
	if got := colons(gpgOn(t, dir, "--with-colons", "-k"), "pub", 1); len(got) != 1 || got[0] != "u" {
		t.Errorf("gpg believes the master key %v", got)
	}
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte("signed"), 0o644); err != nil {
		t.Fatal(err)
	}
	gpgOn(t, dir, "--detach-sign", data)
	sig, err := os.ReadFile(data + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Verify(strings.NewReader("signed"), sig, Level{}); err != nil {
		t.Error(err)
	}
	for name, perm := range map[string]os.FileMode{".": 0o700, "pubring.gpg": 0o644, "secring.gpg": 0o600, "trustdb.gpg": 0o644, "gpg.conf": 0o644, privateDir: 0o700} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || name != "." && info.Mode().Perm() != perm {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	again, made, err := Init(files, InitOptions{Now: time.Now, Random: rand.Reader})
	if err != nil || made || again != fingerprint {
		t.Errorf("a second time: %s, %v, %v", again, made, err)
	}
}

// TestPopulateAsPacmanKey populates two homes, one by pacman-key and one here:
// gpg and we find the same keys with the same trust in both.
func TestPopulateAsPacmanKey(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	script := testkit.NeedTool(t, "pacman-key")
	keyrings := filepath.Join(t.TempDir(), "keyrings")
	d := newDistribution(t, keyrings)

	theirs, ours := tempHome(t), tempHome(t)
	files, _ := shortInit(t, ours)
	rings, err := ReadKeyrings(filesIn(t, keyrings))
	if err != nil {
		t.Fatal(err)
	}
	done, err := open(t, files).Populate(rings)
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Added) != 4 || !slices.Equal(done.Signed, []string{d.master}) || !slices.Equal(done.Disabled, []string{d.revoked}) {
		t.Errorf("populated %+v", done)
	}
	pacmanKey(t, script, keyrings, theirs, "--init")
	pacmanKey(t, script, keyrings, theirs, "--populate")

	gpgOn(t, ours, "--check-trustdb")
	want, got := gpgSays(t, theirs), gpgSays(t, ours)
	if want != got {
		t.Errorf("gpg says of ours\n%s\nand of pacman-key's\n%s", got, want)
	}
	for _, dir := range []string{theirs, ours} {
		ring, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			by   string
			want Reason
			ok   bool
		}{{d.packager, 0, true}, {d.stranger, Untrusted, false}, {d.revoked, Disabled, false}} {
			_, err := ring.Verify(strings.NewReader("x"), d.home.sign(c.by, []byte("x")), Level{})
			var bad *Error
			if c.ok && err != nil || !c.ok && (!errors.As(err, &bad) || bad.Reason != c.want) {
				t.Errorf("%s in %s: %v", c.by, dir, err)
			}
		}
	}
	// Either program goes on with the other's home.
	if done, err := open(t, filesIn(t, theirs)).Populate(rings); err != nil || !done.Empty() {
		t.Errorf("after pacman-key: %+v, %v", done, err)
	}
	out := pacmanKey(t, script, keyrings, ours, "--populate")
	if strings.Contains(out, "Locally signed") || strings.Contains(out, "Disabled") {
		t.Errorf("pacman-key still found something to do:\n%s", out)
	}
	pacmanKey(t, script, keyrings, ours, "--updatedb")
}

// pacmanKey runs a copy of pacman-key that looks for keyrings where we say.
func pacmanKey(t *testing.T, script, keyrings, home string, args ...string) string {
	t.Helper()
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), "KEYRING_IMPORT_DIR='/usr/share/keyrings'", "KEYRING_IMPORT_DIR='"+keyrings+"'")
	if changed == string(text) {
		changed = strings.ReplaceAll(string(text), "KEYRING_IMPORT_DIR='/usr/share/pacman/keyrings'", "KEYRING_IMPORT_DIR='"+keyrings+"'")
	}
	dir := t.TempDir()
	copied, config := filepath.Join(dir, "pacman-key"), filepath.Join(dir, "pacman.conf")
	if err := errors.Join(os.WriteFile(copied, []byte(changed), 0o755), os.WriteFile(config, []byte("[options]\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", append([]string{copied, "--config", config, "--gpgdir", home}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pacman-key %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// gpgSays lists keys, how they are believed, what their owners are trusted
// with, and whether they are disabled; without the master key, which differs.
func gpgSays(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	for line := range strings.Lines(gpgOn(t, dir, "--with-colons", "-k")) {
		if f := strings.Split(strings.TrimSpace(line), ":"); f[0] == "pub" && f[8] != "u" {
			out = append(out, fmt.Sprintf("%s validity %s ownertrust %s can %s", f[4], f[1], f[8], f[11]))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestManyTrusts: gpg finds each ownertrust in the database that we write, also
// where many share a place in its index.
func TestManyTrusts(t *testing.T) {
	testkit.NeedTool(t, "gpg")
	db := newTrustDB()
	for i := range 900 {
		raw := make([]byte, 20)
		if _, err := rand.Read(raw); err != nil {
			t.Fatal(err)
		}
		raw[0] = byte(i % 3 * 100)
		db.set(string(raw), byte(3+i%3))
	}
	data := db.encode(time.Now())
	back, err := decodeTrustDB(data)
	if err != nil || len(back.owner) != len(db.owner) {
		t.Fatalf("%d of %d came back: %v", len(back.owner), len(db.owner), err)
	}
	dir := tempHome(t)
	if err := os.WriteFile(filepath.Join(dir, "trustdb.gpg"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for fingerprint, value := range db.owner {
		fmt.Fprintf(&list, "%X:%d:\n", fingerprint, value)
	}
	// gpg looks each of them up by the index, and changes nothing.
	cmd := exec.Command("gpg", "--homedir", dir, "--batch", "--import-ownertrust")
	cmd.Stdin = strings.NewReader(list.String())
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "inserting") || strings.Contains(string(out), "changing") {
		t.Errorf("gpg: %v\n%s", err, out)
	}
	if n := strings.Count(gpgOn(t, dir, "--export-ownertrust"), ":\n"); n != len(db.owner) {
		t.Errorf("gpg exports %d of %d", n, len(db.owner))
	}
}

// TestImportIsCareful: what a key's owner never signed, and what is local to
// another keyring, does not come in.
func TestImportIsCareful(t *testing.T) {
	dir := tempHome(t)
	files, _ := shortInit(t, dir)
	h := open(t, files)
	s := testSigner(t)
	var public bytes.Buffer
	if err := s.entity.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	forged := packetOf(tagUserID, []byte("Somebody Else <else@example.org>"))
	foreign := newRing()
	if err := foreign.add(append(bytes.Clone(public.Bytes()), forged.whole...)); err != nil {
		t.Fatal(err)
	}
	m, err := h.masterKey()
	if err != nil {
		t.Fatal(err)
	}
	local, err := m.certify(foreign.keys[0], foreign.keys[0].packets[1].body, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	parts := foreign.keys[0].sections()
	parts[1].addSig(local)
	foreign.replace(foreign.keys[0], keyOf(foreign.keys[0].name, parts))
	got, err := h.ring.merge(foreign.encode(), importRule{})
	if err != nil || len(got.added) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	text := string(h.ring.encode())
	if strings.Contains(text, "else@example.org") || strings.Contains(text, string(local.body)) {
		t.Error("it came in")
	}
	if _, err := h.Populate([]Keyring{{Name: "x", Keys: public.Bytes(), Trusted: map[string]byte{strings.Repeat("x", 20): 4}}}); err == nil {
		t.Error("a master key that is nowhere was trusted")
	}
}

func TestKeyringListsRefused(t *testing.T) {
	for _, c := range []struct{ trusted, revoked, want string }{
		{"ABCD:4:\n", "", "bad-trusted:1: key \"ABCD\": not a whole fingerprint"},
		{"\n" + strings.Repeat("A", 40) + ":9:\n", "", "bad-trusted:2: 9 is no ownertrust"},
		{strings.Repeat("A", 40) + ":x:\n", "", "bad-trusted:1: strconv"},
		{"", "nonsense\n", "bad-revoked:1: key \"nonsense\""},
	} {
		k := Keyring{Name: "bad"}
		if err := k.decode([]byte(c.trusted), []byte(c.revoked)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q %q: %v", c.trusted, c.revoked, err)
		}
	}
	if _, err := ReadKeyrings(filesIn(t, t.TempDir())); err == nil {
		t.Error("an empty folder holds keyrings")
	}
	if _, err := ReadKeyrings(filesIn(t, t.TempDir()), "absent"); err == nil || !strings.Contains(err.Error(), "absent.gpg is missing") {
		t.Error(err)
	}
}

// TestNoMaster: a home without a private key vouches for nobody.
func TestNoMaster(t *testing.T) {
	files := filesIn(t, t.TempDir())
	if err := files.WriteFile(publicFile, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, files).Populate(nil); !errors.Is(err, ErrNoMaster) {
		t.Error(err)
	}
	if _, err := OpenHome(filesIn(t, t.TempDir()), time.Now); err == nil {
		t.Error("an empty folder is a keyring")
	}
	broken := InitOptions{Now: time.Now, Random: io.LimitReader(rand.Reader, 1), Bits: 12}
	if _, _, err := Init(filesIn(t, t.TempDir()), broken); err == nil {
		t.Error("a key of 12 bits was made")
	}
}
