// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/pkgfile"
)

// Pin is a package of a repository, to the byte.
type Pin struct {
	Repo, Name, Version string
	Filename, SHA256    string
	Size                int64 // bytes of the archive
}

// LoadPin reads a package from its archive, as the repository's database would
// describe it: for one that the database no longer has. The archive is taken
// from the cache if it is there, else from the repository's servers, and is the
// one that the pin names when LoadPin returns. Its signature is checked when it
// is installed, as always.
func LoadPin(ctx context.Context, env Env, pin Pin, events Events) (*desc.Package, error) {
	r := env.repo(pin.Repo)
	if r == nil {
		return nil, fmt.Errorf("there is no repository %s", pin.Repo)
	}
	if err := desc.CheckFilename(pin.Filename); err != nil {
		return nil, fmt.Errorf("archive %q: %w", pin.Filename, err)
	}
	if err := os.MkdirAll(env.CacheDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the package cache: %w", err)
	}
	dest := filepath.Join(env.CacheDir, pin.Filename)
	d := &downloader{env: &env, tell: serial(events)}
	err := env.fetcher(d.progress).Get(ctx, []fetch.Request{{
		URLs: env.urls(r, r.Servers, pin.Filename), Dest: dest, SHA256: pin.SHA256, Size: pin.Size, Exact: true,
	}})
	if err != nil {
		return nil, err
	}
	p, err := pkgfile.LoadInfo(dest)
	if err != nil {
		return nil, err
	}
	if p.Name != pin.Name || p.Version != pin.Version {
		return nil, &VerifyError{Object: pin.Name + "-" + pin.Version, Path: dest, Err: fmt.Errorf("%w: it is %s", ErrMismatch, p.Entry())}
	}
	p.SHA256, p.Files, p.Backup = pin.SHA256, nil, nil
	return p, nil
}
