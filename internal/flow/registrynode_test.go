// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"oras.land/oras-go/v2/content/oci"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/registry"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// keyPair writes the two halves of a key.
func keyPair(t *testing.T, seed byte) (private, public string) {
	t.Helper()
	k := ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := registry.KeyText(k.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	private, public = filepath.Join(dir, "key.pem"), filepath.Join(dir, "key.pub")
	for name, text := range map[string][]byte{private: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), public: []byte(pub + "\n")} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return private, public
}

// shared gives machines one registry, a layout on the disk.
func shared(t *testing.T, boxes ...*diskBox) {
	t.Helper()
	store, err := oci.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes {
		b.Registry = func(name string, _ bool) (registry.Store, string, error) {
			ref, err := registry.ParseName(name)
			return store, ref.Reference, err
		}
	}
}

func TestNodesTravelByARegistry(t *testing.T) {
	testkit.Integration(t)
	a, b, c := newDiskBox(t), newDiskBox(t), newDiskBox(t)
	shared(t, a, b, c)
	nodes := a.grown(21, 3)
	private, public := keyPair(t, 1)
	_, stranger := keyPair(t, 2)
	const image = "oci://registry.example/fleet/web:stable"
	push := func(ref string) Pushed {
		t.Helper()
		done, err := a.PushNode(t.Context(), report.Discard{}, PushRequest{Node: ref, To: image, Key: private})
		a.check(err)
		return done
	}
	pull := func(b *diskBox, r PullRequest) (Received, error) {
		r.From = image
		return b.PullNode(t.Context(), report.Discard{}, r)
	}
	first := push("1")
	got, err := pull(b, PullRequest{Keys: []string{public}})
	b.check(err)
	b.sameNode(a, nodes[0], got.Node.Number)

	// Only what is new is moved, both ways.
	push("2")
	third := push("3")
	if third.Steps != 3 || third.Parent != 2 || third.New > 2 || third.Bytes > first.Bytes/2 {
		t.Errorf("the first push %+v, the third %+v", first, third)
	}
	if again := push("3"); !again.Had {
		t.Errorf("pushed again: %+v", again)
	}
	got, err = pull(b, PullRequest{Keys: []string{stranger, public}, Naming: Naming{Alias: "web"}})
	b.check(err)
	b.sameNode(a, nodes[2], got.Node.Number)
	if again, err := pull(b, PullRequest{Keys: []string{public}}); err != nil || !again.Had {
		t.Errorf("pulled again: %+v, %v", again, err)
	}
	list, err := b.sys.Nodes.List()
	b.check(err)
	if len(list) != 2 {
		t.Errorf("a node that only led to the last is there still: %+v", list)
	}
	// A machine that has nothing gets it too.
	got, err = pull(c, PullRequest{Keys: []string{public}})
	c.check(err)
	c.sameNode(a, nodes[2], got.Node.Number)
	b.clean()
	c.clean()

	// Back to a version that is in the chain: nothing is sent.
	if back := push("2"); back.Bytes != 0 || back.Steps != 2 {
		t.Errorf("back: %+v", back)
	}
}

func TestWhatNobodyTrustedSignedIsRefused(t *testing.T) {
	testkit.Integration(t)
	a, b := newDiskBox(t), newDiskBox(t)
	shared(t, a, b)
	a.grown(22, 1)
	private, _ := keyPair(t, 1)
	_, stranger := keyPair(t, 2)
	for name, key := range map[string]string{"signed": private, "unsigned": ""} {
		_, err := a.PushNode(t.Context(), report.Discard{}, PushRequest{Node: "1", To: "oci://h/x:" + name, Key: key, Unsigned: key == ""})
		a.check(err)
		_, err = b.PullNode(t.Context(), report.Discard{}, PullRequest{From: "oci://h/x:" + name, Keys: []string{stranger}})
		var bad *registry.VerifyError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := b.sys.Nodes.List(); err != nil || len(list) != 0 {
		t.Errorf("there is a node: %v, %v", list, err)
	}
	if _, err := b.PullNode(t.Context(), report.Discard{}, PullRequest{From: "oci://h/x:unsigned", Unsigned: true}); err != nil {
		t.Error(err)
	}
	if _, err := b.PullNode(t.Context(), report.Discard{}, PullRequest{From: "oci://h/x:absent", Unsigned: true}); err == nil {
		t.Error("an image that is not there was pulled")
	}
	if _, err := a.PushNode(t.Context(), report.Discard{}, PushRequest{Node: "1", To: "oci://h/x:y", Key: stranger}); err == nil {
		t.Error("a public key signed")
	}
}

// TestAChannelIsFollowed: the node of another machine is deployed with this
// machine's /etc and disks.
func TestAChannelIsFollowed(t *testing.T) {
	from, b := newBox(t, 0), newBox(t, 0)
	store, err := oci.New(t.TempDir())
	from.check(err)
	for _, x := range []*box{from, b} {
		x.Streams = copyStreams{}
		x.Hold = x.lock
		x.Registry = func(name string, _ bool) (registry.Store, string, error) {
			ref, err := registry.ParseName(name)
			return store, ref.Reference, err
		}
	}
	live := func() testTree {
		sys := b.system(1)
		d, err := sys.Deploys.Get(1)
		b.check(err)
		return testTree{testkit.DirFiles{Dir: sys.Deploys.EtcPath(d)}}
	}
	put(t, live(), "fstab", "UUID=of-this-machine / btrfs\n")
	put(t, live(), "hosts", "a\nb\nc\nmine\n")
	sys := from.system(1)
	n := from.node(sys, 1, "9")
	private, public := keyPair(t, 3)
	_, err = from.PushNode(t.Context(), report.Discard{}, PushRequest{Node: "2", To: "oci://h/fleet:stable", Key: private})
	from.check(err)

	r := PullRequest{From: "oci://h/fleet:stable", Keys: []string{public}}
	p, err := b.PlanUpgradeFrom(t.Context(), report.Discard{}, r)
	b.check(err)
	if p.Deploy == nil || p.Node.Identity() != n.Identity() || p.Diff.Kernel == nil || p.Diff.Kernel.To != "9" {
		t.Fatalf("%+v", p)
	}
	d, err := b.RunUpgradeFrom(t.Context(), report.Discard{}, p)
	b.check(err)
	if d.State != deploy.Armed || d.Node != p.Node.Number {
		t.Errorf("%+v", d)
	}
	b.noOrphans(b.system(1))
	etc := testTree{testkit.DirFiles{Dir: b.system(1).Deploys.EtcPath(d)}}
	for name, want := range map[string]string{"fstab": "UUID=of-this-machine / btrfs\n", "hosts": "a\nb\nc\nmine\n", "release": "9"} {
		if got, err := etc.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("/etc/%s is %q, %v", name, got, err)
		}
	}
	again, err := b.PlanUpgradeFrom(t.Context(), report.Discard{}, r)
	if err != nil || again.Deploy != nil {
		t.Errorf("followed again: %+v, %v", again, err)
	}
	if n, err := b.system(1).Nodes.Get(d.Node); err != nil || !n.Owned {
		t.Errorf("the node does not go with its deployment: %+v, %v", n, err)
	}
	_, err = b.PlanUpgradeFrom(t.Context(), report.Discard{}, PullRequest{})
	if report.Hint(err) == "" {
		t.Errorf("no channel: %v", err)
	}
}
