// SPDX-License-Identifier: GPL-3.0-or-later

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// The media types of an image.
const (
	TypeImage  = "application/vnd.rastos.node.v1"
	TypeConfig = "application/vnd.rastos.node.config.v1+json"
	TypeLayer  = "application/vnd.rastos.node.stream.v1+zstd"
)

// Store is a repository of a registry.
type Store = oras.GraphTarget

// Step is one node of a chain.
type Step struct {
	ID     string          `json:"id"`               // identity of the node
	Parent string          `json:"parent,omitempty"` // of the step before; "": the stream is whole
	Node   json.RawMessage `json:"node"`             // its node.json
	Layers int             `json:"layers"`           // how many of the image's are its stream, in order
	Size   int64           `json:"size"`             // bytes of the stream
	Digest digest.Digest   `json:"digest"`           // of the stream
}

// Config is what the image's config says.
type Config struct {
	Steps []Step `json:"steps"`
}

// Image is a chain of nodes in a repository.
type Image struct {
	Config
	Descriptor ocispec.Descriptor // of its manifest
	layers     []ocispec.Descriptor
}

// Last is the node that the image stands for.
func (i *Image) Last() Step { return i.Steps[len(i.Steps)-1] }

// of returns the layers of a step.
func (i *Image) of(step int) []ocispec.Descriptor {
	from := 0
	for _, s := range i.Steps[:step] {
		from += s.Layers
	}
	return i.layers[from : from+i.Steps[step].Layers]
}

// Packed is how many bytes a step is on its way.
func (i *Image) Packed(step int) (n int64) {
	for _, l := range i.of(step) {
		n += l.Size
	}
	return n
}

// VerifyError says that something is not what it should be.
type VerifyError struct{ What, Advice string }

func (e *VerifyError) Error() string { return e.What }

// Hint says what to do.
func (e *VerifyError) Hint() string { return e.Advice }

// ExitCode is that of what could not be verified.
func (e *VerifyError) ExitCode() int { return 5 }

// accessError is a registry that cannot be reached, or says no.
type accessError struct {
	what string
	err  error
}

func (e *accessError) Error() string { return e.what + ": " + e.err.Error() }
func (e *accessError) Unwrap() error { return e.err }
func (e *accessError) ExitCode() int { return 6 }
func (e *accessError) Hint() string {
	return "is the name right, and may this machine read it? Logins are those of ~/.docker/config.json"
}

func access(what string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &accessError{what, err}
}

// maxDocument bounds what a registry makes us hold of JSON.
const maxDocument = 4 << 20

// Load reads the image of a tag or a digest; nil: there is none.
func Load(ctx context.Context, store Store, tag string) (*Image, error) {
	desc, err := store.Resolve(ctx, tag)
	if errors.Is(err, errdef.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, access("look up "+tag, err)
	}
	var m ocispec.Manifest
	if err := fetchJSON(ctx, store, desc, &m); err != nil {
		return nil, err
	}
	if m.ArtifactType != TypeImage || m.Config.MediaType != TypeConfig {
		return nil, &VerifyError{fmt.Sprintf("%s is no image of a rastOS node", tag), "`rastos snapshot push` makes one"}
	}
	i := &Image{Descriptor: desc, layers: m.Layers}
	if err := fetchJSON(ctx, store, m.Config, &i.Config); err != nil {
		return nil, err
	}
	return i, i.check()
}

// check holds that the chain is one.
func (i *Image) check() error {
	layers, parent := 0, ""
	for _, s := range i.Steps {
		if s.Parent != parent || s.ID == "" || s.Layers < 1 || s.Size < 0 || s.Digest.Validate() != nil {
			return &VerifyError{What: fmt.Sprintf("the image's step %q does not follow from %q", s.ID, parent)}
		}
		layers += s.Layers
		parent = s.ID
		if layers > len(i.layers) {
			break
		}
	}
	if len(i.Steps) == 0 || layers != len(i.layers) {
		return &VerifyError{What: fmt.Sprintf("the image has %d layers, its steps name %d", len(i.layers), layers)}
	}
	for _, l := range i.layers {
		if l.MediaType != TypeLayer {
			return &VerifyError{What: fmt.Sprintf("the image has a layer of type %q", l.MediaType)}
		}
	}
	return nil
}

func fetchJSON(ctx context.Context, store Store, desc ocispec.Descriptor, into any) error {
	if desc.Size > maxDocument {
		return &VerifyError{What: fmt.Sprintf("the registry's document %s is too long", desc.Digest)}
	}
	data, err := content.FetchAll(ctx, store, desc) // it verifies size and digest
	if err != nil {
		return access("fetch "+desc.Digest.String(), err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return &VerifyError{What: fmt.Sprintf("the registry's document %s: %v", desc.Digest, err)}
	}
	return nil
}

// pushBytes puts something small into a repository, unless it is there.
func pushBytes(ctx context.Context, store Store, mediaType string, data []byte) (ocispec.Descriptor, bool, error) {
	desc := content.NewDescriptorFromBytes(mediaType, data)
	new, err := push(ctx, store, desc, data)
	return desc, new, err
}

// newManifest is a manifest with nothing but what all have.
func newManifest(artifact string, config ocispec.Descriptor, layers []ocispec.Descriptor) ocispec.Manifest {
	return ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: artifact, Config: config, Layers: layers,
	}
}
