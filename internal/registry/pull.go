// SPDX-License-Identifier: GPL-3.0-or-later

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// Open reads the stream of a step. Each layer is verified before a byte of it is
// handed on, and the stream as a whole before io.EOF is.
func (i *Image) Open(ctx context.Context, store Store, step int) (io.Reader, error) {
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*segmentSize))
	if err != nil {
		return nil, err
	}
	return &stepReader{ctx: ctx, store: store, step: i.Steps[step], left: i.of(step), unpack: unpack, sum: digest.Canonical.Hash()}, nil
}

type stepReader struct {
	ctx    context.Context
	store  Store
	step   Step
	left   []ocispec.Descriptor
	unpack *zstd.Decoder
	rest   *bytes.Reader
	sum    hash.Hash
	size   int64
}

func (r *stepReader) Read(b []byte) (int, error) {
	for r.rest == nil || r.rest.Len() == 0 {
		if len(r.left) == 0 {
			return 0, r.end()
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	return r.rest.Read(b)
}

func (r *stepReader) next() error {
	desc := r.left[0]
	r.left = r.left[1:]
	if desc.Size > segmentSize+segmentSize/8 {
		return &VerifyError{What: fmt.Sprintf("layer %s is too long", desc.Digest)}
	}
	packed, err := content.FetchAll(r.ctx, r.store, desc) // it verifies size and digest
	switch {
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData):
		return &VerifyError{What: fmt.Sprintf("layer %s is not what its digest says", desc.Digest)}
	case err != nil:
		return access("fetch layer "+desc.Digest.String(), err)
	}
	plain, err := r.unpack.DecodeAll(packed, nil)
	if err != nil {
		return &VerifyError{What: fmt.Sprintf("layer %s: %v", desc.Digest, err)}
	}
	r.sum.Write(plain)
	r.size += int64(len(plain))
	r.rest = bytes.NewReader(plain)
	return nil
}

func (r *stepReader) end() error {
	r.unpack.Close()
	if got := digest.NewDigest(digest.Canonical, r.sum); got != r.step.Digest || r.size != r.step.Size {
		return &VerifyError{What: fmt.Sprintf("the stream of %s is not what the image says", r.step.ID)}
	}
	return io.EOF
}
