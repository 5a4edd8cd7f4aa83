// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxRounds is how often the list of mirrors is gone through, as long as each
// round brought the file forward.
const maxRounds = 3

// errTruncated is the end of a body before the end of the file. What came is
// kept, so the file goes on from there.
var errTruncated = errors.New("the connection broke off in the middle of the file")

// A download is one request on its way.
type download struct {
	f      *Fetcher
	req    Request
	res    *Result
	part   string
	begin  func() // tells that it begins, when its turn has come
	banned bool   // the host that just failed is left alone from now on

	// What the partial file is a piece of, for requests without a digest:
	// only this URL can continue it, and only while its validator holds.
	partURL   string
	validator string
}

func (d *download) run(ctx context.Context) error {
	if d.cached() {
		d.f.emit(d.event(Finished))
		return nil
	}
	d.begin()
	if err := os.MkdirAll(filepath.Dir(d.part), 0o755); err != nil {
		return d.fatal(err)
	}
	if d.req.SHA256 == "" {
		os.Remove(d.part) // of unknown origin: never continued
	}
	err := d.tryMirrors(ctx)
	if err == nil {
		d.f.emit(d.event(Finished))
		return nil
	}
	d.dropUseless(err)
	if ctx.Err() == nil {
		e := d.event(Failed)
		e.Err = err
		d.f.emit(e)
	}
	return err
}

// fatal makes an error of the local file system, which has no mirror to blame.
func (d *download) fatal(err error) error {
	return fmt.Errorf("download %s: %w", filepath.Base(d.res.Path), local(d.part, err))
}

// cached tells whether Dest holds the file already.
func (d *download) cached() bool {
	if d.req.SHA256 == "" {
		return false
	}
	info, err := os.Lstat(d.res.Path)
	if err != nil || !info.Mode().IsRegular() || d.req.Exact && info.Size() != d.req.Size {
		return false
	}
	sum, size, err := hashFile(d.res.Path)
	if err != nil || !strings.EqualFold(sum, d.req.SHA256) {
		return false
	}
	d.res.Status, d.res.SHA256, d.res.Size = Cached, sum, size
	return true
}

// tryMirrors asks the mirrors in order. A mirror that broke off in the middle
// is asked again after the others.
func (d *download) tryMirrors(ctx context.Context) error {
	if done, err := d.tryCaches(ctx); done || err != nil {
		return err
	}
	failed := &Error{Path: d.res.Path, Attempts: make([]Attempt, len(d.req.URLs))}
	for round := range maxRounds {
		again := false
		for i, raw := range d.req.URLs {
			if round > 0 && !errors.Is(failed.Attempts[i].Err, errTruncated) {
				continue
			}
			err := d.attempt(ctx, raw, d.req.Optional)
			if err == nil {
				return nil
			}
			if stop := d.hopeless(ctx, err); stop != nil {
				return stop
			}
			if d.req.Optional && errors.Is(err, errMissing) {
				d.res.Status, d.res.URL = Missing, raw
				os.Remove(d.part)
				return nil
			}
			if round == 0 || !errors.Is(err, errBanned) { // what got it banned says more
				failed.Attempts[i] = Attempt{URL: redact(raw), Err: err}
			}
			again = again || errors.Is(err, errTruncated)
			d.failed(raw, err)
		}
		if !again {
			break
		}
	}
	return failed
}

// tryCaches asks the cache servers. One that has not got the file is nothing
// to speak of.
func (d *download) tryCaches(ctx context.Context) (done bool, err error) {
	for _, raw := range d.req.CacheURLs {
		err := d.attempt(ctx, raw, true)
		if err == nil {
			return true, nil
		}
		if err := d.hopeless(ctx, err); err != nil {
			return false, err
		}
		if !errors.Is(err, errMissing) {
			d.failed(raw, err)
		}
	}
	return false, nil
}

// failed tells of a server that failed, and of a host that did so too often.
func (d *download) failed(raw string, err error) {
	if errors.Is(err, errBanned) {
		return // it was told when that began
	}
	d.f.emit(Event{Kind: Retry, Name: d.name(), URL: redact(raw), Err: err})
	if d.banned {
		d.banned = false
		d.f.emit(Event{Kind: Banned, Name: d.name(), URL: redact(raw), Err: err})
	}
}

// hopeless returns the error with which no other server need be asked.
func (d *download) hopeless(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("download %s: %w", filepath.Base(d.res.Path), context.Cause(ctx))
	case isLocal(err):
		return fmt.Errorf("download %s: %w", filepath.Base(d.res.Path), err)
	}
	return nil
}

// attempt asks one server and keeps the book on its host; mayLack says that
// nothing is wrong with one that has not got the file.
func (d *download) attempt(ctx context.Context, raw string, mayLack bool) error {
	if d.f.Program != nil {
		return d.fromProgram(ctx, raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("not a URL: %w", err)
	}
	if u.Scheme == "file" {
		return d.fromFile(ctx, raw, u)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("cannot download from %q: neither an http, an https nor a file URL", u.Redacted())
	}
	if d.f.table().banned(u.Host) {
		return errBanned
	}
	err = d.fromHTTP(ctx, raw)
	switch {
	case err == nil, ctx.Err() != nil, isLocal(err):
	case mayLack && errors.Is(err, errMissing):
	case isDNS(err):
		d.banned = d.f.table().hard(u.Host)
	default:
		d.banned = d.f.table().soft(u.Host)
	}
	return err
}

// commit puts the complete partial file in its place.
func (d *download) commit(s *spool, from string, modified time.Time) error {
	sum := hex.EncodeToString(s.hash.Sum(nil))
	// A database is believed next time because of its time stamp alone, so
	// neither may outlive the other in a crash. Other files are known by digest.
	if d.req.IfModifiedSince || d.req.SHA256 == "" {
		if err := s.file.Sync(); err != nil {
			return local(d.part, err)
		}
	}
	if err := s.file.Close(); err != nil {
		return local(d.part, err)
	}
	if d.req.IfModifiedSince && !modified.IsZero() {
		if err := os.Chtimes(d.part, modified, modified); err != nil {
			return local(d.part, err)
		}
	}
	if err := os.Rename(d.part, d.res.Path); err != nil {
		return local(d.res.Path, err)
	}
	d.res.Status, d.res.URL, d.res.SHA256, d.res.Size = Downloaded, from, sum, s.size
	return nil
}

// check proves that the complete file is the one asked for.
func (d *download) check(s *spool) error {
	return d.checkSum(hex.EncodeToString(s.hash.Sum(nil)), s.size)
}

func (d *download) checkSum(sum string, size int64) error {
	if d.req.Exact && size != d.req.Size {
		return &ContentError{Want: fmt.Sprintf("%d bytes", d.req.Size), Got: fmt.Sprintf("%d", size)}
	}
	if d.req.SHA256 != "" && !strings.EqualFold(sum, d.req.SHA256) {
		return &ContentError{Want: "sha256 " + strings.ToLower(d.req.SHA256), Got: sum}
	}
	return nil
}

// dropUseless removes a partial file that nothing will continue, or that takes
// the last room on a full disk.
func (d *download) dropUseless(err error) {
	info, statErr := os.Lstat(d.part)
	if statErr != nil {
		return
	}
	var full *SpaceError
	if d.req.SHA256 == "" || info.Size() == 0 || errors.As(err, &full) {
		os.Remove(d.part)
	}
}

func hashFile(path string) (sum string, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	h := sha256.New()
	if size, err = io.Copy(h, file); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}
