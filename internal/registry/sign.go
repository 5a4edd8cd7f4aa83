// SPDX-License-Identifier: GPL-3.0-or-later

package registry

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry"
)

// Media types of a signature.
const (
	TypeSignature     = "application/vnd.rastos.signature.v1"
	typeSignatureBlob = "application/vnd.rastos.signature.v1+json"
)

// Signature is what the layer of a signature holds.
type Signature struct {
	Key       string `json:"key"`       // the public key, as ParseKey reads it
	Signature []byte `json:"signature"` // over Message
}

// Message is what is signed: the digest of the manifest, and what the digest is.
func Message(manifest ocispec.Descriptor) []byte {
	return []byte("rastos node signature 1\n" + manifest.Digest.String() + "\n")
}

func sign(ctx context.Context, store Store, subject ocispec.Descriptor, key ed25519.PrivateKey) error {
	name, err := KeyText(key.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	text, err := json.Marshal(Signature{Key: name, Signature: ed25519.Sign(key, Message(subject))})
	if err != nil {
		return err
	}
	layer, _, err := pushBytes(ctx, store, typeSignatureBlob, text)
	if err != nil {
		return err
	}
	config, _, err := pushBytes(ctx, store, ocispec.DescriptorEmptyJSON.MediaType, ocispec.DescriptorEmptyJSON.Data)
	if err != nil {
		return err
	}
	m := newManifest(TypeSignature, config, []ocispec.Descriptor{layer})
	m.Subject = &ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	if text, err = json.Marshal(m); err != nil {
		return err
	}
	_, _, err = pushBytes(ctx, store, ocispec.MediaTypeImageManifest, text)
	return err
}

// maxSignatures bounds how many a registry makes us look at.
const maxSignatures = 64

// Verify holds that one of the keys signed the image.
func (i *Image) Verify(ctx context.Context, store Store, keys []ed25519.PublicKey) error {
	if len(keys) == 0 {
		return &VerifyError{"no key is trusted to sign nodes", "set [update] keys in the manifest, or say --key; --unsigned takes whatever comes"}
	}
	found, err := registry.Referrers(ctx, store, i.Descriptor, TypeSignature)
	if err != nil {
		return access("look for signatures", err)
	}
	others := 0
	for _, desc := range found[:min(len(found), maxSignatures)] {
		s, err := loadSignature(ctx, store, desc)
		var bad *VerifyError
		if errors.As(err, &bad) {
			continue // who may write to a registry may put anything beside an image
		}
		if err != nil {
			return err
		}
		for _, k := range keys {
			if ed25519.Verify(k, Message(i.Descriptor), s.Signature) {
				return nil
			}
		}
		others++
	}
	if others > 0 {
		return &VerifyError{fmt.Sprintf("the image is signed, and by none of the %d trusted keys", len(keys)), "do not work around it; ask who pushed it"}
	}
	return &VerifyError{"the image is not signed", "--unsigned takes it all the same: whoever may write to the registry is then root here"}
}

func loadSignature(ctx context.Context, store Store, desc ocispec.Descriptor) (s Signature, err error) {
	var m ocispec.Manifest
	if err := fetchJSON(ctx, store, desc, &m); err != nil {
		return s, err
	}
	if len(m.Layers) != 1 || m.Layers[0].MediaType != typeSignatureBlob {
		return s, &VerifyError{What: "it is no signature"}
	}
	return s, fetchJSON(ctx, store, m.Layers[0], &s)
}

var errKey = errors.New("it is no ed25519 key")

// ParseKey reads a public key: the PEM that `openssl pkey -pubout` writes, or the
// one line of base64 in it.
func ParseKey(text string) (ed25519.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der, err = block.Bytes, nil
	}
	if err != nil {
		return nil, errKey
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, errKey
	}
	return public, nil
}

// KeyText writes a public key in one line.
func KeyText(key ed25519.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return base64.StdEncoding.EncodeToString(der), err
}

// ParsePrivateKey reads what `openssl genpkey -algorithm ed25519` writes.
func ParsePrivateKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: it is no PEM", errKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errKey
	}
	return private, nil
}
