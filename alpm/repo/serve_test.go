// SPDX-License-Identifier: GPL-3.0-or-later

package repo_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/internal/testkit"
)

// serving hands a folder out at an address of the test's own.
func serving(t *testing.T, dir string, now func() time.Time) string {
	t.Helper()
	root, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	server := httptest.NewServer(&repo.Server{Root: root, Now: now})
	t.Cleanup(server.Close)
	return server.URL
}

// ask makes one request; head are names and values of fields.
func ask(t *testing.T, method, url string, head ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	must(t, err)
	for i := 0; i < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

func TestServesRepositoriesAndNothingElse(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "core/os/.hidden"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "core/os/folder.db"), 0o755))
	for _, name := range []string{
		"core/os/core.db.tar.gz", "core/os/core.files.tar.gz", "core/os/core.db.sig", "core/os/a-1:1-1-any.pkg.tar.zst", "core/os/a-1:1-1-any.pkg.tar.zst.sig",
		"core/os/site.key", "core/os/site.key.pub", "core/os/core.db.tar.gz.old", "core/os/core.db.tar.gz.lck", "core/os/.tmp.core.db", "core/os/.hidden/x.db", "core/os/notes.txt", "core/os/x.pkg",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("this is "+name), 0o644))
	}
	must(t, os.WriteFile(filepath.Join(outside, "secret.db"), []byte("secret"), 0o644))
	must(t, os.Symlink("core.db.tar.gz", filepath.Join(dir, "core/os/core.db")))
	must(t, os.Symlink(filepath.Join(outside, "secret.db"), filepath.Join(dir, "out.db")))
	must(t, os.Symlink(outside, filepath.Join(dir, "away")))
	must(t, os.Symlink("core/os/site.key", filepath.Join(dir, "loop.db")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe.db"), 0o644))
	url := serving(t, dir, nil)
	for path, want := range map[string]int{
		"/core/os/core.db": 200, "/core/os/core.db.tar.gz": 200, "/core/os/core.files.tar.gz": 200, "/core/os/core.db.sig": 200,
		"/core/os/a-1:1-1-any.pkg.tar.zst": 200, "/core/os/a-1%3A1-1-any.pkg.tar.zst": 200, "/core/os/a-1:1-1-any.pkg.tar.zst.sig": 200,
		"/core/os/core.files": 404, "/": 404, "/core/os/": 404, "/core/os": 404, "/core/os/folder.db": 404, "/pipe.db": 404,
		"/core/os/site.key": 404, "/core/os/site.key.pub": 404, "/core/os/core.db.tar.gz.old": 404, "/core/os/core.db.tar.gz.lck": 404,
		"/core/os/.tmp.core.db": 404, "/core/os/.hidden/x.db": 404, "/core/os/notes.txt": 404, "/core/os/x.pkg": 404,
		"/out.db": 404, "/away/secret.db": 404, "/../secret.db": 404, "/core/../../secret.db": 404, "/core//os/core.db": 404,
		"/%2e%2e/secret.db": 404, "/core/os/..%2f..%2fsecret.db": 404, "/core%5c..%5csecret.db": 404, "/core/os/core.db%00": 404,
	} {
		resp, body := ask(t, http.MethodGet, url+path)
		if resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
		if want == 200 && !strings.HasPrefix(body, "this is core/os/") || want != 200 && strings.Contains(body, "secret") {
			t.Errorf("%s: %q", path, body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "PROPFIND"} {
		if resp, _ := ask(t, method, url+"/core/os/core.db"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s", method, resp.Status)
		}
	}
	if resp, body := ask(t, http.MethodHead, url+"/core/os/core.db"); resp.StatusCode != 200 || body != "" || resp.ContentLength != 30 {
		t.Errorf("HEAD: %s, %q, %d bytes", resp.Status, body, resp.ContentLength)
	}
}

func TestConditionsAndRanges(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.db")
	must(t, os.WriteFile(path, []byte("0123456789"), 0o644))
	changed := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	must(t, os.Chtimes(path, changed, changed))
	url := serving(t, dir, nil) + "/r.db"
	first, _ := ask(t, http.MethodGet, url)
	tag, when := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	if when != "Fri, 02 Jan 2026 03:04:05 GMT" || len(tag) < 5 {
		t.Fatalf("ETag %s, Last-Modified %s", tag, when)
	}
	for _, c := range []struct {
		head   []string
		status int
		body   string
	}{
		{[]string{"If-Modified-Since", when}, 304, ""},
		{[]string{"If-Modified-Since", "Fri, 02 Jan 2026 03:04:04 GMT"}, 200, "0123456789"},
		{[]string{"If-None-Match", tag}, 304, ""},
		{[]string{"If-None-Match", `"other"`, "If-Modified-Since", when}, 200, "0123456789"},
		{[]string{"Range", "bytes=4-"}, 206, "456789"},
		{[]string{"Range", "bytes=4-", "If-Range", tag}, 206, "456789"},
		{[]string{"Range", "bytes=4-", "If-Range", `"other"`}, 200, "0123456789"},
		{[]string{"Range", "bytes=99-"}, 416, ""},
	} {
		resp, body := ask(t, http.MethodGet, url, c.head...)
		if resp.StatusCode != c.status || c.status < 300 && body != c.body {
			t.Errorf("%q: %s %q", c.head, resp.Status, body)
		}
	}
}

// TestTwoVersionsInOneSecond: a client that asks by time alone gets the second.
func TestTwoVersionsInOneSecond(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.db")
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	write := func(text string, after time.Duration) {
		must(t, os.WriteFile(path+".new", []byte(text), 0o644))
		must(t, os.Chtimes(path+".new", start, start.Add(after)))
		must(t, os.Rename(path+".new", path))
	}
	var mu sync.Mutex
	now := start.Add(300 * time.Millisecond)
	url := serving(t, dir, func() time.Time { mu.Lock(); defer mu.Unlock(); return now }) + "/r.db"
	later := func(d time.Duration) { mu.Lock(); now = start.Add(d); mu.Unlock() }

	write("one", 200*time.Millisecond)
	resp, _ := ask(t, http.MethodGet, url)
	when := resp.Header.Get("Last-Modified")
	write("two", 800*time.Millisecond)
	for _, d := range []time.Duration{900 * time.Millisecond, time.Hour} {
		later(d)
		again, body := ask(t, http.MethodGet, url, "If-Modified-Since", when)
		if again.StatusCode != 200 || body != "two" || again.Header.Get("ETag") == resp.Header.Get("ETag") {
			t.Errorf("after %v: %s %q", d, again.Status, body)
		}
		if d == time.Hour {
			when = again.Header.Get("Last-Modified")
		}
	}
	if resp, _ := ask(t, http.MethodGet, url, "If-Modified-Since", when); resp.StatusCode != 304 {
		t.Errorf("an old database: %s", resp.Status)
	}
	later(900 * time.Millisecond)
	for _, condition := range []string{"If-Range", "If-Unmodified-Since"} {
		if resp, body := ask(t, http.MethodGet, url, "Range", "bytes=1-", condition, when); condition == "If-Range" && body != "two" {
			t.Errorf("%s by the time of a young file: %s %q", condition, resp.Status, body)
		}
	}
}

// TestServeEndsWithItsContext: a download that is under way is finished.
func TestServeEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	big := strings.Repeat("x", 32<<20)
	must(t, os.WriteFile(filepath.Join(dir, "r.db"), []byte(big), 0o644))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var log []repo.Served
	ended := make(chan error, 1)
	go func() {
		ended <- (&repo.Server{Root: root, Log: func(s repo.Served) { log = append(log, s) }}).Serve(ctx, l)
	}()
	resp, err := http.Get("http://" + l.Addr().String() + "/r.db")
	must(t, err)
	defer resp.Body.Close()
	cancel()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, <-ended)
	if string(body) != big {
		t.Errorf("%d bytes came", len(body))
	}
	if len(log) != 1 || log[0].Status != 200 || log[0].Bytes != int64(len(big)) || log[0].Path != "/r.db" {
		t.Errorf("log: %+v", log)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

// TestPacmanFetchesFromServe lets pacman install, and fetch nothing that it has.
func TestPacmanFetchesFromServe(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedTool(t, "pacman")
	testkit.NeedRoot(t)
	srv, top := t.TempDir(), t.TempDir()
	a := makePackage(t, srv, "alpha", "1:1.0-1", func(p *desc.Package) { p.Depends = nil })
	_, err := repo.Add(t.Context(), filepath.Join(srv, "r.db.tar.gz"), []string{a}, repo.Options{})
	must(t, err)
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"r.db.tar.gz", "r.files.tar.gz"} {
		must(t, os.Chtimes(filepath.Join(srv, name), old, old))
	}
	root, err := os.OpenRoot(srv)
	must(t, err)
	defer root.Close()
	answers := make(chan repo.Served, 100)
	server := httptest.NewServer(&repo.Server{Root: root, Log: func(s repo.Served) { answers <- s }})
	defer server.Close()
	url := server.URL
	// database is how the last request for the database was answered.
	database := func() int {
		t.Helper()
		for {
			select {
			case s := <-answers:
				if s.Path == "/r.db" {
					return s.Status
				}
			case <-time.After(10 * time.Second):
				t.Fatal("nobody asked for the database")
			}
		}
	}
	must(t, os.MkdirAll(filepath.Join(top, "root/var/lib/pacman"), 0o755))
	conf := filepath.Join(top, "pacman.conf")
	must(t, os.WriteFile(conf, []byte("[options]\nArchitecture = auto\nSigLevel = Never\n[r]\nServer = "+url+"\n"), 0o644))
	pacman := func(args ...string) string {
		t.Helper()
		args = append([]string{"--noconfirm", "--config", conf, "--root", top + "/root", "--dbpath", top + "/root/var/lib/pacman",
			"--cachedir", top + "/cache", "--hookdir", top + "/hooks", "--logfile", top + "/log"}, args...)
		cmd := exec.Command("pacman", args...)
		cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "error:") {
			t.Fatalf("pacman %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	pacman("-Syw", "alpha")
	if status := database(); status != http.StatusOK {
		t.Errorf("-Sy: %d", status)
	}
	pacman("-Sy")
	if status := database(); status != http.StatusNotModified {
		t.Errorf("-Sy again: %d", status)
	}
	pacman("-Fy")
	pacman("-S", "alpha")
	if out := pacman("-Qkk"); !strings.Contains(out, " 0 altered files") {
		t.Errorf("-Qkk: %s", out)
	}
	_, err = repo.Remove(t.Context(), filepath.Join(srv, "r.db.tar.gz"), []string{"alpha"}, repo.Options{})
	must(t, err)
	pacman("-Sy")
	if status := database(); status != http.StatusOK {
		t.Errorf("-Sy of a changed database: %d", status)
	}
}
