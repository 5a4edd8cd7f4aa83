// SPDX-License-Identifier: GPL-3.0-or-later

// Package fetch downloads files from mirrors, in the way that package
// managers need it.
//
// Implemented: http, https and file URLs; the mirrors of each file in order;
// several files at once, largest first; partial downloads (Dest + ".part")
// that are resumed, on another mirror too; sha256 while streaming; size caps;
// If-Modified-Since; a host that keeps failing is left alone for the rest of
// the Fetcher's life; error pages are told from files; a server that stalls is
// given up.
//
// A file whose SHA256 is known is resumed on any mirror and proven afterwards;
// if the pieces turn out not to belong together, it is fetched once more from
// its first byte. A file without a known SHA256 is resumed only within one
// Get, from the same URL and under If-Range, so that two different files are
// never glued. Dest appears by rename, whole and checked, or not at all.
//
// Another program can do the transfers (XferCommand); what it brings is
// checked like everything else. Cache servers are asked before the mirrors,
// and that one lacks a file is not held against it.
//
// Not implemented: ftp and rsync (but by another program), several connections
// for one file, signatures (package keyring has those).
//
// The rules of pacman that this follows are libalpm's (dload.c) and
// pacman.conf(5); the protocol is RFC 9110 (ranges and conditions).
package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Caps for files whose size no database tells, in bytes: the ones of libalpm.
const (
	MaxSignature = 16 << 10
	MaxDatabase  = 128 << 20
)

const (
	defaultParallel = 5
	defaultStall    = 20 * time.Second
	defaultAgent    = "rastos"
)

// A Request names one file to have at Dest.
type Request struct {
	// CacheURLs are asked before the mirrors and need not have the file.
	CacheURLs []string
	// URLs are the mirrors of the file, the best one first.
	URLs []string
	// Dest is where the file goes; a relative path is below Fetcher.Dir.
	Dest string
	// SHA256 is the expected digest in hexadecimal, or empty if unknown.
	SHA256 string
	// Size is the largest size accepted, in bytes; 0 means no limit.
	Size int64
	// Exact says that the file has exactly Size bytes.
	Exact bool
	// IfModifiedSince keeps the file at Dest if no mirror that answers has a
	// newer one, and gives a new file the server's modification time.
	IfModifiedSince bool
	// Optional makes a file that no mirror has (404) no error.
	Optional bool
	// TakeName lets the server name the file (Content-Disposition, else the
	// address that it sent us on to): it then goes beside Dest under that name.
	TakeName bool
}

// partSuffix marks what is not complete yet.
const partSuffix = ".part"

// Status says how a request ended.
type Status int

// The ways in which a request can end well.
const (
	Downloaded Status = iota // fetched now
	Cached                   // Dest was there already, with the right digest
	Unchanged                // the mirror has nothing newer than Dest
	Missing                  // optional, and no mirror has it
)

func (s Status) String() string {
	return [...]string{"downloaded", "cached", "unchanged", "missing"}[s]
}

// A Result tells what became of the request at the same index.
type Result struct {
	Path   string // Dest as an absolute or Dir-joined path; with TakeName, where the file is
	Status Status
	URL    string // the mirror that answered; what belongs to the file (its signature) is best asked of the same one
	Final  string // where redirects led to from there
	SHA256 string // hexadecimal; empty if Unchanged or Missing
	Size   int64
}

// A Fetcher downloads files. Its fields are set before the first use; then it
// may be used by many goroutines. It remembers failing hosts, so one Fetcher
// should live for one run of the program.
type Fetcher struct {
	Client    *http.Client  // nil: a client with http.DefaultTransport
	Dir       string        // base of relative Dests
	Parallel  int           // files at a time; 0: 5
	Stall     time.Duration // a server silent for so long is given up; 0: 20 s; negative: never
	UserAgent string        // empty: "rastos"
	Events    func(Event)   // called by one goroutine at a time; may be nil
	Program   *Program      // does the transfers; nil: this package
	StopEarly bool          // begin no file after one has failed

	eventMu    sync.Mutex
	hostsOnce  sync.Once
	hosts      *hostTable
	clientOnce sync.Once
	made       http.Client
}

// Like is a Fetcher with the settings of f and other events, before which those
// of f are called. They share what they know of failing hosts.
func (f *Fetcher) Like(events func(Event)) *Fetcher {
	if own := f.Events; own != nil && events != nil {
		more := events
		events = func(ev Event) { own(ev); more(ev) }
	} else if own != nil {
		events = own
	}
	return &Fetcher{
		Client: f.Client, Dir: f.Dir, Parallel: f.Parallel, Stall: f.Stall, UserAgent: f.UserAgent,
		Events: events, Program: f.Program, StopEarly: f.StopEarly, hosts: f.table(),
	}
}

// table is made at the first use.
func (f *Fetcher) table() *hostTable {
	f.hostsOnce.Do(func() {
		if f.hosts == nil {
			f.hosts = &hostTable{}
		}
	})
	return f.hosts
}

// Get has every request's file at its Dest when it returns nil. It tries all
// of them even if some fail and returns all failures joined, each an *Error;
// after a cancelled context it returns that context's error, and on a full
// disk a *SpaceError at once.
func (f *Fetcher) Get(ctx context.Context, reqs []Request) error {
	_, err := f.Fetch(ctx, reqs)
	return err
}

// Fetch is Get that also tells what happened to each request. The results are
// in the order of the requests; those of failed ones have an empty URL.
func (f *Fetcher) Fetch(ctx context.Context, reqs []Request) ([]Result, error) {
	results := make([]Result, len(reqs))
	for i, r := range reqs {
		path, err := f.dest(r.Dest)
		if err != nil {
			return nil, err
		}
		results[i].Path = path
	}
	if err := checkDuplicates(reqs, results); err != nil {
		return nil, err
	}

	errs := make([]error, len(reqs))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(f.parallel())
	var failed atomic.Bool
	before := make(chan struct{}) // closed when the file before this one has begun
	close(before)
	for _, i := range largestFirst(reqs) {
		wait, begun := before, make(chan struct{})
		before = begun
		group.Go(func() error {
			tell := sync.OnceFunc(func() { close(begun) })
			defer tell()
			if gctx.Err() != nil || f.StopEarly && failed.Load() {
				return nil
			}
			d := &download{f: f, req: reqs[i], res: &results[i], part: results[i].Path + partSuffix}
			d.begin = func() {
				<-wait
				d.f.emit(d.event(Begun))
				tell()
			}
			if errs[i] = d.run(gctx); errs[i] != nil {
				failed.Store(true)
			}
			var full *SpaceError
			if errors.As(errs[i], &full) {
				return errs[i] // no other file would fit either
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return results, err
	}
	if err := ctx.Err(); err != nil {
		return results, fmt.Errorf("download: %w", context.Cause(ctx))
	}
	return results, errors.Join(errs...)
}

func (f *Fetcher) dest(name string) (string, error) {
	if filepath.IsAbs(name) {
		return filepath.Clean(name), nil
	}
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("download to %q: not a path below %s", name, f.Dir)
	}
	return filepath.Join(f.Dir, name), nil
}

// checkDuplicates refuses two requests for one Dest: they would write into the
// same partial file.
func checkDuplicates(reqs []Request, results []Result) error {
	seen := make(map[string]bool, len(reqs))
	for i := range reqs {
		if seen[results[i].Path] {
			return fmt.Errorf("download to %s: asked for twice", results[i].Path)
		}
		seen[results[i].Path] = true
	}
	return nil
}

// largestFirst orders requests so that no long download is left over for the
// end, when nothing runs beside it any more.
func largestFirst(reqs []Request) []int {
	order := make([]int, len(reqs))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return reqs[order[a]].Size > reqs[order[b]].Size })
	return order
}

func (f *Fetcher) parallel() int {
	if f.Parallel > 0 {
		return f.Parallel
	}
	return defaultParallel
}

func (f *Fetcher) stall() time.Duration {
	if f.Stall != 0 {
		return f.Stall
	}
	return defaultStall
}

func (f *Fetcher) agent() string {
	if f.UserAgent != "" {
		return f.UserAgent
	}
	return defaultAgent
}

// client returns the client to use, made once so that connections are kept. One
// without a redirect policy gets ours: an https mirror must not send us on to
// plain http.
func (f *Fetcher) client() *http.Client {
	f.clientOnce.Do(func() {
		if f.Client != nil {
			f.made = *f.Client
		} else if transport, ok := http.DefaultTransport.(*http.Transport); ok {
			transport = transport.Clone()
			transport.MaxIdleConnsPerHost = f.parallel() // or all but two are made anew for each file
			f.made.Transport = transport
		}
		if f.made.CheckRedirect == nil {
			f.made.CheckRedirect = checkRedirect
		}
	})
	return &f.made
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("the server sends us from https to %s", req.URL.Scheme)
	}
	return nil
}
