// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGetManyInParallelLargestFirst(t *testing.T) {
	files := map[string][]byte{}
	var reqs []Request
	m := serve(t, content(files))
	for i := range 8 {
		name := fmt.Sprintf("p%d.pkg.tar.zst", i)
		files[name] = payload(int64(i), 1000*(i+1))
		reqs = append(reqs, Request{URLs: []string{m.URL + "/" + name}, Dest: name,
			SHA256: digest(files[name]), Size: int64(len(files[name])), Exact: true})
	}
	var started, finished []string
	f := &Fetcher{Dir: t.TempDir(), Parallel: 1, Events: func(e Event) {
		switch e.Kind {
		case Started:
			started = append(started, e.Name)
		case Finished:
			finished = append(finished, e.Name)
		}
	}}
	if err := f.Get(context.Background(), reqs); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		mustContain(t, filepath.Join(f.Dir, name), data)
	}
	if started[0] != "p7.pkg.tar.zst" || started[7] != "p0.pkg.tar.zst" {
		t.Errorf("order %v is not largest first", started)
	}
	if len(finished) != 8 {
		t.Errorf("%d finished", len(finished))
	}

	// A second time: the cache answers, the server is not asked.
	before := m.hits.Load()
	f.Parallel = 4
	results, err := f.Fetch(context.Background(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	if m.hits.Load() != before || results[0].Status != Cached {
		t.Errorf("cache: %d requests, status %v", m.hits.Load()-before, results[0].Status)
	}
	if agent := m.saw[0].UserAgent(); agent != "rastos" {
		t.Errorf("user agent %q", agent)
	}
}

func TestNextMirrorOn404AndBan(t *testing.T) {
	data := payload(1, 5000)
	empty := serve(t, content(nil))
	good := serve(t, content(map[string][]byte{"a": data, "b": data, "c": data, "d": data, "e": data}))
	f := &Fetcher{Dir: t.TempDir(), Parallel: 1}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		err := f.Get(context.Background(), []Request{{URLs: []string{empty.URL + "/" + name, good.URL + "/" + name}, Dest: name, SHA256: digest(data)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := empty.hits.Load(); n != 3 {
		t.Errorf("the failing mirror was asked %d times, want 3", n)
	}
	onlyFiles(t, f.Dir, "a", "b", "c", "d", "e")
}

func TestDNSFailureBansAtOnce(t *testing.T) {
	data := payload(1, 50)
	good := serve(t, content(map[string][]byte{"a": data, "b": data}))
	f := &Fetcher{Dir: t.TempDir(), Parallel: 1}
	var told []EventKind
	f.Events = func(e Event) {
		if e.Kind == Retry || e.Kind == Banned {
			told = append(told, e.Kind)
		}
	}
	for _, name := range []string{"a", "b"} {
		if err := f.Get(context.Background(), []Request{{URLs: []string{"http://mirror.invalid/" + name, good.URL + "/" + name}, Dest: name}}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(told, []EventKind{Retry, Banned}) {
		t.Errorf("told %v", told)
	}
}

func TestWrongContentIsRefused(t *testing.T) {
	data, wrong := payload(10, 30_000), payload(11, 30_000)
	bad := serve(t, content(map[string][]byte{"x": wrong}))
	f := &Fetcher{Dir: t.TempDir()}
	req := Request{URLs: []string{bad.URL + "/x"}, Dest: "x", SHA256: digest(data), Size: int64(len(data)), Exact: true}
	err := f.Get(context.Background(), []Request{req})
	var content *ContentError
	if !errors.As(err, &content) || exitCode(err) != 5 {
		t.Fatalf("error %v, exit code %d", err, exitCode(err))
	}
	onlyFiles(t, f.Dir)
	if !strings.Contains(hint(err), bad.URL) {
		t.Errorf("hint %q does not name the mirror", hint(err))
	}
}

func TestErrorPageIsNoFile(t *testing.T) {
	data := payload(12, 3000)
	page := []byte("\n<!DOCTYPE HTML>\n<html><body>Please log in to the Wi-Fi</body></html>\n")
	portal := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(page) })
	good := serve(t, content(map[string][]byte{"core.db": data}))

	f := &Fetcher{Dir: t.TempDir()}
	err := f.Get(context.Background(), []Request{{URLs: []string{portal.URL + "/core.db"}, Dest: "core.db", Size: MaxDatabase}})
	if !errors.Is(err, errPage) || exitCode(err) != 6 {
		t.Fatalf("error %v", err)
	}
	onlyFiles(t, f.Dir)
	err = f.Get(context.Background(), []Request{{URLs: []string{portal.URL + "/core.db", good.URL + "/core.db"}, Dest: "core.db", Size: MaxDatabase}})
	if err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(f.Dir, "core.db"), data)
}

func TestStatusesAreErrorsAndBodiesDiscarded(t *testing.T) {
	for _, status := range []int{203, 301, 403, 404, 416, 500, 503} {
		m := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte("a body"))
		})
		f := &Fetcher{Dir: t.TempDir()}
		err := f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x"}, Dest: "x"}})
		if err == nil || exitCode(err) != 6 {
			t.Errorf("%d: error %v", status, err)
		}
		onlyFiles(t, f.Dir)
	}
}

func TestSizeCaps(t *testing.T) {
	data := payload(13, 50_000)
	whole := serve(t, content(map[string][]byte{"x": data}))
	chunked := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(data); i += 1000 {
			w.Write(data[i : i+1000])
			w.(countingWriter).ResponseWriter.(http.Flusher).Flush()
		}
	})
	for _, m := range []*mirror{whole, chunked} {
		f := &Fetcher{Dir: t.TempDir()}
		err := f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x"}, Dest: "x", Size: MaxSignature}})
		var large errTooLarge
		if !errors.As(err, &large) {
			t.Errorf("error %v", err)
		}
		onlyFiles(t, f.Dir)
		// shorter than exact: kept as a piece only if it can be proven later
		err = f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x"}, Dest: "x", Size: 60_000, Exact: true}})
		if err == nil {
			t.Error("a file that is too short was taken")
		}
		onlyFiles(t, f.Dir)
	}
}

func TestIfModifiedSince(t *testing.T) {
	data := payload(14, 9000)
	m := serve(t, content(map[string][]byte{"core.db": data}))
	f := &Fetcher{Dir: t.TempDir()}
	req := Request{URLs: []string{m.URL + "/core.db"}, Dest: "core.db", Size: MaxDatabase, IfModifiedSince: true}
	results, err := f.Fetch(context.Background(), []Request{req})
	if err != nil || results[0].Status != Downloaded || results[0].URL != req.URLs[0] {
		t.Fatalf("%+v, %v", results, err)
	}
	info, err := os.Stat(filepath.Join(f.Dir, "core.db"))
	if err != nil || !info.ModTime().Equal(stamp) {
		t.Fatalf("time stamp %v, %v", info.ModTime(), err)
	}
	results, err = f.Fetch(context.Background(), []Request{req})
	if err != nil || results[0].Status != Unchanged {
		t.Fatalf("%+v, %v", results, err)
	}
	if m.bytes.Load() != int64(len(data)) {
		t.Errorf("%d bytes sent", m.bytes.Load())
	}
	mustContain(t, filepath.Join(f.Dir, "core.db"), data)
	onlyFiles(t, f.Dir, "core.db")

	older := stamp.Add(-time.Hour)
	os.Chtimes(filepath.Join(f.Dir, "core.db"), older, older)
	results, err = f.Fetch(context.Background(), []Request{req})
	if err != nil || results[0].Status != Downloaded {
		t.Fatalf("%+v, %v", results, err)
	}
}

func TestOptional(t *testing.T) {
	m := serve(t, content(nil))
	f := &Fetcher{Dir: t.TempDir()}
	for range 5 { // a host is not banned for files that need not be there
		results, err := f.Fetch(context.Background(), []Request{{URLs: []string{m.URL + "/core.db.sig"}, Dest: "core.db.sig", Size: MaxSignature, Optional: true}})
		if err != nil || results[0].Status != Missing {
			t.Fatalf("%+v, %v", results, err)
		}
	}
	if m.hits.Load() != 5 {
		t.Errorf("%d requests", m.hits.Load())
	}
	broken := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	if err := f.Get(context.Background(), []Request{{URLs: []string{broken.URL + "/x"}, Dest: "x", Optional: true}}); err == nil {
		t.Error("an error of the server was taken for a missing file")
	}
}

func TestStallIsGivenUp(t *testing.T) {
	data := payload(15, 20_000)
	release := make(chan struct{})
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:5000])
		w.(countingWriter).ResponseWriter.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	good := serve(t, content(map[string][]byte{"x": data}))
	f := &Fetcher{Dir: t.TempDir(), Stall: 50 * time.Millisecond}
	var reasons []string
	f.Events = func(e Event) {
		if e.Kind == Retry {
			reasons = append(reasons, e.Err.Error())
		}
	}
	req := Request{URLs: []string{slow.URL + "/x", good.URL + "/x"}, Dest: "x", SHA256: digest(data)}
	if err := f.Get(context.Background(), []Request{req}); err != nil {
		t.Fatal(err)
	}
	if len(reasons) != 1 || !strings.Contains(reasons[0], "sent nothing for") {
		t.Errorf("reasons %q", reasons)
	}
	mustContain(t, filepath.Join(f.Dir, "x"), data)
}

func TestCancelLeavesOnlyPart(t *testing.T) {
	data := payload(16, 500_000)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:300_000])
		w.(countingWriter).ResponseWriter.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f := &Fetcher{Dir: t.TempDir(), Events: func(e Event) {
		if e.Kind == Progress {
			cancel()
		}
	}}
	err := f.Get(ctx, []Request{{URLs: []string{m.URL + "/x"}, Dest: "x", SHA256: digest(data)}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	onlyFiles(t, f.Dir, "x.part")

	good := serve(t, content(map[string][]byte{"x": data}))
	f.Events = nil
	if err := f.Get(context.Background(), []Request{{URLs: []string{good.URL + "/x"}, Dest: "x", SHA256: digest(data)}}); err != nil {
		t.Fatal(err)
	}
	if good.bytes.Load() > 250_000 {
		t.Errorf("sent %d bytes again", good.bytes.Load())
	}
}

func TestAllFailuresAreReported(t *testing.T) {
	m := serve(t, content(map[string][]byte{"b": []byte("b")}))
	f := &Fetcher{Dir: t.TempDir()}
	err := f.Get(context.Background(), []Request{
		{URLs: []string{m.URL + "/a"}, Dest: "a"},
		{URLs: []string{m.URL + "/b"}, Dest: "b"},
		{Dest: "c"},
	})
	if err == nil || !strings.Contains(err.Error(), "download a:") || !strings.Contains(err.Error(), "download c: no mirror") {
		t.Fatalf("error %v", err)
	}
	mustContain(t, filepath.Join(f.Dir, "b"), []byte("b"))
}

func TestDestStaysBelowDir(t *testing.T) {
	f := &Fetcher{Dir: t.TempDir()}
	for _, dest := range []string{"../x", "", "a/../../x"} {
		if err := f.Get(context.Background(), []Request{{URLs: []string{"file:///etc/passwd"}, Dest: dest}}); err == nil {
			t.Errorf("%q was accepted", dest)
		}
	}
	if err := f.Get(context.Background(), []Request{{Dest: "a"}, {Dest: "./a"}}); err == nil {
		t.Error("two requests for one file were accepted")
	}
}

func TestPasswordsDoNotShow(t *testing.T) {
	m := serve(t, content(nil))
	secret := strings.Replace(m.URL, "http://", "http://me:sesame@", 1)
	f := &Fetcher{Dir: t.TempDir()}
	err := f.Get(context.Background(), []Request{{URLs: []string{secret + "/x", secret + "/y"}, Dest: "x"}})
	if err == nil || strings.Contains(err.Error()+hint(err), "sesame") {
		t.Errorf("%v / %s", err, hint(err))
	}
}

func FuzzParseContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-1/2", "bytes 5-9/*", "bytes */4", "", "bytes 1-/", "bytes -1-2/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		start, total, ok := parseContentRange(s)
		if ok && (start < 0 || total < -1) {
			t.Errorf("%q: %d of %d", s, start, total)
		}
	})
}

func TestRedirects(t *testing.T) {
	data := payload(23, 1000)
	plain := serve(t, content(map[string][]byte{"x": data}))
	hop := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL+"/x", http.StatusFound) }
	f := &Fetcher{Dir: t.TempDir()}
	if err := f.Get(context.Background(), []Request{{URLs: []string{serve(t, hop).URL + "/x"}, Dest: "x"}}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(f.Dir, "x"), data)

	secure := httptest.NewTLSServer(http.HandlerFunc(hop))
	t.Cleanup(secure.Close)
	f = &Fetcher{Dir: t.TempDir(), Client: secure.Client()}
	err := f.Get(context.Background(), []Request{{URLs: []string{secure.URL + "/x"}, Dest: "x"}})
	if err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("a way down from https was taken: %v", err)
	}
	onlyFiles(t, f.Dir)
}

// TestCompressedTransfer: what a server compresses on the way must not be undone
// behind our back, for archives are to arrive as they are.
func TestCompressedTransfer(t *testing.T) {
	data := payload(24, 1000)
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip") // as some mirrors label every .gz
		w.Write(data)
	})
	f := &Fetcher{Dir: t.TempDir()}
	if err := f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x.tar.gz"}, Dest: "x.tar.gz", SHA256: digest(data)}}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(f.Dir, "x.tar.gz"), data)
}

func TestStopEarly(t *testing.T) {
	m := serve(t, content(map[string][]byte{"b": payload(1, 10)}))
	f := &Fetcher{Dir: t.TempDir(), Parallel: 1, StopEarly: true}
	res, err := f.Fetch(context.Background(), []Request{
		{URLs: []string{m.URL + "/a"}, Dest: "a", Size: 100}, {URLs: []string{m.URL + "/b"}, Dest: "b", Size: 50},
	})
	if err == nil || res[1].URL != "" || m.hits.Load() != 1 {
		t.Errorf("error %v, %+v, asked %d times", err, res, m.hits.Load())
	}
}
