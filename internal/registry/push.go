// SPDX-License-Identifier: GPL-3.0-or-later

package registry

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// segmentSize is how much of a stream one layer holds.
const segmentSize = 32 << 20

// maxSteps is how long a chain may get: each step of it is fetched and unpacked by
// a machine that has none of them.
const maxSteps = 16

// Traffic counts what a push moved.
type Traffic struct {
	Layers int   `json:"layers"` // of the image
	New    int   `json:"new"`    // that the registry did not have
	Bytes  int64 `json:"bytes"`  // of these
}

// Keep picks the steps that a new one goes on from: up to the newest one that the
// pusher has. None, where the chain grew long or large: then a whole one is due.
func (i *Image) Keep(have func(id string) bool) []Step {
	if i == nil {
		return nil
	}
	for n := len(i.Steps); n > 0; n-- {
		if !have(i.Steps[n-1].ID) {
			continue
		}
		var more int64
		for s := 1; s < n; s++ {
			more += i.Packed(s)
		}
		if n >= maxSteps || more > i.Packed(0)/2 {
			return nil
		}
		return i.Steps[:n]
	}
	return nil
}

// Push adds a step to the first steps of an image (none: it is a whole one), signs
// the image, and lets the tag lead to it. write writes the step's stream. Until the
// tag is moved, who pulls gets the image before; what a cut leaves, the registry's
// own garbage collection takes. Without write the image ends with what is kept.
func Push(ctx context.Context, store Store, tag string, old *Image, kept []Step, step Step, key ed25519.PrivateKey, write func(io.Writer) error) (*Image, Traffic, error) {
	img := &Image{Config: Config{Steps: slices.Clone(kept)}}
	for s := range kept {
		img.layers = append(img.layers, old.of(s)...)
	}
	seg := &segments{ctx: ctx, store: store, sum: digest.Canonical.Hash()}
	if write != nil {
		if err := seg.run(write); err != nil {
			return nil, seg.traffic, err
		}
		step.Layers, step.Size, step.Digest = len(seg.layers), seg.size, digest.NewDigest(digest.Canonical, seg.sum)
		img.Steps, img.layers = append(img.Steps, step), append(img.layers, seg.layers...)
	}
	seg.traffic.Layers = len(img.layers)
	return img, seg.traffic, img.publish(ctx, store, tag, key)
}

// publish pushes config, manifest and signature, and moves the tag last.
func (i *Image) publish(ctx context.Context, store Store, tag string, key ed25519.PrivateKey) error {
	config, err := json.Marshal(i.Config)
	if err != nil {
		return err
	}
	configDesc, _, err := pushBytes(ctx, store, TypeConfig, config)
	if err != nil {
		return err
	}
	text, err := json.Marshal(newManifest(TypeImage, configDesc, i.layers))
	if err != nil {
		return err
	}
	if i.Descriptor, _, err = pushBytes(ctx, store, ocispec.MediaTypeImageManifest, text); err != nil {
		return err
	}
	if key != nil {
		if err := sign(ctx, store, i.Descriptor, key); err != nil {
			return err
		}
	}
	return access("tag "+tag, store.Tag(ctx, i.Descriptor, tag))
}

// push puts a blob into a repository, unless it is there.
func push(ctx context.Context, store Store, desc ocispec.Descriptor, data []byte) (bool, error) {
	there, err := store.Exists(ctx, desc)
	if err != nil {
		return false, access("look for "+desc.Digest.String(), err)
	}
	if there {
		return false, nil
	}
	err = store.Push(ctx, desc, bytes.NewReader(data))
	if errors.Is(err, errdef.ErrAlreadyExists) {
		return false, nil // somebody was faster
	}
	return err == nil, access("push "+desc.Digest.String(), err)
}

// segments cuts a stream into layers and pushes them.
type segments struct {
	ctx     context.Context
	store   Store
	layers  []ocispec.Descriptor
	traffic Traffic
	sum     hash.Hash
	size    int64
	segment []byte
	packer  *zstd.Encoder
}

func (s *segments) run(write func(io.Writer) error) (err error) {
	// One way of packing for all: the same segment is the same layer.
	if s.packer, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1)); err != nil {
		return err
	}
	defer s.packer.Close()
	if err := write(s); err != nil {
		return err
	}
	if len(s.segment) > 0 || len(s.layers) == 0 {
		return s.flush()
	}
	return nil
}

// Write takes a part of the stream.
func (s *segments) Write(b []byte) (int, error) {
	n := len(b)
	s.sum.Write(b)
	s.size += int64(n)
	for len(b) > 0 {
		room := min(segmentSize-len(s.segment), len(b))
		s.segment, b = append(s.segment, b[:room]...), b[room:]
		if len(s.segment) == segmentSize {
			if err := s.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (s *segments) flush() error {
	packed := s.packer.EncodeAll(s.segment, nil)
	s.segment = s.segment[:0]
	desc := content.NewDescriptorFromBytes(TypeLayer, packed)
	isNew, err := push(s.ctx, s.store, desc, packed)
	if isNew {
		s.traffic.New++
		s.traffic.Bytes += desc.Size
	}
	s.layers = append(s.layers, desc)
	return err
}
