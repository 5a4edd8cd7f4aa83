// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/host/fsroot"
)

// keyLab is a root with the package distro-keyring 1, whose keyring file lists
// the key of one packager, and a pacman home that was filled from it.
type keyLab struct {
	*lab
	home           string
	old, young     *keyring.Signer // who packs for the distribution
	leaver         *keyring.Signer // who does so no more by the newer keyring
	stranger       *keyring.Signer
	keys, trusted  string // the newer keyring: with the young one's key
	keyringPackage spec
}

func newKeyLab(t *testing.T) *keyLab {
	t.Helper()
	k := &keyLab{lab: newLab(t), home: t.TempDir(), old: packager(t, "Old"), young: packager(t, "Young"), leaver: packager(t, "Leaver"), stranger: packager(t, "Stranger")}
	files, err := fsroot.Open(k.home)
	must(t, err)
	t.Cleanup(func() { files.Close() })
	now := func() time.Time { return epoch.Add(time.Hour) }
	_, _, err = keyring.Init(files, keyring.InitOptions{Now: now, Random: rand.Reader, Bits: 2048})
	must(t, err)
	home, err := keyring.OpenHome(files, now)
	must(t, err)
	first, trusted := publicKey(t, k.old)+publicKey(t, k.leaver), k.old.Fingerprint()+":4:\n"+k.leaver.Fingerprint()+":4:\n"
	shipped, err := keyring.DecodeKeyrings(map[string][]byte{"distro.gpg": []byte(first), "distro-trusted": []byte(trusted)})
	must(t, err)
	_, err = home.Populate(shipped)
	must(t, err)
	k.keys, k.trusted = first+publicKey(t, k.young), trusted+k.young.Fingerprint()+":4:\n"
	k.publish(distroKeyring("1-1", first, trusted), spec{info: "a 1-1"}, spec{info: "b 1-1"})
	k.run(trans.Request{Targets: []string{"distro-keyring", "a", "b"}})
	k.keyringPackage = distroKeyring("2-1", k.keys, k.trusted)
	k.keyringPackage.files["usr/share/pacman/keyrings/distro-revoked"] = k.leaver.Fingerprint() + "\n"
	k.lab.env = func(e *trans.Env) {
		ring, err := keyring.Load(k.home)
		must(t, err)
		ring.Now = now
		e.Keyring, e.LearnKeys = ring, true
		e.Repos[0].SigLevel.Package = keyring.Level{} // required, trusted
	}
	return k
}

func packager(t *testing.T, name string) *keyring.Signer {
	t.Helper()
	s, err := keyring.GenerateKey(name, name+"@example.org", epoch, rand.Reader)
	must(t, err)
	s.Now = func() time.Time { return epoch.Add(time.Minute) }
	return s
}

func publicKey(t *testing.T, s *keyring.Signer) string {
	t.Helper()
	var public bytes.Buffer
	must(t, s.WritePublic(&public))
	block, err := keyring.FromKeys(&public)
	must(t, err)
	return string(block.Export())
}

func distroKeyring(version, keys, trusted string) spec {
	return spec{info: "distro-keyring " + version, files: map[string]string{
		"usr/": "", "usr/share/": "", "usr/share/pacman/": "", "usr/share/pacman/keyrings/": "",
		"usr/share/pacman/keyrings/distro.gpg": keys, "usr/share/pacman/keyrings/distro-trusted": trusted,
	}}
}

// offer publishes packages with the signatures of who packed them.
func (k *keyLab) offer(by map[string]*keyring.Signer, specs ...spec) {
	k.t.Helper()
	k.publish(specs...)
	for _, s := range specs {
		p := s.pkg(k.t)
		path := filepath.Join(k.repoDir, p.Name+"-"+p.Version+"-any.pkg.tar.zst")
		signer := by[p.Name]
		if signer == nil {
			continue
		}
		data, err := os.ReadFile(path)
		must(k.t, err)
		var sig bytes.Buffer
		must(k.t, signer.DetachSign(&sig, bytes.NewReader(data)))
		must(k.t, os.WriteFile(path+".sig", sig.Bytes(), 0o644))
	}
	k.sync()
}

// TestKeyringPackageVouchesForItsChange: what only the new keyring knows is
// installed together with it.
func TestKeyringPackageVouchesForItsChange(t *testing.T) {
	k := newKeyLab(t)
	k.offer(map[string]*keyring.Signer{"distro-keyring": k.old, "a": k.young}, k.keyringPackage, spec{info: "a 2-1"})
	k.run(trans.Request{SysUpgrade: true})
	for _, entry := range []string{"a-2-1", "distro-keyring-2-1"} {
		if _, err := os.Stat(filepath.Join(k.ours, "var/lib/pacman/local", entry)); err != nil {
			t.Error(err)
		}
	}
	ring, err := keyring.Load(k.home)
	must(t, err)
	if n := len(ring.Keys()); n != 3 { // its scriptlet is to change that, nobody else
		t.Errorf("the home has %d keys now", n)
	}
}

// TestKeyringPackageMayNotVouch lists who is refused though a keyring package
// is there, and for which reason.
func TestKeyringPackageMayNotVouch(t *testing.T) {
	k := newKeyLab(t)
	upgrade := trans.Request{SysUpgrade: true}
	first := distroKeyring("2-1", k.keys[:len(publicKey(t, k.old))], k.old.Fingerprint()+":4:\n")
	otherName := k.keyringPackage
	otherName.info = "other-keyring 2-1"
	for _, c := range []struct {
		name  string
		by    map[string]*keyring.Signer
		ring  spec
		req   trans.Request
		learn bool
		want  keyring.Reason
	}{
		{"pacman's way", map[string]*keyring.Signer{"distro-keyring": k.old, "a": k.young}, k.keyringPackage, upgrade, false, keyring.Unknown},
		{"a keyring by the one it brings", map[string]*keyring.Signer{"distro-keyring": k.young, "a": k.young}, k.keyringPackage, upgrade, true, keyring.Unknown},
		{"a keyring that nobody signed", map[string]*keyring.Signer{"a": k.young}, k.keyringPackage, upgrade, true, keyring.Unknown},
		{"a keyring without the key", map[string]*keyring.Signer{"distro-keyring": k.old, "a": k.young}, first, upgrade, true, keyring.Unknown},
		{"a package by a stranger", map[string]*keyring.Signer{"distro-keyring": k.old, "a": k.stranger}, k.keyringPackage, upgrade, true, keyring.Unknown},
		{"a keyring that was not installed", map[string]*keyring.Signer{"other-keyring": k.old, "a": k.young}, otherName,
			trans.Request{Targets: []string{"other-keyring", "a"}}, true, keyring.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, os.RemoveAll(filepath.Join(k.dir, "cache-ours")))
			k.offer(c.by, c.ring, spec{info: "a 2-1"})
			was := k.lab.env
			defer func() { k.lab.env = was }()
			k.lab.env = func(e *trans.Env) { was(e); e.LearnKeys = c.learn }
			var sig *keyring.Error
			if err := k.refused(c.req, 5); !errors.As(err, &sig) || sig.Reason != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}
