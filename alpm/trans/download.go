// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	lacks, wrong, err := d.look(ctx)
	if err == nil && len(lacks) > 0 {
		err = d.retrieve(ctx, lacks)
	}
	if err != nil {
		return err
	}
	d.tell(Event{Kind: EventCheck, Name: CheckKeyring, Total: int64(len(plan.Install))})
	more, err := d.verifyFetched(ctx, lacks)
	if err != nil {
		return err
	}
	wrong, err = d.learn(ctx, append(wrong, more...))
	if err != nil {
		return err
	}
	if !lackKeys(wrong) {
		d.tell(Event{Kind: EventCheck, Name: CheckIntegrity, Total: int64(len(plan.Install))})
		d.condemn(wrong)
	}
	return errors.Join(wrong...)
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
		return &SpaceError{Path: d.env.CacheDir, Needed: need, Free: at.Free, Download: true}
	}
	return nil
}

type downloader struct {
	env  *Env
	plan *Plan
	tell Events
}

// lack is what a step needs from a mirror.
type lack struct {
	step      *Step
	archive   bool
	signature bool
	url       string // the mirror that gave the archive
	summed    bool   // the fetcher compared the archive with its sha256
}

// look verifies what the cache has and returns what it has not, and what is
// wrong in a way that fetching cannot help.
func (d *downloader) look(ctx context.Context) (lacks []*lack, wrong []error, err error) {
	todo := d.unproven()
	errs, err := d.prove(ctx, todo, nil)
	for i, e := range errs {
		if e == nil {
			continue
		}
		l := d.wanted(todo[i], e)
		switch {
		case l != nil:
			lacks = append(lacks, l)
		case todo[i].File == "" && errors.Is(e, fs.ErrNotExist): // see wanted
			return nil, nil, &RepoError{Repo: todo[i].Repo, Err: ErrNoServer}
		default:
			wrong = append(wrong, e)
		}
	}
	return lacks, wrong, err
}

// prove verifies archives side by side and tells what is wrong with each;
// summed says of which the checksum was just compared.
func (d *downloader) prove(ctx context.Context, steps []*Step, summed func(i int) bool) (errs []error, err error) {
	errs = make([]error, len(steps))
	proofs := make([]*proof, len(steps))
	var count atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(d.env.workers())
	for i, st := range steps {
		g.Go(func() error {
			if proofs[i], errs[i] = prove(gctx, d.env, st, summed != nil && summed(i)); errs[i] == nil {
				d.verified(st, count.Add(1), len(steps))
			}
			return context.Cause(gctx)
		})
	}
	err = g.Wait()
	for i, st := range steps {
		if proofs[i] != nil {
			d.plan.proven[archivePath(d.env, st)] = *proofs[i]
		}
	}
	return errs, err
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
	if st.File != "" || r == nil || len(r.Servers) == 0 || d.env.Corrupt != nil && isCorrupt(err) {
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

// condemn asks, if there is somebody to ask, which of the wrong archives are
// to be removed.
func (d *downloader) condemn(wrong []error) {
	for _, err := range wrong {
		var v *VerifyError
		if d.env.Corrupt == nil || !errors.As(err, &v) || !isCorrupt(err) || !d.env.Corrupt(v) {
			continue
		}
		_ = os.Remove(v.Path)
		_ = os.Remove(v.Path + ".sig")
	}
}

// isCorrupt tells an archive that is wrong from one that may be right, but
// whose signature is not there or cannot be checked.
func isCorrupt(err error) bool {
	var v *VerifyError
	var sig *keyring.Error
	if !errors.As(err, &v) {
		return false
	}
	return !errors.As(v.Err, &sig) || sig.Reason != keyring.Missing && sig.Reason != keyring.Unknown && sig.Reason != keyring.NoKeyring
}

// lackKeys tells whether the keyring lacks the key of a signer.
func lackKeys(wrong []error) bool {
	for _, err := range wrong {
		var sig *keyring.Error
		if errors.As(err, &sig) && sig.Reason == keyring.Unknown {
			return true
		}
	}
	return false
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
func (d *downloader) verifyFetched(ctx context.Context, lacks []*lack) (wrong []error, err error) {
	steps := make([]*Step, len(lacks))
	for i, l := range lacks {
		steps[i] = l.step
	}
	errs, err := d.prove(ctx, steps, func(i int) bool { return lacks[i].summed })
	for _, e := range errs {
		if e != nil {
			wrong = append(wrong, e)
		}
	}
	return wrong, err
}
