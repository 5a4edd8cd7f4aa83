// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/testkit"
)

// TestPacmanKey lets pacman-key make the keyring and pacman judge the package;
// then the same with keyrings that were made here: filled as pacman-key fills
// them, and seeded, with no private key.
func TestPacmanKey(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	pacmanKey, pacman := testkit.NeedTool(t, "pacman-key"), testkit.NeedTool(t, "pacman")
	for _, maker := range []string{"pacman-key", "populate", "seed"} {
		t.Run(maker, func(t *testing.T) { pacmanJudges(t, pacmanKey, pacman, maker) })
	}
}

func pacmanJudges(t *testing.T, pacmanKey, pacman, maker string) {
	h := newHome(t, true)
	run := func(args ...string) ([]byte, error) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = h.dir
		return cmd.CombinedOutput()
	}
	must := func(args ...string) {
		t.Helper()
		if out, err := run(args...); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	known, stranger := testSigner(t), testSigner(t)
	for name, s := range map[string]*Signer{"known": known, "stranger": stranger} {
		if err := os.WriteFile(filepath.Join(h.dir, name+".asc"), publicOf(t, s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	switch maker {
	case "populate":
		files, _ := shortInit(t, h.dir)
		trusted := map[string]byte{string(known.entity.PrimaryKey.Fingerprint): ownerMarginal}
		if _, err := open(t, files).Populate([]Keyring{
			{Name: "a", Keys: binaryOf(t, known), Trusted: trusted}, {Name: "b", Keys: binaryOf(t, stranger)},
		}); err != nil {
			t.Fatal(err)
		}
	case "seed":
		seeds := Seeds{Keys: [][]byte{publicOf(t, known)}, Keyrings: []Keyring{{Name: "b", Keys: binaryOf(t, stranger)}}}
		if _, err := Seed(filesIn(t, h.dir), seeds, InitOptions{Now: time.Now, Random: rand.Reader, Bits: 2048}); err != nil {
			t.Fatal(err)
		}
	default:
		must(pacmanKey, "--gpgdir", h.dir, "--init")
		must(pacmanKey, "--gpgdir", h.dir, "-a", "known.asc", "stranger.asc")
		must(pacmanKey, "--gpgdir", h.dir, "--lsign-key", known.Fingerprint())
	}

	for dir, content := range map[string]string{"pkg/usr/x": "x", "pkg/.PKGINFO": "pkgname = foo\npkgver = 1-1\npkgdesc = x\nurl = x\nbuilddate = 1\npackager = x\nsize = 1\narch = any\n",
		"pacman.conf": "[options]\nArchitecture = auto\nLocalFileSigLevel = Required\n", "root/var/lib/pacman/x": ""} {
		path := filepath.Join(h.dir, dir)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(h.dir, "foo-1-1-any.pkg.tar")
	must("tar", "-C", filepath.Join(h.dir, "pkg"), "-cf", archive, ".PKGINFO", "usr")
	packed, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		signer *Signer
		good   bool
	}{{known, true}, {stranger, false}} {
		sig := signed(t, c.signer, packed)
		if err := os.WriteFile(archive+".sig", sig, 0o644); err != nil {
			t.Fatal(err)
		}
		out, pacmanErr := run(pacman, "--config", "pacman.conf", "--root", "root", "--dbpath", "root/var/lib/pacman", "--gpgdir", h.dir, "--noconfirm", "-Up", archive)
		_, err := h.load().Verify(bytes.NewReader(packed), sig, Level{})
		if (pacmanErr == nil) != c.good || (err == nil) != c.good {
			t.Errorf("good=%v, pacman: %v\n%s\nours: %v", c.good, pacmanErr, out, err)
		}
	}
}

func binaryOf(t *testing.T, s *Signer) []byte {
	t.Helper()
	data, err := dearmor(publicOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
