// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"golang.org/x/sync/errgroup"
)

// Download has every archive of the plan in the cache, verified, when it
// returns nil. An archive that is there and proves right is not downloaded
// again; one that does not is. Run does the same for what is left to do.
func Download(ctx context.Context, env Env, plan *Plan, events Events) error {
	d := &downloader{env: &env, plan: plan, tell: serial(events)}
	if plan.proven == nil {
		plan.proven = proofs{}
	}
	lacks, err := d.look(ctx)
	if err != nil {
		return err
	}
	if len(lacks) > 0 {
		err = d.retrieve(ctx, lacks)
	}
	if err != nil {
		return err
	}
	for _, check := range []string{CheckKeyring, CheckIntegrity} {
		d.tell(Event{Kind: EventCheck, Name: check, Total: int64(len(plan.Install))})
	}
	return d.verifyFetched(ctx, lacks)
}

// retrieve downloads what is lacking.
func (d *downloader) retrieve(ctx context.Context, lacks []*lack) error {
	if err := os.MkdirAll(d.env.CacheDir, 0o755); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	var files, bytes int64
	for _, l := range lacks {
		if l.archive {
			files, bytes = files+1, bytes+missingBytes(d.env, l.step)
		}
	}
	if err := d.room(bytes); err != nil {
		return err
	}
	if files > 0 {
		d.tell(Event{Kind: EventRetrieve, Done: files, Total: bytes})
		defer d.tell(Event{Kind: EventRetrieve, Done: files, Total: bytes, Finished: true})
	}
	return d.fetch(ctx, lacks)
}

// room makes sure that the cache can take so many bytes.
func (d *downloader) room(bytes int64) error {
	if d.env.Space == nil {
		return nil
	}
	at, err := d.env.Space.FileSystem(d.env.CacheDir)
	if err != nil {
		return fmt.Errorf("ask for the space at %s: %w", d.env.CacheDir, err)
	}
	if need := bytes + min(at.Total/spaceFraction, maxCushion); bytes > 0 && need > at.Free {
		return &SpaceError{Path: d.env.CacheDir, Needed: need, Free: at.Free}
	}
	return nil
}

type downloader struct {
	env  *Env
	plan *Plan
	tell Events

	asking sync.Mutex // one question at a time
}

// lack is what a step needs from a mirror.
type lack struct {
	step      *Step
	archive   bool
	signature bool
	url       string // the mirror that gave the archive
	summed    bool   // the fetcher compared the archive with its sha256
}

// look verifies what the cache has and returns what it has not. Archives that
// were given as files must be right as they are.
func (d *downloader) look(ctx context.Context) ([]*lack, error) {
	todo := d.unproven()
	proofs := make([]*proof, len(todo))
	lacks := make([]*lack, len(todo))
	var count atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(d.env.workers())
	for i, st := range todo {
		g.Go(func() error {
			p, err := prove(gctx, d.env, st, false)
			if err == nil {
				proofs[i] = p
				d.verified(st, count.Add(1), len(todo))
				return nil
			}
			if lacks[i] = d.wanted(st, err); lacks[i] == nil {
				return err
			}
			return nil
		})
	}
	err := g.Wait()
	var out []*lack
	for i, st := range todo {
		if proofs[i] != nil {
			d.plan.proven[archivePath(d.env, st)] = *proofs[i]
		}
		if lacks[i] != nil {
			out = append(out, lacks[i])
		}
	}
	return out, err
}

func (d *downloader) unproven() []*Step {
	var todo []*Step
	for i := range d.plan.Install {
		st := &d.plan.Install[i]
		path := archivePath(d.env, st)
		if p, ok := d.plan.proven[path]; ok && p.holds(path) {
			continue
		}
		todo = append(todo, st)
	}
	return todo
}

func (d *downloader) verified(st *Step, done int64, total int) {
	d.tell(Event{Kind: EventVerify, Name: st.Package.Entry(), Done: done, Total: int64(total), Finished: true})
}

// wanted tells what to fetch after a failed verification; nil if fetching
// cannot help.
func (d *downloader) wanted(st *Step, err error) *lack {
	r := d.env.repo(st.Repo)
	if st.File != "" || r == nil || len(r.Servers) == 0 || d.condemned(err) {
		return nil
	}
	level := r.SigLevel.Package
	detached := level.Check != keyring.Never && st.Package.PGPSig == ""
	var sigErr *keyring.Error
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrChecksum):
		return &lack{step: st, archive: true, signature: detached}
	case errors.As(err, &sigErr) && detached:
		// Without a checksum nothing tells which of the two is wrong. In another
		// cache nothing is put beside what is there.
		elsewhere := filepath.Dir(archivePath(d.env, st)) != filepath.Clean(d.env.CacheDir)
		return &lack{step: st, archive: st.Package.SHA256 == "" || elsewhere, signature: true}
	}
	return nil
}

// condemned asks, if there is somebody to ask, whether a wrong archive is to
// be removed. Then nothing is fetched in its place.
func (d *downloader) condemned(err error) bool {
	var wrong *VerifyError
	if d.env.Corrupt == nil || !errors.As(err, &wrong) || !isCorrupt(wrong) {
		return false
	}
	d.asking.Lock()
	defer d.asking.Unlock()
	if d.env.Corrupt(wrong) {
		_ = os.Remove(wrong.Path)
		_ = os.Remove(wrong.Path + ".sig")
	}
	return true
}

// isCorrupt tells an archive that is wrong from one whose signature is not
// there yet.
func isCorrupt(wrong *VerifyError) bool {
	var sig *keyring.Error
	return !errors.As(wrong.Err, &sig) || sig.Reason != keyring.Missing
}

func (d *downloader) fetch(ctx context.Context, lacks []*lack) error {
	if err := d.fetchArchives(ctx, lacks); err != nil {
		return err
	}
	var reqs []fetch.Request
	for _, l := range lacks {
		if !l.signature {
			continue
		}
		r := d.env.repo(l.step.Repo)
		urls := d.env.urls(r, r.Servers, l.step.Package.Filename+".sig")
		if l.url != "" {
			urls = []string{l.url + ".sig"} // a mirror's own, as it is for that archive
		}
		dest := filepath.Join(d.env.CacheDir, l.step.Package.Filename+".sig")
		if err := os.Remove(dest); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("download: %w", err)
		}
		reqs = append(reqs, fetch.Request{
			URLs: urls, Dest: dest, Size: fetch.MaxSignature,
			// A missing one is told as what it is, by the verification.
			Optional: true,
		})
	}
	if len(reqs) == 0 {
		return nil
	}
	return d.env.fetcher(d.progress).Get(ctx, reqs)
}

func (d *downloader) fetchArchives(ctx context.Context, lacks []*lack) error {
	var reqs []fetch.Request
	var of []*lack
	for _, l := range lacks {
		if !l.archive {
			continue
		}
		p := l.step.Package
		dest := filepath.Join(d.env.CacheDir, p.Filename)
		if p.SHA256 == "" {
			// Only a digest lets the fetcher tell a wrong file from a right one.
			if err := os.Remove(dest); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("download: %w", err)
			}
		}
		r := d.env.repo(l.step.Repo)
		reqs = append(reqs, fetch.Request{
			CacheURLs: d.env.urls(r, r.CacheServers, p.Filename), URLs: d.env.urls(r, r.Servers, p.Filename), Dest: dest,
			SHA256: p.SHA256, Size: p.CompressedSize, Exact: p.CompressedSize > 0,
		})
		of = append(of, l)
	}
	if len(reqs) == 0 {
		return nil
	}
	results, err := d.env.fetcher(d.progress).Fetch(ctx, reqs)
	for i, res := range results {
		of[i].url, of[i].summed = res.URL, err == nil && of[i].step.Package.SHA256 != ""
	}
	return err
}

func (d *downloader) progress(ev fetch.Event) {
	e := Event{Kind: EventDownload, Name: ev.Name, Done: ev.Done, Total: ev.Total}
	switch ev.Kind {
	case fetch.Begun:
		e.Text = TextBegun
	case fetch.Retry, fetch.Banned:
		e = mirrorEvent(ev)
	case fetch.Finished:
		e.Finished, e.Text = true, ev.Status.String()
		e.Done, e.Total = max(e.Done, e.Total), max(e.Done, e.Total)
	case fetch.Failed:
		return
	}
	d.tell(e)
}

// verifyFetched is the last word on what came from a mirror.
func (d *downloader) verifyFetched(ctx context.Context, lacks []*lack) error {
	proofs := make([]*proof, len(lacks))
	var count atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(d.env.workers())
	for i, l := range lacks {
		g.Go(func() (err error) {
			if proofs[i], err = prove(gctx, d.env, l.step, l.summed); err != nil {
				return err
			}
			d.verified(l.step, count.Add(1), len(lacks))
			return nil
		})
	}
	err := g.Wait()
	for i, l := range lacks {
		if proofs[i] != nil {
			d.plan.proven[archivePath(d.env, l.step)] = *proofs[i]
		}
	}
	return err
}
