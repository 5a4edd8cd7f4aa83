// SPDX-License-Identifier: GPL-3.0-or-later

package apply_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/testkit"
)

// signedWorld is a world whose packages are signed, by people that a keyring
// package names, and whose root has a keyring of its own.
type signedWorld struct {
	*world
	old, young *keyring.Signer
}

// signedConf is a pacman.conf that wants signatures.
const signedConf = "[options]\nArchitecture = x86_64\nSigLevel = Required DatabaseOptional\nLocalFileSigLevel = Required\n[core]\nServer = file://"

func newSignedWorld(t *testing.T) *signedWorld {
	t.Helper()
	w := &signedWorld{world: newPkgWorld(t)}
	w.signed()
	w.conf(signedConf + w.srv + "\n")
	w.pkgOK("keyring", "init")
	from := t.TempDir()
	for name, text := range w.keyringPackage("1-1", w.old).files {
		w.must(os.WriteFile(filepath.Join(from, filepath.Base(name)), []byte(text), 0o644))
	}
	w.pkgOK("keyring", "populate", "--from", from)
	w.pkgOK("install", "distro-keyring", "a", "--sync", "--yes")
	return w
}

// signed has the old one sign all packages, and a keyring package.
func (w *signedWorld) signed() {
	w.t.Helper()
	testkit.NeedTool(w.t, "gpg")
	w.old, w.young = w.packager("Old"), w.packager("Young")
	w.publish(w.keyringPackage("1-1", w.old), pkg("a", "1-1"))
	files, err := filepath.Glob(filepath.Join(w.srv, "*.pkg.tar.zst"))
	w.must(err)
	for _, f := range files {
		w.sign(w.old, filepath.Base(f))
	}
}

func (w *signedWorld) packager(name string) *keyring.Signer {
	w.t.Helper()
	s, err := keyring.GenerateKey(name, strings.ToLower(name)+"@example.org", time.Now().Add(-time.Hour), rand.Reader)
	w.must(err)
	return s
}

// keyringPackage brings the keys of people, all of them master keys, as a
// package without a scriptlet.
func (w *signedWorld) keyringPackage(version string, people ...*keyring.Signer) made {
	w.t.Helper()
	p := pkg("distro-keyring", version)
	p.files = map[string]string{}
	for _, s := range people {
		var public bytes.Buffer
		w.must(s.WritePublic(&public))
		ring, err := keyring.FromKeys(&public)
		w.must(err)
		p.files[keyring.KeyringsDir+"/distro.gpg"] += string(ring.Export())
		p.files[keyring.KeyringsDir+"/distro-trusted"] += s.Fingerprint() + ":4:\n"
	}
	return p
}

// sign signs files of the repository whose names begin so.
func (w *signedWorld) sign(by *keyring.Signer, prefixes ...string) {
	w.t.Helper()
	for _, prefix := range prefixes {
		files, err := filepath.Glob(filepath.Join(w.srv, prefix+"*"))
		w.must(err)
		for _, f := range files {
			if strings.HasSuffix(f, ".sig") {
				continue
			}
			data, err := os.ReadFile(f)
			w.must(err)
			var sig bytes.Buffer
			w.must(by.DetachSign(&sig, bytes.NewReader(data)))
			w.must(os.WriteFile(f+".sig", sig.Bytes(), 0o644))
		}
	}
}

// conf is what both programs read.
func (w *signedWorld) conf(text string) {
	w.t.Helper()
	for _, path := range []string{filepath.Join(w.dir, "pacman.conf"), w.at("etc/pacman.conf")} {
		w.must(os.WriteFile(path, []byte(text), 0o644))
	}
	w.must(os.RemoveAll(filepath.Join(w.dir, "gnupg")))
	w.must(os.Symlink(w.at("etc/pacman.d/gnupg"), filepath.Join(w.dir, "gnupg"))) // of the real pacman
}

// renew publishes a keyring with the young one's key, and a package by it.
func (w *signedWorld) renew() {
	w.t.Helper()
	w.publish(w.keyringPackage("2-1", w.old, w.young), pkg("a", "2-1"))
	w.sign(w.old, "distro-keyring-2-1")
	w.sign(w.young, "a-2-1")
}

func TestKeyringPackageComesFirst(t *testing.T) {
	w := newSignedWorld(t)
	w.renew()
	w.mustPacman("-Sy")
	if out, err := w.pacman("-Su"); err == nil {
		t.Fatalf("pacman upgrades, too; there is nothing to be better at:\n%s", out)
	}
	out, code := w.pkg("upgrade", "--yes", "--json")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	var done flow.Changed
	for line := range strings.Lines(out) {
		if strings.Contains(line, `"keys"`) && done.Keys == nil {
			w.must(json.Unmarshal([]byte(line), &done))
		}
	}
	if len(done.Keys) != 1 || done.Keys[0].Package != "distro-keyring" || len(done.Keys[0].Keys) != 1 ||
		done.Keys[0].Keys[0].Key != w.young.Fingerprint() || strings.Join(done.Keys[0].Vouched, " ") != "a" {
		t.Errorf("keys %+v in\n%s", done.Keys, out)
	}
	if !strings.Contains(out, "distro-keyring 2-1 vouches for a") || !strings.Contains(out, "the keyring took in 1 key of distro-keyring") {
		t.Errorf("it is not told:\n%s", out)
	}
	if out := w.pkgOK("history", "--show", w.last()); !strings.Contains(out, "distro-keyring 2-1 brought keys:\n  "+w.young.Fingerprint()) {
		t.Errorf("the history:\n%s", out)
	}
	w.has("a 2-1", "distro-keyring 2-1")
	// The keyring of the root is what the real programs judge by.
	if out := w.mustPacman("-S", "a"); !strings.Contains(out, "reinstalling") {
		t.Errorf("pacman -S a:\n%s", out)
	}
	w.mustPacman("-U", filepath.Join(w.srv, "a-2-1-any.pkg.tar.zst"))
}

// TestDatabaseByANewKey: nothing of a repository can be trusted before its
// database is, its keyring package included. pacman fails, and so do we; the
// package alone, as a file, is the way.
func TestDatabaseByANewKey(t *testing.T) {
	w := newSignedWorld(t)
	w.conf(strings.Replace(signedConf, "DatabaseOptional", "DatabaseRequired", 1) + w.srv + "\n")
	w.sign(w.old, "core.db.tar.gz", "core.db")
	w.pkgOK("sync")
	before := w.read(w.at("var/lib/pacman/sync/core.db"))
	w.renew()
	w.sign(w.young, "core.db.tar.gz", "core.db")
	out, code := w.pkg("upgrade", "--yes")
	if code != 5 || !strings.Contains(out, w.young.Fingerprint()) || !strings.Contains(out, "a newer distro-keyring may bring the key") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if w.read(w.at("var/lib/pacman/sync/core.db")) != before {
		t.Error("the database that nobody trusts is in place")
	}
	w.must(os.Rename(w.at("var/lib/pacman/sync"), filepath.Join(w.dir, "kept"))) // pacman puts the new one in place first
	if out, err := w.pacman("-Sy"); err == nil {
		t.Errorf("pacman takes the database:\n%s", out)
	}
	w.must(os.RemoveAll(w.at("var/lib/pacman/sync")))
	w.must(os.Rename(filepath.Join(w.dir, "kept"), w.at("var/lib/pacman/sync")))
	w.pkgOK("install", "file://"+w.srv+"/distro-keyring-2-1-any.pkg.tar.zst", "--yes")
	w.pkgOK("upgrade", "--yes")
	w.has("a 2-1", "distro-keyring 2-1")
	w.mustPacman("-Sy")
}

// TestManifestOfARootUsesItsKeyring: that of the host says nothing about what
// another root trusts.
func TestManifestOfARootUsesItsKeyring(t *testing.T) {
	w := newSignedWorld(t)
	w.siglevel = "required databaseoptional"
	w.manifest(`"a", "distro-keyring"`)
	w.ok("apply", "--sync", "--yes")
	w.renew()
	out := w.ok("apply", "--sync", "--upgrade", "--yes")
	if !strings.Contains(out, "distro-keyring 2-1 vouches for a") {
		t.Errorf("it is not told:\n%s", out)
	}
	w.mustPacman("-U", filepath.Join(w.srv, "a-2-1-any.pkg.tar.zst"))
	// A key that this root's keyring has not.
	w.publish(pkg("a", "3-1"))
	w.sign(w.packager("Stranger"), "a-3-1")
	if out, code := w.run("apply", "--sync", "--upgrade", "--yes"); code != 5 || !strings.Contains(out, "unknown key") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// TestApplyMakesTheKeyringOfItsPacmanConf: what the manifest trusts, pacman on
// the machine does too; and a repository that is added later comes in.
func TestApplyMakesTheKeyringOfItsPacmanConf(t *testing.T) {
	w := &signedWorld{world: newWorld(t)}
	w.signed()
	key := func(s *keyring.Signer) string {
		var public bytes.Buffer
		w.must(s.WritePublic(&public))
		path := filepath.Join(w.dir, s.Fingerprint()+".pub")
		w.must(os.WriteFile(path, public.Bytes(), 0o644))
		return "key = \"" + path + "\"\n"
	}
	w.siglevel, w.more = "required databaseoptional", key(w.old)
	w.manifest(`"a"`)
	w.ok("apply", "--sync", "--yes")
	w.nothingToDo()
	w.conf(w.read(w.at("etc/pacman.conf")))
	w.mustPacman("-Sy", "a")

	w.publish(pkg("b", "1-1"))
	w.sign(w.young, "b-1-1")
	if out, err := w.pacman("-Sy", "b"); err == nil {
		t.Errorf("pacman takes what nobody trusted signed:\n%s", out)
	}
	w.more += "[[repository]]\nname = \"more\"\nservers = [\"file:///nowhere\"]\n" + key(w.young)
	w.manifest(`"a"`)
	w.ok("apply", "--yes")
	w.nothingToDo()
	w.mustPacman("-S", "b")
}
