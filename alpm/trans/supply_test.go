// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

// web serves the lab's repository and keeps what was asked for.
type web struct {
	*httptest.Server
	mu   sync.Mutex
	asks []string
}

func (l *lab) web() *web {
	w := &web{}
	files := http.FileServer(http.Dir(l.repoDir))
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.asks = append(w.asks, strings.TrimPrefix(r.URL.Path, "/"))
		w.mu.Unlock()
		files.ServeHTTP(rw, r)
	}))
	l.t.Cleanup(w.Close)
	return w
}

func (w *web) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, a := range w.asks {
		if a == name {
			n++
		}
	}
	return n
}

func TestCacheServerIsForPackagesOnly(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	cache := l.web()
	l.env = func(e *trans.Env) { e.Repos[0].CacheServers = []string{cache.URL} }
	l.run(trans.Request{Targets: []string{"a"}})
	if cache.count("a-1-1-any.pkg.tar.zst") != 1 || cache.count("core.db") != 0 {
		t.Errorf("asked %v", cache.asks)
	}
}

func TestArchivesAreFoundInEveryCache(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.sync()
	other := filepath.Join(l.dir, "other")
	must(t, os.Rename(l.repoDir, other))
	must(t, os.Mkdir(l.repoDir, 0o755))
	l.env = func(e *trans.Env) { e.Caches = []string{filepath.Join(l.dir, "none"), other} }
	plan, err := l.try(trans.Request{Targets: []string{"a"}})
	must(t, err)
	if plan.Sizes.Download != 0 {
		t.Errorf("%d bytes to download", plan.Sizes.Download)
	}
}

func TestBadArchiveOfAnotherCacheIsFetchedIntoOurs(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	other := filepath.Join(l.dir, "other")
	must(t, os.Mkdir(other, 0o755))
	bad := filepath.Join(other, "a-1-1-any.pkg.tar.zst")
	must(t, os.WriteFile(bad, []byte("bad"), 0o644))
	l.env = func(e *trans.Env) { e.Caches = []string{other} }
	l.run(trans.Request{Targets: []string{"a"}})
	if data, err := os.ReadFile(bad); err != nil || string(data) != "bad" {
		t.Errorf("the other cache was changed: %q, %v", data, err)
	}
}

func TestCorruptArchiveIsAskedAbout(t *testing.T) {
	for _, remove := range []bool{true, false} {
		l := newLab(t)
		l.publish(two()...)
		l.sync()
		bad := filepath.Join(l.dir, "cache-ours", "b-1-1-any.pkg.tar.zst")
		must(t, os.MkdirAll(filepath.Dir(bad), 0o755))
		must(t, os.WriteFile(bad, []byte("damaged"), 0o644))
		var asked []string
		l.env = func(e *trans.Env) {
			e.Corrupt = func(v *trans.VerifyError) bool { asked = append(asked, v.Path); return remove }
		}
		l.refused(trans.Request{Targets: []string{"a"}}, 5)
		if len(asked) != 1 || asked[0] != bad {
			t.Errorf("asked about %v", asked)
		}
		if _, err := os.Stat(bad); os.IsNotExist(err) != remove {
			t.Errorf("remove %v: %v", remove, err)
		}
	}
}

func TestRefreshHeedsUsageAndForce(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	w := l.web()
	use := solve.UseInstall
	l.env = func(e *trans.Env) { e.Repos[0].Servers, e.Repos[0].Usage = []string{w.URL}, use }
	refresh := func(opt trans.SyncOptions) []string {
		t.Helper()
		changed, err := trans.Refresh(context.Background(), l.environment(), opt, nil)
		must(t, err)
		return changed
	}
	if changed := refresh(trans.SyncOptions{}); len(changed) != 0 || w.count("core.db") != 0 {
		t.Errorf("a repository that is not for refreshing was: %v", changed)
	}
	use |= solve.UseSync
	for i, want := range []int{1, 0, 1} {
		if changed := refresh(trans.SyncOptions{Force: i == 2}); len(changed) != want {
			t.Errorf("refresh %d changed %v", i, changed)
		}
	}
	if changed := refresh(trans.SyncOptions{Files: true}); len(changed) != 1 {
		t.Errorf("file lists: %v", changed)
	}
	if _, err := os.Stat(filepath.Join(l.ours, "var/lib/pacman/sync/core.files")); err != nil {
		t.Error(err)
	}
}

func TestRefreshReportsEachRepository(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.env = func(e *trans.Env) {
		e.Repos = append(e.Repos, trans.Repo{Name: "gone", Servers: []string{"file://" + l.dir + "/nowhere"}})
	}
	changed, err := trans.Sync(context.Background(), l.environment(), nil)
	var of *trans.RepoError
	if !errors.As(err, &of) || of.Repo != "gone" || len(changed) != 1 {
		t.Errorf("changed %v, error %v", changed, err)
	}
}

func TestDownloadProgram(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.env = func(e *trans.Env) {
		e.Repos[0].Servers = []string{"copy:/"}
		e.Fetcher = &fetch.Fetcher{Program: &fetch.Program{
			Argv: []string{"cp", "%u", "%o"},
			Run: func(_ context.Context, _ string, argv []string) (int, error) {
				data, err := os.ReadFile(filepath.Join(l.repoDir, filepath.Base(argv[1])))
				if err != nil {
					return 1, nil
				}
				return 0, os.WriteFile(argv[2], data, 0o644)
			},
		}}
	}
	l.run(trans.Request{Targets: []string{"a"}})
}

func TestURLTargets(t *testing.T) {
	l := newLab(t)
	_, sign := l.signed(two()...)
	w := l.web()
	level := func(words string) {
		was := l.env
		l.env = func(e *trans.Env) {
			was(e)
			var err error
			e.RemoteSigLevel, err = keyring.ParseSigLevel(keyring.SigLevel{}, words)
			must(t, err)
			e.FileSigLevel = e.RemoteSigLevel
		}
	}
	level("Required")
	urls := []string{w.URL + "/a-1-1-any.pkg.tar.zst?token=x", w.URL + "/b-1-1-any.pkg.tar.zst"}
	paths, err := trans.FetchURLs(context.Background(), l.environment(), urls, nil)
	must(t, err)
	if want := filepath.Join(l.dir, "cache-ours", "a-1-1-any.pkg.tar.zst"); paths[0] != want {
		t.Errorf("got %v", paths)
	}
	l.sync()
	plan, err := l.try(trans.Request{Remote: paths})
	must(t, err)
	if !plan.Install[0].Remote || len(plan.Install) != 2 {
		t.Errorf("plan %+v", plan.Install)
	}
	before := len(w.asks)
	_, err = trans.FetchURLs(context.Background(), l.environment(), urls, nil)
	must(t, err)
	if len(w.asks) != before {
		t.Error("what the cache has was downloaded again")
	}

	must(t, os.Remove(paths[1]+".sig"))
	var bad *trans.FileError
	if _, err := trans.Prepare(context.Background(), l.environment(), trans.Request{Remote: paths}); !errors.As(err, &bad) || bad.File != paths[1] {
		t.Errorf("without a signature: %v", err)
	}
	level("Optional")
	if _, err := trans.Prepare(context.Background(), l.environment(), trans.Request{Files: paths}); err != nil {
		t.Errorf("optional: %v", err)
	}
	sign(paths[0])
	must(t, os.Rename(paths[0]+".sig", paths[1]+".sig"))
	if _, err := trans.Prepare(context.Background(), l.environment(), trans.Request{Files: paths}); !errors.As(err, &bad) || bad.File != paths[1] {
		t.Errorf("with another's signature: %v", err)
	}
}

func TestURLsThatNameNothing(t *testing.T) {
	l := newLab(t)
	for _, u := range []string{"http://host/", "http://host/..", "http://host/.hidden", "http://%zz"} {
		var bad *trans.FileError
		if _, err := trans.FetchURLs(context.Background(), l.environment(), []string{u}, nil); !errors.As(err, &bad) {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestHeldLockSpansCalls(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	held, err := trans.Acquire(context.Background(), l.environment(), nil)
	must(t, err)
	var busy *trans.LockError
	if _, err := trans.Sync(context.Background(), l.environment(), nil); !errors.As(err, &busy) {
		t.Errorf("another got in: %v", err)
	}
	l.env = func(e *trans.Env) { e.Held = held }
	l.run(trans.Request{Targets: []string{"a"}})
	path := filepath.Join(l.ours, "var/lib/pacman/db.lck")
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the lock was given back by another: %v", err)
	}
	held.Release()
	held.Release()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the lock is left: %v", err)
	}
}

func TestEventsOfARunComeInOrder(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.run(trans.Request{Targets: []string{"a"}})
	var got []string
	for _, e := range l.events {
		switch {
		case e.Kind == trans.EventCheck:
			got = append(got, e.Name)
		case e.Kind == trans.EventRetrieve, e.Kind == trans.EventStart, e.Kind == trans.EventDone:
			got = append(got, string(e.Kind))
		}
	}
	if want := "retrieve retrieve keyring integrity load files space start done"; strings.Join(got, " ") != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

func TestEveryCorruptArchiveIsAskedAbout(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.sync()
	cache := filepath.Join(l.dir, "cache-ours")
	must(t, os.MkdirAll(cache, 0o755))
	for _, name := range []string{"a-1-1-any.pkg.tar.zst", "b-1-1-any.pkg.tar.zst"} {
		must(t, os.WriteFile(filepath.Join(cache, name), []byte("damaged"), 0o644))
	}
	var asked []string
	l.env = func(e *trans.Env) {
		e.Corrupt = func(v *trans.VerifyError) bool { asked = append(asked, v.Package); return true }
	}
	err := l.refused(trans.Request{Targets: []string{"a"}}, 5)
	if strings.Join(asked, " ") != "b a" { // in the order of the plan
		t.Errorf("asked about %v", asked)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("the error is %v", err)
	}
}

// TestUnknownSignerIsNoCorruption: the archive may be right, and is kept.
func TestUnknownSignerIsNoCorruption(t *testing.T) {
	l := newLab(t)
	l.signed(two()...)
	l.sync()
	stranger := newLab(t)
	stranger.signed(two()...)
	was, other := l.env, stranger.env
	l.env = func(e *trans.Env) {
		was(e)
		var x trans.Env
		x.Repos = make([]trans.Repo, 1)
		other(&x)
		e.Keyring = x.Keyring
		e.Repos[0].SigLevel.Database.Check = keyring.Never
		e.Corrupt = func(*trans.VerifyError) bool { t.Error("it was asked about"); return true }
	}
	err := l.refused(trans.Request{Targets: []string{"a"}}, 5)
	var sig *keyring.Error
	if !errors.As(err, &sig) || sig.Reason != keyring.Unknown {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "cache-ours", "a-1-1-any.pkg.tar.zst")); err != nil {
		t.Error(err)
	}
}
