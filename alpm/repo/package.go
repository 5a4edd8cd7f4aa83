// SPDX-License-Identifier: GPL-3.0-or-later

package repo

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
)

// maxSignature is pacman's own bound.
const maxSignature = 16 << 10

// newEntry is a package on its way into the database.
type newEntry struct {
	p           *desc.Package
	desc, files []byte
}

func readPackages(ctx context.Context, paths []string, opt Options) ([]*newEntry, error) {
	workers := opt.Workers
	if workers <= 0 {
		workers = 2
	}
	entries := make([]*newEntry, len(paths))
	decoders := new(pkgfile.Decoders)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, path := range paths {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			e, err := readPackage(decoders, path, opt)
			entries[i] = e
			return err
		})
	}
	return entries, group.Wait()
}

// readPackage reads an archive once, for its checksums and its content.
func readPackage(decoders *pkgfile.Decoders, path string, opt Options) (*newEntry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open package: %w", err)
	}
	defer f.Close()
	sum256, sum5 := sha256.New(), md5.New()
	sums := []io.Writer{sum256}
	if !opt.NoMD5 {
		sums = append(sums, sum5)
	}
	size := &counter{}
	tee := io.TeeReader(f, io.MultiWriter(append(sums, size)...))
	p, err := decoders.ReadInfo(tee, pkgfile.Limits{})
	if err != nil {
		var e *pkgfile.Error
		if errors.As(err, &e) {
			return nil, &pkgfile.Error{Archive: path, Entry: e.Entry, Err: e.Err}
		}
		return nil, fmt.Errorf("read package %s: %w", path, err)
	}
	if _, err := io.Copy(io.Discard, tee); err != nil { // what the decoder left
		return nil, fmt.Errorf("read package %s: %w", path, err)
	}
	p.Filename, p.CompressedSize = filepath.Base(path), size.n
	p.SHA256 = sum(sum256)
	if !opt.NoMD5 {
		p.MD5 = sum(sum5)
	}
	if p.PGPSig, err = signature(path + ".sig"); err != nil {
		return nil, err
	}
	normalise(p)
	return encode(p)
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// normalise makes every run of blanks in a value one space, as repo-add does.
func normalise(p *desc.Package) {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	for _, s := range []*string{&p.Description, &p.URL, &p.Packager, &p.Arch, &p.Base} {
		*s = squeeze(*s)
	}
	for _, list := range [][]string{
		p.Licenses, p.Groups, p.Depends, p.OptDepends, p.MakeDepends, p.CheckDepends,
		p.Conflicts, p.Provides, p.Replaces, p.XData,
	} {
		for i := range list {
			list[i] = squeeze(list[i])
		}
	}
}

// signature returns the detached signature at path in base64, or nothing.
func signature(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read signature: %w", err)
	}
	switch {
	case bytes.Contains(data, []byte("BEGIN PGP SIGNATURE")):
		return "", fmt.Errorf("%s: %w: it is armored", path, ErrSignature)
	case len(data) == 0 || len(data) > maxSignature:
		return "", fmt.Errorf("%s: %w: it has %d bytes", path, ErrSignature, len(data))
	}
	return base64.StdEncoding.EncodeToString(data), nil
}

func encode(p *desc.Package) (*newEntry, error) {
	data, err := desc.EncodeSync(p)
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", p.Filename, err)
	}
	files, err := desc.EncodeFiles(&desc.Package{Files: p.Files})
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", p.Filename, err)
	}
	// repo-add writes the heading in any case, and no blank line at the end.
	if len(files) == 0 {
		files = []byte("%FILES%\n")
	} else {
		files = files[:len(files)-1]
	}
	return &newEntry{p: p, desc: data, files: files}, nil
}
