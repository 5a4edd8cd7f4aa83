// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/libalpm/libalpmtest"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

const verifyKind = "*trans.VerifyError, exit code 5"

// signed publishes with signatures of everything, which are required from now
// on, and returns how to sign a file as somebody who is not trusted.
func (w *world) signed(specs ...spec) (stranger func(path string)) {
	w.t.Helper()
	testkit.NeedTool(w.t, "gpg")
	signer := newSigner(w.t)
	var public bytes.Buffer
	must(w.t, signer.WritePublic(&public))
	ring, err := keyring.FromKeys(&public)
	must(w.t, err)
	w.env = func(e *trans.Env) {
		e.Keyring = ring
		e.Repos[0].SigLevel = keyring.SigLevel{}
		e.FileSigLevel = keyring.SigLevel{}
	}
	w.publish(specs...)
	dir := filepath.Join(w.dir, "repo")
	files, err := filepath.Glob(filepath.Join(dir, "*.pkg.tar.zst"))
	must(w.t, err)
	for _, f := range files {
		sign(w.t, signer, f)
	}
	db := filepath.Join(dir, "core.db.tar.gz")
	_, err = repo.Add(context.Background(), db, files, repo.Options{Sign: func(_ context.Context, path string) error {
		sign(w.t, signer, path)
		return nil
	}})
	must(w.t, err)
	other := newSigner(w.t)
	return func(path string) { sign(w.t, other, path) }
}

func newSigner(t testing.TB) *keyring.Signer {
	t.Helper()
	s, err := keyring.GenerateKey("Packager", "p@example.org", epoch, rand.Reader)
	must(t, err)
	return s
}

func sign(t testing.TB, s *keyring.Signer, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	var sig bytes.Buffer
	must(t, s.DetachSign(&sig, bytes.NewReader(data)))
	must(t, os.WriteFile(path+".sig", sig.Bytes(), 0o644))
}

func TestContractSignatures(t *testing.T) {
	w := newWorld(t)
	w.signed(spec{"a 1-1", one("usr/a", "a"), ""})
	w.both(trans.Request{Targets: []string{"a"}})
	w.holds("usr/a", "a")
}

func TestContractDatabaseOfAStranger(t *testing.T) {
	w := newWorld(t)
	stranger := w.signed(spec{"a 1-1", nil, ""})
	stranger(filepath.Join(w.dir, "repo/core.db"))
	w.bothRefuse(trans.Request{Targets: []string{"a"}}, verifyKind)
	must(t, os.Remove(filepath.Join(w.dir, "repo/core.db.sig")))
	w.bothRefuse(trans.Request{Targets: []string{"a"}}, verifyKind)
}

func TestContractPackageWithoutSignature(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", one("usr/a", "a"), ""})
	file := spec{"b 1-1", nil, ""}.build(t, w.dir)
	w.env = func(e *trans.Env) {
		e.Repos[0].SigLevel.Package = keyring.Level{}
		e.FileSigLevel = keyring.SigLevel{}
	}
	w.bothRefuse(trans.Request{Targets: []string{"a"}}, verifyKind)
	w.bothRefuse(trans.Request{Files: []string{file}}, verifyKind)
}

func TestContractDamagedArchive(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", one("usr/a", "a"), ""})
	path := filepath.Join(w.dir, "repo/a-1-1-any.pkg.tar.zst")
	data, err := os.ReadFile(path)
	must(t, err)
	data[len(data)/2] ^= 1
	must(t, os.WriteFile(path, data, 0o644))
	w.bothEndWith(5)
}

// bothEndWith is for failures that the two notice in different places.
func (w *world) bothEndWith(code int) {
	w.t.Helper()
	for i, e := range []libalpmtest.PackageEngine{w.native, w.library} {
		o := libalpmtest.Do(context.Background(), e, w.environment(w.roots()[i]), trans.Request{Targets: []string{"a"}})
		var coded interface{ ExitCode() int }
		if !errors.As(o.Err, &coded) || coded.ExitCode() != code {
			w.t.Errorf("engine %d: %v", i, o.Err)
		}
	}
	w.compareTrees()
}

func TestContractWhatIsNotOnTheMirror(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", nil, ""})
	must(t, os.Remove(filepath.Join(w.dir, "repo/a-1-1-any.pkg.tar.zst")))
	w.bothEndWith(6)
}

func TestContractNoDatabase(t *testing.T) {
	w := newWorld(t)
	for i, e := range []libalpmtest.PackageEngine{w.native, w.library} {
		_, err := e.Prepare(context.Background(), w.environment(w.roots()[i]), trans.Request{Targets: []string{"a"}})
		if !errors.Is(err, trans.ErrNoDatabase) {
			t.Errorf("engine %d: %v", i, err)
		}
	}
	w.compareTrees()
}

func TestContractLock(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", nil, ""})
	for i, e := range []libalpmtest.PackageEngine{w.native, w.library} {
		env := w.environment(w.roots()[i])
		must(t, os.WriteFile(filepath.Join(env.DBPath, "db.lck"), nil, 0o644)) // pacman's
		var locked *trans.LockError
		if _, err := e.Sync(context.Background(), env, nil); !errors.As(err, &locked) {
			t.Errorf("engine %d: %v", i, err)
		}
		must(t, os.Remove(filepath.Join(env.DBPath, "db.lck")))
		held, err := trans.Acquire(context.Background(), env, nil)
		must(t, err)
		env.Held = held
		o := libalpmtest.Do(context.Background(), e, env, trans.Request{Targets: []string{"a"}})
		must(t, o.Err)
		held.Release()
	}
	w.compareTrees()
}

func TestContractStalePlan(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", nil, ""})
	for i, e := range []libalpmtest.PackageEngine{w.native, w.library} {
		ctx, env := context.Background(), w.environment(w.roots()[i])
		_, err := e.Sync(ctx, env, nil)
		must(t, err)
		plan, err := e.Prepare(ctx, env, trans.Request{Targets: []string{"a"}})
		must(t, err)
		must(t, e.Run(ctx, env, plan, nil))
		var stale *trans.StaleError
		if err := e.Run(ctx, env, plan, nil); !errors.As(err, &stale) {
			t.Errorf("engine %d: %v", i, err)
		}
	}
	w.compareTrees()
}

// An interrupt in the middle lets the package at hand be finished.
func TestContractInterrupt(t *testing.T) {
	w := newWorld(t)
	chain := func(v string) []spec {
		return []spec{system(t), {"a " + v + " depends=system", one("usr/a", v), "post_upgrade() { sleep 1; }"},
			{"b " + v + " depends=a", one("usr/b", v), ""}}
	}
	w.publish(chain("1-1")...)
	w.both(trans.Request{Targets: []string{"b"}})
	w.publish(chain("2-1")...)
	for i, e := range []libalpmtest.PackageEngine{w.native, w.library} {
		ctx, cancel := context.WithCancel(context.Background())
		env := w.environment(w.roots()[i])
		_, err := e.Sync(ctx, env, nil)
		must(t, err)
		plan, err := e.Prepare(ctx, env, trans.Request{SysUpgrade: true})
		must(t, err)
		err = e.Run(ctx, env, plan, func(ev trans.Event) {
			if ev.Kind == trans.EventUpgrade && ev.Name == "a" {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("engine %d: %v", i, err)
		}
		cancel()
	}
	w.holds("usr/a", "2-1")
	w.holds("usr/b", "1-1")
	w.both(trans.Request{SysUpgrade: true})
	w.holds("usr/b", "2-1")
}

// One before that leaves everything as it is, at once.
func TestInterruptedDownload(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", one("usr/a", "a"), ""})
	asked := make(chan struct{}, 8)
	files := http.FileServer(http.Dir(filepath.Join(w.dir, "repo")))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if filepath.Ext(r.URL.Path) == ".zst" {
			asked <- struct{}{}
			<-r.Context().Done()
			return
		}
		files.ServeHTTP(rw, r)
	}))
	defer server.Close()
	w.env = func(e *trans.Env) { e.Repos[0].Servers = []string{server.URL} }
	env := w.environment(w.roots()[1])
	ctx, cancel := context.WithCancel(context.Background())
	_, err := w.library.Sync(ctx, env, nil)
	must(t, err)
	plan, err := w.library.Prepare(ctx, env, trans.Request{Targets: []string{"a"}})
	must(t, err)
	go func() {
		<-asked
		cancel()
	}()
	begun := time.Now()
	if err := w.library.Run(ctx, env, plan, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	w.compareTrees() // with the other root, where nothing was done
}

// The settings of downloads are the library's own, but for a program that does
// them.
func TestDownloadsByAProgram(t *testing.T) {
	w := newWorld(t)
	w.publish(spec{"a 1-1", one("usr/a", "a"), ""})
	ran := 0
	w.env = func(e *trans.Env) {
		e.Fetcher = &fetch.Fetcher{Program: &fetch.Program{
			Argv: []string{"cp", "%u", "%o"},
			Run: func(_ context.Context, _ string, argv []string) (int, error) {
				ran++
				data, err := os.ReadFile(strings.TrimPrefix(argv[1], "file://"))
				if err != nil {
					return 1, nil // what is optional, such as a signature
				}
				return 0, os.WriteFile(argv[2], data, 0o644)
			},
		}}
	}
	env := w.environment(w.roots()[1])
	must(t, libalpmtest.Do(context.Background(), w.library, env, trans.Request{Targets: []string{"a"}}).Err)
	if ran < 2 { // the database and the package
		t.Errorf("the program ran %d times", ran)
	}
}
