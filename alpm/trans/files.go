// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/solve"
)

// files are the packages that a request gives as archives.
type files struct {
	infos  []*desc.Package
	path   map[*desc.Package]string
	given  map[*desc.Package]string // the path as it was given
	remote map[*desc.Package]bool
	proven proofs
}

// FileError is an archive, given as a file, that cannot be used.
type FileError struct {
	File string // as it was given
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

// loadFiles reads and verifies the packages given as archives. The error joins
// a *FileError for each that cannot be used.
func loadFiles(ctx context.Context, env *Env, req Request) (*files, error) {
	f := &files{path: map[*desc.Package]string{}, given: map[*desc.Package]string{}, remote: map[*desc.Package]bool{}, proven: proofs{}}
	var errs []error
	for i, file := range append(append([]string(nil), req.Files...), req.Remote...) {
		if err := f.load(ctx, env, file, i >= len(req.Files)); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			errs = append(errs, &FileError{File: file, Err: err})
		}
	}
	return f, errors.Join(errs...)
}

func (f *files) load(ctx context.Context, env *Env, file string, remote bool) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	st := Step{File: abs, Remote: remote, Package: &desc.Package{}}
	p, err := prove(ctx, env, &st, false)
	if err != nil {
		return err
	}
	info, err := pkgfile.LoadInfo(abs)
	if err != nil {
		return err
	}
	info.Files = nil // Run reads them again; a plan is to stay small
	f.infos = append(f.infos, info)
	f.path[info], f.given[info], f.remote[info], f.proven[abs] = abs, file, remote, *p
	return nil
}

// blame names the file of an error about a package that is given as one.
func (f *files) blame(err error) error {
	var dup *solve.DuplicateError
	if errors.As(err, &dup) && f.given[dup.Again] != "" {
		return &FileError{File: f.given[dup.Again], Err: err}
	}
	return err
}

// FetchURLs has packages that are given as URLs in the cache, each with its
// signature as RemoteSigLevel asks, and returns where: for Request.Remote. One
// that is in a cache under the last name of its URL is not downloaded.
func FetchURLs(ctx context.Context, env Env, urls []string, events Events) ([]string, error) {
	paths := make([]string, len(urls))
	var reqs []fetch.Request
	var of []int
	for i, raw := range urls {
		name, err := urlName(raw)
		if err != nil {
			return nil, &FileError{File: raw, Err: err}
		}
		if paths[i] = env.cached(name); isRegular(paths[i]) {
			continue
		}
		reqs = append(reqs, fetch.Request{URLs: []string{raw}, Dest: filepath.Join(env.CacheDir, name), TakeName: true})
		of = append(of, i)
	}
	if len(reqs) == 0 {
		return paths, nil
	}
	if err := os.MkdirAll(env.CacheDir, 0o755); err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	d := &downloader{env: &env, tell: serial(events)}
	d.tell(Event{Kind: EventRetrieve, Done: int64(len(reqs))})
	defer d.tell(Event{Kind: EventRetrieve, Done: int64(len(reqs)), Finished: true})
	results, err := env.fetcher(d.progress).Fetch(ctx, reqs)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var sigs []fetch.Request
	for j, res := range results {
		paths[of[j]] = res.Path
		if res.URL != "" && env.RemoteSigLevel.Package.Check != keyring.Never {
			sigs = append(sigs, fetch.Request{URLs: []string{sigURL(res)}, Dest: res.Path + ".sig", Size: fetch.MaxSignature, Optional: true})
		}
	}
	if err := errors.Join(err, env.fetcher(nil).Get(ctx, sigs)); err != nil {
		return nil, err
	}
	return paths, nil
}

// urlName is the file name that a URL ends in.
func urlName(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("not a URL: %w", err)
	}
	name := path.Base(u.Path)
	if name == "/" || name == "." || name == ".." || strings.HasPrefix(name, ".") {
		return "", errors.New("the URL names no file")
	}
	return name, nil
}

// sigURL is where the signature of a file is: beside it, whatever the query. A
// redirect is followed only to what is called a package; a place without names
// has another for the signature.
func sigURL(res fetch.Result) string {
	raw := res.URL
	u, err := url.Parse(res.Final)
	if err == nil && strings.Contains(path.Base(u.Path), ".pkg") {
		raw = res.Final
	}
	if u, err = url.Parse(raw); err != nil {
		return raw + ".sig"
	}
	u.Path += ".sig"
	if u.RawPath != "" {
		u.RawPath += ".sig"
	}
	return u.String()
}
