// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// errRestart says that what is in the partial file does not belong to the file
// of this server: fetch it from its first byte.
var errRestart = errors.New("the partial file is of another file")

// errPage is a web page in place of the file.
var errPage = errors.New("the server sent an error page instead of the file")

// errStalled is the cause with which a silent connection is cancelled.
var errStalled = errors.New("stalled")

// fromHTTP transfers the file from one server, and once more without the
// partial file if that turns out to be of another file.
func (d *download) fromHTTP(ctx context.Context, raw string) error {
	err := d.transfer(ctx, raw)
	if !errors.Is(err, errRestart) {
		return err
	}
	if err := os.Remove(d.part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return local(d.part, err)
	}
	return d.transfer(ctx, raw)
}

// transfer makes one exchange and, if it completes the file, commits it.
func (d *download) transfer(ctx context.Context, raw string) error {
	keep := d.req.SHA256 != "" || d.partURL == raw && d.validator != ""
	s, err := openSpool(d.part, keep, d.req.Size)
	if err != nil {
		return err
	}
	defer s.file.Close()
	resumed := s.size > 0
	if resumed && d.req.Exact && s.size == d.req.Size {
		return d.conclude(s, raw, time.Time{}, true)
	}

	ctx, watch := newWatchdog(ctx, d.f.stall())
	defer watch.stop()
	resp, err := d.ask(ctx, raw, s.size)
	if err != nil {
		return watch.explain(ctx, err)
	}
	defer resp.Body.Close()

	switch done, err := d.judge(resp, s); {
	case err != nil:
		return err
	case done:
		d.res.Status, d.res.URL = Unchanged, raw
		return dropSpool(s)
	}
	resumed = s.size > 0
	d.partURL, d.validator = raw, validator(resp)
	d.res.Final = resp.Request.URL.String()
	d.takeName(resp)
	if err := d.receive(resp, s, watch); err != nil {
		return d.broken(s, watch.explain(ctx, err))
	}
	return d.conclude(s, raw, lastModified(resp), resumed)
}

// ask sends the request, for the rest of the file if there is a piece of it.
func (d *download) ask(ctx context.Context, raw string, have int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", d.f.agent())
	// Package files are compressed; a transfer coding would be undone behind
	// our back and break sizes and ranges.
	req.Header.Set("Accept-Encoding", "identity")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if d.partURL == raw && d.validator != "" {
			req.Header.Set("If-Range", d.validator)
		}
	} else if d.req.IfModifiedSince {
		if info, err := os.Stat(d.res.Path); err == nil && info.Size() > 0 {
			req.Header.Set("If-Modified-Since", info.ModTime().UTC().Format(http.TimeFormat))
		}
	}
	return d.f.client().Do(req)
}

// judge decides by status and headers whether the body is (the rest of) the
// file. It empties the spool where the server starts from the first byte. done
// means that the file at Dest is to be kept.
func (d *download) judge(resp *http.Response, s *spool) (done bool, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		if s.size > 0 {
			if err := s.reset(); err != nil {
				return false, err
			}
		}
	case http.StatusPartialContent:
		start, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if s.size == 0 || !ok || start != s.size || d.req.Exact && total >= 0 && total != d.req.Size {
			return false, fmt.Errorf("%w (range %q)", errRestart, resp.Header.Get("Content-Range"))
		}
	case http.StatusNotModified:
		if !d.req.IfModifiedSince || s.size > 0 {
			return false, fmt.Errorf("answered %s to a question that had no condition", resp.Status)
		}
		return true, nil
	case http.StatusRequestedRangeNotSatisfiable:
		return false, errRestart
	default:
		return false, &StatusError{resp.StatusCode, resp.Status}
	}
	if resp.ContentLength < 0 {
		return false, nil
	}
	size := s.size + resp.ContentLength
	if d.req.Size > 0 && size > d.req.Size {
		if d.isPage(resp, nil) {
			return false, errPage
		}
		return false, errTooLarge{d.req.Size}
	}
	return false, nil
}

// receive copies the body into the spool.
func (d *download) receive(resp *http.Response, s *spool, watch *watchdog) error {
	total := d.req.Size
	if !d.req.Exact {
		total = 0
		if resp.ContentLength >= 0 {
			total = s.size + resp.ContentLength
		}
	}
	progress := d.event(Started)
	progress.URL, progress.Done, progress.Total = redact(resp.Request.URL.String()), s.size, total
	d.f.emit(progress)
	progress.Kind = Progress

	// About a hundred events a file, but not one for every small piece.
	step := max(total/100, 256<<10)
	buf := make([]byte, 128<<10)
	reported, first := s.size, s.size == 0
	for {
		n, err := resp.Body.Read(buf)
		watch.feed()
		if n > 0 {
			if first && d.isPage(resp, buf[:n]) {
				return errPage
			}
			first = false
			if _, werr := s.Write(buf[:n]); werr != nil {
				return werr
			}
			if s.size-reported >= step {
				reported, progress.Done = s.size, s.size
				d.f.emit(progress)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errTruncated, err)
		}
	}
}

// pageHead is how much of a file tells whether it is a page.
const pageHead = 512

// isPage tells an HTML page from a file by how it begins.
func (d *download) isPage(resp *http.Response, begin []byte) bool {
	if strings.HasSuffix(path.Base(d.res.Path), ".html") {
		return false
	}
	if begin == nil {
		return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
	}
	begin = bytes.ToLower(bytes.TrimLeft(begin[:min(len(begin), pageHead)], " \t\r\n\ufeff"))
	return bytes.HasPrefix(begin, []byte("<!doctype html")) || bytes.HasPrefix(begin, []byte("<html"))
}

// conclude checks the complete file and commits it. resumed says that not all
// of it came from this server now.
func (d *download) conclude(s *spool, raw string, modified time.Time, resumed bool) error {
	err := d.check(s)
	switch {
	case err == nil:
		return d.commit(s, raw, modified)
	case d.req.Exact && s.size < d.req.Size:
		return errTruncated // a server that gives no length can break off unnoticed
	}
	if cerr := dropSpool(s); cerr != nil {
		return cerr
	}
	if resumed {
		return fmt.Errorf("%w: %w", errRestart, err)
	}
	return err
}

// broken decides what happens to the spool after a transfer that failed: bytes
// that can be continued stay.
func (d *download) broken(s *spool, err error) error {
	if errors.Is(err, errTruncated) && s.size > 0 || isLocal(err) {
		return err
	}
	if derr := dropSpool(s); derr != nil {
		return derr
	}
	return err
}

func dropSpool(s *spool) error {
	s.file.Close()
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return local(s.path, err)
	}
	return nil
}

// validator returns what identifies this very content of the URL, or "". A
// weak ETag does not: equal ones may differ in bytes.
func validator(resp *http.Response) string {
	if tag := resp.Header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return resp.Header.Get("Last-Modified")
}

func lastModified(resp *http.Response) time.Time {
	t, err := http.ParseTime(resp.Header.Get("Last-Modified"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// parseContentRange reads "bytes START-END/TOTAL"; total is -1 for "*".
func parseContentRange(s string) (start, total int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, size, ok := strings.Cut(rest, "/")
	if !ok {
		return 0, 0, false
	}
	from, _, ok := strings.Cut(span, "-")
	if !ok {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(from, 10, 64)
	if err != nil || start < 0 {
		return 0, 0, false
	}
	if size == "*" {
		return start, -1, true
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return start, total, err == nil && total >= 0
}
