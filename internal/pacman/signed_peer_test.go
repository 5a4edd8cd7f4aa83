// SPDX-License-Identifier: GPL-3.0-or-later

package pacman_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/testkit"
)

// signers are whose key is trusted, and whose is in the keyring and is not.
type signers struct{ trusted, stranger *keyring.Signer }

// newKeyring makes a keyring that pacman takes.
func newKeyring(t *testing.T, dir string) signers {
	t.Helper()
	signer := func(name string) *keyring.Signer {
		s, err := keyring.GenerateKey(name, strings.ToLower(name)+"@example.org", epoch, rand.Reader)
		must(t, err)
		s.Now = func() time.Time { return epoch.Add(time.Hour) }
		return s
	}
	who := signers{signer("Trusted"), signer("Stranger")}
	var public, armored bytes.Buffer
	must(t, who.trusted.WritePublic(&public))
	must(t, who.stranger.WritePublic(&armored))
	block, err := armor.Decode(&armored)
	must(t, err)
	binary, err := io.ReadAll(block.Body)
	must(t, err)
	must(t, os.MkdirAll(dir, 0o755))
	files, err := fsroot.Open(dir)
	must(t, err)
	defer files.Close()
	seeds := keyring.Seeds{Keys: [][]byte{public.Bytes()}, Keyrings: []keyring.Keyring{{Name: "other", Keys: binary}}}
	_, err = keyring.Seed(files, seeds, keyring.InitOptions{Now: time.Now, Random: rand.Reader, Bits: 2048})
	must(t, err)
	return who
}

// signFile puts a signature beside a file, over what it holds and perhaps more.
func signFile(t *testing.T, s *keyring.Signer, path, more string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	var sig bytes.Buffer
	must(t, s.DetachSign(&sig, bytes.NewReader(append(data, more...))))
	must(t, os.WriteFile(path+".sig", sig.Bytes(), 0o644))
}

// newSigned is a world whose packages are signed by their names: in core with
// signatures beside them, in extra with those in the database. The database of
// core is signed by who is trusted, that of extra by nobody. Of packages with
// their signature in the database pacman downloads it once more, ours does not.
func newSigned(t *testing.T) (*changes, signers) {
	t.Helper()
	testkit.NeedTool(t, "gpg")
	c := newChanges(t)
	who := newKeyring(t, filepath.Join(c.dir, "gnupg"))
	sign := func(name, path string) {
		switch name {
		case "good":
			signFile(t, who.trusted, path, "")
		case "strange":
			signFile(t, who.stranger, path, "")
		case "bad":
			signFile(t, who.trusted, path, "x")
		case "garbage":
			must(t, os.WriteFile(path+".sig", []byte("no signature"), 0o644))
		}
	}
	for _, name := range []string{"core", "extra"} {
		dir := filepath.Join(c.dir, name)
		var paths []string
		for _, p := range []string{"good", "strange", "bad", "garbage", "none"} {
			if name == "extra" {
				p += "2"
			}
			r := recipe{Package: desc.Package{Name: p, Version: "1-1"}, files: map[string]string{"usr/share/" + p: p}}
			path := r.build(t, dir)
			if paths = append(paths, path); name == "extra" {
				sign(strings.TrimSuffix(p, "2"), path)
			}
		}
		db := filepath.Join(dir, name+".db.tar.gz")
		_, err := repo.Add(context.Background(), db, paths, repo.Options{})
		must(t, err)
		if name == "core" {
			for _, p := range paths {
				base, _, _ := strings.Cut(filepath.Base(p), "-")
				sign(base, p)
			}
			signFile(t, who.trusted, filepath.Join(dir, name+".db"), "")
		}
		later := time.Now().Add(time.Hour) // than what the root has, which was made just now
		must(t, os.Chtimes(db, later, later))
	}
	return c, who
}

// TestSignaturesAsPacman goes through levels and signatures.
func TestSignaturesAsPacman(t *testing.T) {
	c, _ := newSigned(t)
	time.Local = time.UTC
	plain, err := os.ReadFile(c.conf)
	must(t, err)
	for _, level := range []struct{ core, extra, local string }{
		{"Never", "Never", "Never"}, {"Optional", "Never", "Optional"}, {"PackageOptional DatabaseNever", "PackageOptional DatabaseNever", "Optional TrustAll"},
		{"Required DatabaseOptional", "PackageRequired DatabaseNever", "Required"}, {"Optional TrustAll", "Optional TrustAll", "Required TrustAll"},
		{"Required TrustAll", "PackageRequired DatabaseOptional PackageTrustAll", "Never"}, {"DatabaseRequired PackageNever", "DatabaseOptional PackageRequired", "Never"},
	} {
		text := strings.Replace(string(plain), "[core]\n", "[core]\nSigLevel = "+level.core+"\n", 1)
		text = strings.Replace(text, "[extra]\n", "[extra]\nSigLevel = "+level.extra+"\n", 1)
		// pacman fetches the signature of a URL by the level of all, not by that of URLs.
		text = strings.Replace(text, "SigLevel = Never\n", "SigLevel = "+level.local+"\n", 1)
		text = strings.Replace(text, "[core]", fmt.Sprintf("GPGDir = %s/gnupg\nLocalFileSigLevel = %s\nRemoteFileSigLevel = %[2]s\n[core]", c.dir, level.local), 1)
		must(t, os.WriteFile(c.conf, []byte(text), 0o644))
		for _, lines := range [][]string{
			{"-Sy good good2", "-Q good good2"}, {"-Sy strange", "-S strange"}, {"-Sy strange2"}, {"-Sy bad"}, {"-Sy bad2"}, {"-Sy garbage"}, {"-Sy garbage2"},
			{"-Sy none2"}, {"-Sy good strange bad"}, {"-Sw good", "-S good"},
			{"-U core/good-1-1-any.pkg.tar.zst", "-U core/strange-1-1-any.pkg.tar.zst", "-U core/bad-1-1-any.pkg.tar.zst core/none-1-1-any.pkg.tar.zst", "-U core/garbage-1-1-any.pkg.tar.zst"},
			{"-U " + c.server.URL + "/core/good-1-1-any.pkg.tar.zst", "-U " + c.server.URL + "/core/strange-1-1-any.pkg.tar.zst", "-U " + c.server.URL + "/core/bad-1-1-any.pkg.tar.zst"},
			{"-Qp core/good-1-1-any.pkg.tar.zst", "-Qip core/good-1-1-any.pkg.tar.zst core/strange-1-1-any.pkg.tar.zst core/bad-1-1-any.pkg.tar.zst core/garbage-1-1-any.pkg.tar.zst core/none-1-1-any.pkg.tar.zst"},
			{"-Syi good2", "-Sii strange2 garbage2"},
		} {
			var steps []step
			for _, line := range lines {
				steps = append(steps, step{"y\ny\ny\n", line})
			}
			if !c.both(steps...) {
				t.Errorf("with %+v", level)
			}
		}
	}
}

// TestWrongDatabasesAsPacman has a database that is signed by a stranger, or
// not as it is. pacman keeps it all the same and refuses it at each command;
// ours keeps the one before.
func TestWrongDatabasesAsPacman(t *testing.T) {
	c, who := newSigned(t)
	plain, err := os.ReadFile(c.conf)
	must(t, err)
	text := strings.Replace(string(plain), "[core]\n", "GPGDir = "+c.dir+"/gnupg\n[core]\nSigLevel = DatabaseRequired PackageNever\n", 1)
	must(t, os.WriteFile(c.conf, []byte(text), 0o644))
	for _, wrong := range []struct {
		by   *keyring.Signer
		more string
	}{{who.stranger, ""}, {who.trusted, "x"}} {
		signFile(t, wrong.by, filepath.Join(c.dir, "core/core.db"), wrong.more)
		var got [2]outcome
		for i, do := range []func(string, ...string) outcome{c.theirs, c.ours} {
			c.fresh()
			got[i] = do("y\n", "-Sy", "good")
		}
		if got[0] != got[1] {
			t.Errorf("a wrong signature of a database:\ntheirs %+v\nours   %+v", got[0], got[1])
		}
	}
}
