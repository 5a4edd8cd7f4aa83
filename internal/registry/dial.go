// SPDX-License-Identifier: GPL-3.0-or-later

package registry

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Scheme begins the name of an image.
const Scheme = "oci://"

// NameError is a name that is none of an image.
type NameError struct{ Name, Why string }

func (e *NameError) Error() string { return fmt.Sprintf("%q is no image: %s", e.Name, e.Why) }

// Hint shows one.
func (e *NameError) Hint() string { return "for example oci://registry.example/fleet/web:stable" }

// ExitCode is that of a command line that cannot be understood.
func (e *NameError) ExitCode() int { return 2 }

// ParseName takes oci://HOST/REPOSITORY[:TAG|@DIGEST] apart; the tag is "latest"
// where there is none.
func ParseName(name string) (registry.Reference, error) {
	rest, ok := strings.CutPrefix(name, Scheme)
	if !ok {
		return registry.Reference{}, &NameError{name, "it does not begin with " + Scheme}
	}
	ref, err := registry.ParseReference(rest)
	if err != nil {
		return ref, &NameError{name, err.Error()}
	}
	ref.Reference = cmp.Or(ref.Reference, "latest")
	return ref, nil
}

// Dial names the repository of an image; nothing is asked of it yet. plain speaks
// HTTP without TLS.
func Dial(name string, plain bool) (store Store, tag string, err error) {
	ref, err := ParseName(name)
	if err != nil {
		return nil, "", err
	}
	repo, err := remote.NewRepository(ref.Registry + "/" + ref.Repository)
	if err != nil {
		return nil, "", &NameError{name, err.Error()}
	}
	repo.PlainHTTP = plain
	client := &auth.Client{Client: retry.DefaultClient, Cache: auth.NewCache(), Header: http.Header{"User-Agent": {"rastos"}}}
	if logins, err := credentials.NewStoreFromDocker(credentials.StoreOptions{}); err == nil {
		client.Credential = credentials.Credential(logins)
	}
	repo.Client = client
	return repo, ref.Reference, nil
}
