// SPDX-License-Identifier: GPL-3.0-or-later

package registry

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/content/oci"

	"github.com/rastos/rastos/internal/testkit"
)

func key(t *testing.T, seed byte) ed25519.PrivateKey {
	t.Helper()
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) []ed25519.PublicKey {
	return []ed25519.PublicKey{k.Public().(ed25519.PublicKey)}
}

func noise(seed byte, size int) []byte {
	out := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(out)
	return out
}

func writes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// contract holds for any repository.
func contract(t *testing.T, store Store) {
	ctx, k := context.Background(), key(t, 1)
	if img, err := Load(ctx, store, "stable"); err != nil || img != nil {
		t.Fatalf("an image before any was pushed: %v, %v", img, err)
	}
	base := noise(1, segmentSize+segmentSize/2)
	first, moved, err := Push(ctx, store, "stable", nil, nil, Step{ID: "one", Node: json.RawMessage(`{"number":0}`)}, k, writes(base))
	if err != nil || moved.New != 2 || moved.Layers != 2 {
		t.Fatalf("%+v, %v", moved, err)
	}
	delta := noise(2, 1<<20)
	old, err := Load(ctx, store, "stable")
	if err != nil {
		t.Fatal(err)
	}
	kept := old.Keep(func(id string) bool { return id == "one" })
	second, moved, err := Push(ctx, store, "stable", old, kept, Step{ID: "two", Parent: "one", Node: json.RawMessage(`{}`)}, k, writes(delta))
	if err != nil || moved.New != 1 || moved.Layers != 3 || moved.Bytes > 2<<20 {
		t.Fatalf("the second version moved %+v, %v", moved, err)
	}
	img, err := Load(ctx, store, "stable")
	if err != nil || img.Last().ID != "two" || img.Descriptor.Digest != second.Descriptor.Digest {
		t.Fatalf("%+v, %v", img, err)
	}
	for i, want := range [][]byte{base, delta} {
		r, err := img.Open(ctx, store, i)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("step %d: %d bytes, %v", i, len(got), err)
		}
	}
	// The version before can still be had by its digest.
	if again, err := Load(ctx, store, first.Descriptor.Digest.String()); err != nil || again.Last().ID != "one" {
		t.Errorf("%+v, %v", again, err)
	}
	signatures(t, store, img)
}

func signatures(t *testing.T, store Store, img *Image) {
	t.Helper()
	ctx, k := context.Background(), key(t, 1)
	if err := img.Verify(ctx, store, append(public(key(t, 9)), public(k)...)); err != nil {
		t.Error(err)
	}
	refused := func(what string, img *Image, keys []ed25519.PublicKey) {
		t.Helper()
		err := img.Verify(ctx, store, keys)
		var bad *VerifyError
		if !errors.As(err, &bad) || bad.ExitCode() != 5 {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("no key is trusted", img, nil)
	refused("another key signed", img, public(key(t, 2)))
	unsigned, _, err := Push(ctx, store, "unsigned", nil, nil, Step{ID: "x", Node: json.RawMessage(`{}`)}, nil, writes([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	refused("unsigned", unsigned, public(k))
	// A signature of another image beside this one is none of it.
	stolen, err := json.Marshal(Signature{Signature: ed25519.Sign(k, Message(img.Descriptor))})
	if err != nil {
		t.Fatal(err)
	}
	layer, _, err := pushBytes(ctx, store, typeSignatureBlob, stolen)
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := pushBytes(ctx, store, ocispec.DescriptorEmptyJSON.MediaType, ocispec.DescriptorEmptyJSON.Data)
	if err != nil {
		t.Fatal(err)
	}
	m := newManifest(TypeSignature, config, []ocispec.Descriptor{layer})
	m.Subject = &unsigned.Descriptor
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := pushBytes(ctx, store, ocispec.MediaTypeImageManifest, text); err != nil {
		t.Fatal(err)
	}
	refused("signed with another image's signature", unsigned, public(k))
}

func TestImagesInALayout(t *testing.T) {
	store, err := oci.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	contract(t, store)
}

func TestImagesInDebiansRegistry(t *testing.T) {
	address := testkit.Registry(t)
	store, tag, err := Dial("oci://"+address+"/fleet/web:stable", true)
	if err != nil || tag != "stable" {
		t.Fatal(tag, err)
	}
	contract(t, store)
}

func TestARegistryThatIsNotThere(t *testing.T) {
	store, _, err := Dial("oci://127.0.0.1:9/fleet/web", true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Load(ctx, store, "latest"); err == nil {
		t.Error("it answers")
	}
	for _, name := range []string{"registry.example/x", "oci://", "oci://host", "oci://host/UPPER", "oci://host/x:a b"} {
		var bad *NameError
		if _, _, err := Dial(name, false); !errors.As(err, &bad) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if ref, err := ParseName("oci://host:5000/a/b"); err != nil || ref.Reference != "latest" || ref.Registry != "host:5000" {
		t.Errorf("%+v, %v", ref, err)
	}
}

func TestAChainThatGrewLongBeginsAnew(t *testing.T) {
	img := &Image{}
	for i := range maxSteps + 1 {
		img.Steps = append(img.Steps, Step{ID: fmt.Sprint(i), Layers: 1})
		img.layers = append(img.layers, ocispec.Descriptor{Size: 1})
	}
	img.layers[0].Size = 1000
	has := func(ids ...string) func(string) bool {
		return func(id string) bool {
			for _, i := range ids {
				if i == id {
					return true
				}
			}
			return false
		}
	}
	for name, c := range map[string]struct {
		have []string
		size int64
		want int
	}{
		"nothing in common": {nil, 1, 0}, "the first": {[]string{"0"}, 1, 1}, "the newest counts": {[]string{"1", "4"}, 1, 5},
		"too long": {[]string{"15"}, 1, 0}, "the steps too large": {[]string{"4"}, 600, 0},
	} {
		img.layers[2].Size = c.size
		if got := img.Keep(has(c.have...)); len(got) != c.want {
			t.Errorf("%s: %d steps are kept, want %d", name, len(got), c.want)
		}
	}
	var none *Image
	if none.Keep(has("0")) != nil {
		t.Error("no image has steps")
	}
}

func TestWhatIsNoChainIsRefused(t *testing.T) {
	ctx, store := context.Background(), memory.New()
	good, _, err := Push(ctx, store, "good", nil, nil, Step{ID: "a", Node: json.RawMessage(`{}`)}, nil, writes([]byte("a")))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(i *Image){
		"no step":             func(i *Image) { i.Steps = nil },
		"a parent":            func(i *Image) { i.Steps[0].Parent = "x" },
		"more layers":         func(i *Image) { i.Steps[0].Layers = 7 },
		"huge layers":         func(i *Image) { i.Steps[0].Layers = 1 << 62; i.Steps = append(i.Steps, i.Steps[0]) },
		"no layer":            func(i *Image) { i.Steps[0].Layers = 0 },
		"a layer of no step":  func(i *Image) { i.layers = append(i.layers, i.layers[0]) },
		"a layer of any type": func(i *Image) { i.layers[0].MediaType = "text/plain" },
		"no digest":           func(i *Image) { i.Steps[0].Digest = "sha256:x" },
	} {
		bad := &Image{Config: Config{Steps: append([]Step{}, good.Steps...)}, layers: append([]ocispec.Descriptor{}, good.layers...)}
		change(bad)
		if err := bad.publish(ctx, store, "bad", nil); err != nil {
			t.Fatal(err)
		}
		_, err := Load(ctx, store, "bad")
		var wrong *VerifyError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The stream must be what the step says, even where all layers are.
	lies := &Image{Config: Config{Steps: append([]Step{}, good.Steps...)}, layers: good.layers}
	lies.Steps[0].Size++
	r, err := lies.Open(ctx, store, 0)
	if err != nil {
		t.Fatal(err)
	}
	var wrong *VerifyError
	if _, err := io.ReadAll(r); !errors.As(err, &wrong) {
		t.Errorf("a stream of another length: %v", err)
	}
}

// TestKeysAndSignaturesAreThoseOfOpenSSL: what it makes we read, and what we sign
// it verifies.
func TestKeysAndSignaturesAreThoseOfOpenSSL(t *testing.T) {
	openssl, dir := testkit.NeedTool(t, "openssl"), t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
		return out
	}
	run("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
	run("pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
	text, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := os.ReadFile(filepath.Join(dir, "pub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ParseKey(string(pub))
	if err != nil || !theirs.Equal(k.Public()) {
		t.Errorf("the public key: %v", err)
	}
	line, err := KeyText(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseKey(line); err != nil || !again.Equal(theirs) || len(line) != 60 {
		t.Errorf("%q: %v", line, err)
	}
	msg := Message(ocispec.Descriptor{Digest: "sha256:00"})
	for name, data := range map[string][]byte{"msg": msg, "sig": ed25519.Sign(k, msg)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "msg", "-sigfile", "sig")
	run("genpkey", "-algorithm", "x25519", "-out", "other.pem")
	other, err := os.ReadFile(filepath.Join(dir, "other.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{other, pub, nil, []byte(base64.StdEncoding.EncodeToString([]byte("x")))} {
		if _, err := ParsePrivateKey(bad); err == nil {
			t.Errorf("%q is a private key", bad)
		}
	}
	if _, err := ParseKey("bm90aGluZw=="); err == nil {
		t.Error("anything is a public key")
	}
}
