// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// signedBox is a box that runs a node with a keyring package, and whose /etc has
// a keyring that was filled from it. Signatures are wanted.
type signedBox struct {
	*packageBox
	old, young *keyring.Signer
}

func newSignedBox(t *testing.T) *signedBox {
	t.Helper()
	b := &signedBox{packageBox: newPackageBox(t)}
	b.Random = rand.Reader
	b.Hold = func(string) (func(), error) { return func() {}, nil }
	// Its keyrings are known by their places on the host.
	b.Tree = func(root string) (Tree, error) { return cutTree{testTree{testkit.DirFiles{Dir: root}}, b.power}, nil }
	b.old, b.young = b.packager("Old"), b.packager("Young")
	publish(t, b.repo, b.keyringPackage("1-1", b.old))
	text, err := os.ReadFile(b.manifestPath)
	b.check(err)
	declared := strings.Replace(string(text), `"tool"]`, `"tool", "distro-keyring"]`, 1)
	b.check(os.WriteFile(b.manifestPath, []byte(declared), 0o600))
	b.boot(b.firstNode())
	b.check(os.WriteFile(b.manifestPath, []byte(strings.Replace(declared, `"never"`, `"required databaseoptional"`, 1)), 0o600))

	b.gpgDir = b.home(b.booted)
	files, err := fsroot.Open(b.makeHome())
	b.check(err)
	t.Cleanup(func() { files.Close() })
	_, _, err = keyring.Init(files, keyring.InitOptions{Now: b.Now, Random: rand.Reader, Bits: 2048})
	b.check(err)
	home, err := keyring.OpenHome(files, b.Now)
	b.check(err)
	shipped, err := keyring.DecodeKeyrings(b.keyringFiles(b.old))
	b.check(err)
	_, err = home.Populate(shipped)
	b.check(err)
	return b
}

// home is the keyring in the /etc of a deployment.
func (b *signedBox) home(number int) string {
	b.t.Helper()
	d, err := b.system(b.booted).Deploys.Get(number)
	b.check(err)
	return filepath.Join(b.system(b.booted).Deploys.EtcPath(d), "pacman.d/gnupg")
}

func (b *signedBox) makeHome() string {
	b.t.Helper()
	b.check(os.MkdirAll(b.gpgDir, 0o755))
	return b.gpgDir
}

func (b *signedBox) packager(name string) *keyring.Signer {
	b.t.Helper()
	s, err := keyring.GenerateKey(name, strings.ToLower(name)+"@example.org", b.Now().Add(-2*time.Hour), rand.Reader)
	b.check(err)
	s.Now = func() time.Time { return b.Now().Add(-time.Hour) }
	return s
}

func (b *signedBox) keyringFiles(people ...*keyring.Signer) map[string][]byte {
	b.t.Helper()
	files := map[string][]byte{}
	for _, s := range people {
		var public bytes.Buffer
		b.check(s.WritePublic(&public))
		ring, err := keyring.FromKeys(&public)
		b.check(err)
		files["distro.gpg"] = append(files["distro.gpg"], ring.Export()...)
		files["distro-trusted"] = append(files["distro-trusted"], s.Fingerprint()+":4:\n"...)
	}
	return files
}

func (b *signedBox) keyringPackage(version string, people ...*keyring.Signer) string {
	b.t.Helper()
	files := map[string]string{}
	for name, data := range b.keyringFiles(people...) {
		files[path.Join(keyring.KeyringsDir, name)] = string(data)
	}
	return makePackage(b.t, b.repo, "distro-keyring", version, files, nil)
}

// offer publishes a package with the signature of who packed it.
func (b *signedBox) offer(by *keyring.Signer, archive string) {
	b.t.Helper()
	publish(b.t, b.repo, archive)
	data, err := os.ReadFile(archive)
	b.check(err)
	var sig bytes.Buffer
	b.check(by.DetachSign(&sig, bytes.NewReader(data)))
	b.check(os.WriteFile(archive+".sig", sig.Bytes(), 0o644))
}

func (b *signedBox) upgrade() (Changed, error) {
	b.t.Helper()
	w := b.world()
	p, err := b.PlanPkgUpgrade(b.t.Context(), report.Discard{}, w, UpgradeRequest{Refresh: true})
	if err != nil {
		return Changed{}, err
	}
	return b.RunChange(b.t.Context(), report.Discard{}, w, p)
}

// knows tells whether a keyring on the disk trusts a key.
func (b *signedBox) knows(home string, s *keyring.Signer) bool {
	b.t.Helper()
	ring, err := keyring.Load(home)
	b.check(err)
	ring.Now = b.Now
	for _, k := range ring.Keys() {
		if k.Fingerprint == s.Fingerprint() {
			return k.Validity == "full" && !k.Disabled
		}
	}
	return false
}

// TestKeysLearnedInANodeGetIntoTheEtcThatBoots: and into the history. The
// keyring of the running deployment stays as it is, and the next change is
// judged by what boots.
func TestKeysLearnedInANodeGetIntoTheEtcThatBoots(t *testing.T) {
	b := newSignedBox(t)
	b.offer(b.old, b.keyringPackage("2-1", b.old, b.young))
	b.offer(b.young, makePackage(t, b.repo, "tool", "2-1", nil, nil))
	done, err := b.upgrade()
	b.check(err)
	if len(done.Keys) != 1 || done.Keys[0].Package != "distro-keyring" || done.Keys[0].Keys[0].Key != b.young.Fingerprint() || strings.Join(done.Keys[0].Vouched, " ") != "tool" {
		t.Errorf("keys %+v", done.Keys)
	}
	if got := b.versions(done.Deployment.Node); got["tool"] != "2-1" {
		t.Errorf("the new node has %v", got)
	}
	if b.knows(b.gpgDir, b.young) || !b.knows(b.home(done.Deployment.Number), b.young) {
		t.Errorf("trusted by the running keyring: %v; by the one that boots: %v", b.knows(b.gpgDir, b.young), b.knows(b.home(done.Deployment.Number), b.young))
	}
	log := b.world().historyLog("")
	entries, _, err := log.Read()
	b.check(err)
	last := entries[len(entries)-1]
	if last.Result != history.Done || len(last.Keys) != 1 || last.Keys[0].Version != "2-1" || last.Keys[0].Keys[0].Fingerprint != b.young.Fingerprint() {
		t.Errorf("the history has %+v", last)
	}

	b.reboot(*done.Deployment)
	b.gpgDir = b.home(b.booted)
	b.offer(b.young, makePackage(t, b.repo, "tool", "3-1", nil, nil))
	done, err = b.upgrade()
	b.check(err)
	if len(done.Keys) != 0 || b.versions(done.Deployment.Node)["tool"] != "3-1" {
		t.Errorf("the second upgrade: %+v", done)
	}
}

// TestADeploymentAsItWasKeepsItsKeyring: and one that goes back to an older
// node forgets no key.
func TestADeploymentAsItWasKeepsItsKeyring(t *testing.T) {
	b := newSignedBox(t)
	before, err := b.system(b.booted).Deploys.Get(b.booted)
	b.check(err)
	b.offer(b.old, b.keyringPackage("2-1", b.old, b.young))
	done, err := b.upgrade()
	b.check(err)
	b.reboot(*done.Deployment)
	n, err := b.system(b.booted).Nodes.Get(before.Node)
	b.check(err)
	for _, asWas := range []int{0, before.Number} {
		d, err := b.RunDeploy(t.Context(), report.Discard{}, &DeployPlan{Node: n, From: b.booted, AsWas: asWas, Reason: "back"})
		b.check(err)
		if got, want := b.knows(b.home(d.Number), b.young), asWas == 0; got != want {
			t.Errorf("back as it was %d: the young one's key is trusted: %v", asWas, got)
		}
	}
}

// TestAnUntrustedDatabaseNamesTheKeyringPackage: it may be what is out of date.
func TestAnUntrustedDatabaseNamesTheKeyringPackage(t *testing.T) {
	b := newSignedBox(t)
	text, err := os.ReadFile(b.manifestPath)
	b.check(err)
	b.check(os.WriteFile(b.manifestPath, bytes.Replace(text, []byte("databaseoptional"), []byte("databaserequired"), 1), 0o600))
	data, err := os.ReadFile(filepath.Join(b.repo, "core.db"))
	b.check(err)
	var sig bytes.Buffer
	b.check(b.young.DetachSign(&sig, bytes.NewReader(data)))
	b.check(os.WriteFile(filepath.Join(b.repo, "core.db.sig"), sig.Bytes(), 0o644))
	b.check(os.RemoveAll(filepath.Join(b.syncDir, "core.db")))
	_, err = b.upgrade()
	var bad *keyring.Error
	var hint interface{ Hint() string }
	if !errors.As(err, &bad) || bad.Reason != keyring.Unknown || !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "a newer distro-keyring may bring the key") {
		t.Errorf("got %v (%v)", err, hint)
	}
}
