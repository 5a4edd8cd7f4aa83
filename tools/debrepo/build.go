// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/tools/debrepo/aptget"
	"github.com/rastos/rastos/tools/debrepo/convert"
	"github.com/rastos/rastos/tools/debrepo/pkglist"
)

// build makes or extends one repository.
type build struct {
	options
	list  *pkglist.List
	log   io.Writer
	start time.Time

	converter *convert.Converter
	signer    *keyring.Signer
	results   []*convert.Result
}

func (b *build) say(format string, args ...any) {
	fmt.Fprintf(b.log, "%6.1fs  "+format+"\n", append([]any{time.Since(b.start).Seconds()}, args...)...)
}

func (b *build) run(ctx context.Context) error {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return fmt.Errorf("make the repository's directory: %w", err)
	}
	if b.sign {
		var err error
		if b.signer, err = b.loadKey(); err == nil {
			err = b.sameKey()
		}
		if err != nil {
			return err
		}
	}
	debs, unlock, err := b.fetch(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	stamp, err := b.stamp(debs)
	if err != nil {
		return err
	}
	if b.upToDate(stamp) {
		b.say("%s is up to date", b.database())
		return nil
	}
	if err := b.prepare(); err != nil {
		return err
	}
	if err := b.convert(ctx, debs); err != nil {
		return err
	}
	if err := b.locals(); err != nil {
		return err
	}
	if err := b.publish(ctx); err != nil {
		return err
	}
	return b.finish(stamp)
}

// fetch has apt download the packages. The cache is ours until unlock.
func (b *build) fetch(ctx context.Context) (debs []aptget.Deb, unlock func(), err error) {
	if b.addsOnly() {
		return nil, func() {}, nil
	}
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make the cache: %w", err)
	}
	lock := flock.New(filepath.Join(b.cache, "debrepo.lock"))
	if _, err := lock.TryLockContext(ctx, time.Second); err != nil {
		return nil, nil, fmt.Errorf("wait for the lock %s: %w", lock.Path(), err)
	}
	apt := &aptget.Apt{Dir: filepath.Join(b.cache, "apt"), Log: b.log}
	if debs, err = apt.Fetch(ctx, b.list.Packages, b.list.Exclude, b.refresh); err != nil {
		_ = lock.Unlock()
		return nil, nil, err
	}
	b.say("%d Debian packages in %s", len(debs), apt.Dir)
	return debs, func() { _ = lock.Unlock() }, nil
}

func (b *build) prepare() error {
	var err error
	if b.converter, err = convert.New(b.out); err != nil {
		return err
	}
	b.converter.Trim, b.converter.TrimMore, b.converter.Fast = b.trim, b.list.Trim, b.level == "fast"
	if b.addsOnly() {
		return nil
	}
	return b.clear()
}

// addsOnly tells whether packages are added to what is there.
func (b *build) addsOnly() bool { return len(b.list.Packages) == 0 }

// clear empties the repository's directory, if it is one of ours.
func (b *build) clear() error {
	old, err := filepath.Glob(filepath.Join(b.out, "*.pkg.tar.zst*"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(b.stampFile()); err != nil && len(old) > 0 {
		return fmt.Errorf("%s holds packages, but not of a repository %s that this program made: give --out an empty directory", b.out, b.name)
	}
	// From here on the directory is ours, even if we are stopped.
	if err := os.WriteFile(b.stampFile(), []byte("unfinished"), 0o644); err != nil {
		return fmt.Errorf("mark the repository: %w", err)
	}
	rest, err := filepath.Glob(filepath.Join(b.out, ".package-*"))
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(old, rest, b.databaseFiles()) {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("clear the repository: %w", err)
		}
	}
	return nil
}

// convert writes a package for each of Debian's, and the package filesystem.
func (b *build) convert(ctx context.Context, debs []aptget.Deb) error {
	if len(debs) == 0 {
		return nil
	}
	sources, infos, err := b.describe(debs)
	if err != nil {
		return err
	}
	b.converter.Alternatives = convert.Alternatives(sources)
	filesystem, err := b.converter.Filesystem()
	if err != nil {
		return err
	}
	for _, weak := range convert.Settle(append(slices.Clone(infos), filesystem.Info)) {
		b.say("version dropped from the dependency %s", weak)
	}
	results, err := b.convertAll(ctx, sources, infos)
	if err != nil {
		return err
	}
	b.results = append(results, filesystem)
	return b.settleOwners(ctx, sources, infos)
}

func (b *build) describe(debs []aptget.Deb) ([]*convert.Source, []*desc.Package, error) {
	sources := make([]*convert.Source, len(debs))
	infos := make([]*desc.Package, len(debs))
	for i, d := range debs {
		var err error
		if sources[i], err = convert.ReadSource(d.Path, b.list.NameOf); err != nil {
			return nil, nil, err
		}
	}
	universe, err := convert.NewUniverse(sources)
	if err != nil {
		return nil, nil, err
	}
	for i, s := range sources {
		if infos[i], err = universe.Describe(s); err != nil {
			return nil, nil, err
		}
	}
	return sources, infos, nil
}

// convertAll converts the largest first, so that all workers end at about the
// same time.
func (b *build) convertAll(ctx context.Context, sources []*convert.Source, infos []*desc.Package) ([]*convert.Result, error) {
	size := func(i int) int64 {
		st, err := os.Stat(sources[i].Path)
		if err != nil {
			return 0
		}
		return st.Size()
	}
	order := make([]int, len(sources))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(size(j), size(i)) })
	results := make([]*convert.Result, len(sources))
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(b.jobs)
	for _, i := range order {
		workers.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				results[i], err = b.converter.Convert(sources[i], infos[i], nil)
			}
			return err
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	b.say("%d packages converted", len(results))
	return results, nil
}

// settleOwners gives each path one owner: packages that must not have one of
// theirs are converted again without it.
func (b *build) settleOwners(ctx context.Context, sources []*convert.Source, infos []*desc.Package) error {
	for i, paths := range convert.Disputes(b.results) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i >= len(sources) {
			return fmt.Errorf("the package filesystem has paths of others: %v", paths)
		}
		skip := make(map[string]bool)
		for _, d := range paths {
			b.say("%s leaves %s to %s", infos[i].Name, d.Path, d.Owner)
			skip[d.Path] = true
		}
		result, err := b.converter.Convert(sources[i], infos[i], skip)
		if err != nil {
			return err
		}
		b.results[i] = result
	}
	return nil
}

func (b *build) locals() error {
	for i := range b.list.Local {
		result, err := b.converter.Local(&b.list.Local[i])
		if err != nil {
			return err
		}
		b.results = append(b.results, result)
	}
	return nil
}
