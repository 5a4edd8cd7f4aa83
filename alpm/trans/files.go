// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"cmp"
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
	infos  []*desc.Package // nil: it cannot be used
	path   map[*desc.Package]string
	given  map[*desc.Package]string // the path as it was given
	remote map[*desc.Package]bool
	proven proofs
	wrong  []error // by place, a *FileError each
	told   []error // what is wrong with them, and what became of them
}

// FileError is an archive, given as a file, that cannot be used.
type FileError struct {
	File string // as it was given
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

// loadFiles reads and verifies the packages given as archives. The error is
// that of ctx: what is wrong with an archive is kept with it.
func loadFiles(ctx context.Context, env *Env, req Request) (*files, error) {
	f := &files{path: map[*desc.Package]string{}, given: map[*desc.Package]string{}, remote: map[*desc.Package]bool{}, proven: proofs{}}
	for i, file := range append(append([]string(nil), req.Files...), req.Remote...) {
		info, err := f.load(ctx, env, file, i >= len(req.Files))
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			err = &FileError{File: file, Err: err}
		}
		f.infos, f.wrong = append(f.infos, info), append(f.wrong, err)
	}
	return f, nil
}

func (f *files) load(ctx context.Context, env *Env, file string, remote bool) (*desc.Package, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	st := Step{File: abs, Remote: remote, Package: &desc.Package{}}
	p, err := prove(ctx, env, &st, false)
	if err != nil {
		return nil, err
	}
	info, err := pkgfile.LoadInfo(abs)
	if err != nil {
		return nil, err
	}
	info.Files = nil // Run reads them again; a plan is to stay small
	f.path[info], f.given[info], f.remote[info], f.proven[abs] = abs, file, remote, *p
	return info, nil
}

// lost is solve.Request.Lost: it names the file of an error about a package
// that is given as one.
func (f *files) lost(tell func(error)) func(error) {
	return func(err error) {
		var dup *solve.DuplicateError
		if errors.As(err, &dup) && f.given[dup.Again] != "" {
			err = &FileError{File: f.given[dup.Again], Err: err}
		}
		var file *FileError
		if errors.As(err, &file) {
			f.told = append(f.told, err)
		}
		if tell != nil {
			tell(err)
		}
	}
}

// blame is what was wrong with files, if anything was, instead of err. It joins
// a *FileError for each.
func (f *files) blame(err error) error { return cmp.Or(errors.Join(f.told...), err) }

// FetchURLs has packages that are given as URLs in the cache, each with its
// signature as RemoteSigLevel asks, and returns where: for Request.Remote. One
// that is in a cache under the last name of its URL is not downloaded, and
// comes before the others; what two URLs end in is downloaded once.
func FetchURLs(ctx context.Context, env Env, urls []string, events Events) ([]string, error) {
	paths, reqs, of, err := lookForURLs(&env, urls)
	if err != nil || len(reqs) == 0 {
		return paths, err
	}
	if err := os.MkdirAll(env.CacheDir, 0o755); err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	d := &downloader{env: &env, tell: serial(events)}
	d.tell(Event{Kind: EventRetrieve, Done: int64(len(reqs))})
	defer d.tell(Event{Kind: EventRetrieve, Done: int64(len(reqs)), Finished: true})
	results, err := env.fetcher(d.progress).Fetch(ctx, reqs)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case results == nil:
		return nil, err
	}
	for _, at := range of {
		paths = append(paths, results[at].Path)
	}
	var sigs []fetch.Request
	for _, res := range results {
		if res.URL != "" && env.RemoteSigLevel.Package.Check != keyring.Never {
			sigs = append(sigs, fetch.Request{URLs: []string{sigURL(res)}, Dest: res.Path + ".sig", Size: fetch.MaxSignature, Optional: true})
		}
	}
	if err := errors.Join(err, env.fetcher(nil).Get(ctx, sigs)); err != nil {
		return nil, err
	}
	return paths, nil
}

// lookForURLs returns what is in the caches, what is to be downloaded, and
// which of that each of the other URLs is.
func lookForURLs(env *Env, urls []string) (cached []string, reqs []fetch.Request, of []int, err error) {
	asked := map[string]int{}
	for _, raw := range urls {
		name, err := urlName(raw)
		if err != nil {
			return nil, nil, nil, &FileError{File: raw, Err: err}
		}
		if path := env.cached(name); isRegular(path) {
			cached = append(cached, path)
			continue
		}
		at, twice := asked[name]
		if !twice {
			at = len(reqs)
			asked[name] = at
			reqs = append(reqs, fetch.Request{URLs: []string{raw}, Dest: filepath.Join(env.CacheDir, name), TakeName: true})
		}
		of = append(of, at)
	}
	return cached, reqs, of, nil
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
