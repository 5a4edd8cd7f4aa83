// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestResumeOnAnotherMirror(t *testing.T) {
	data := payload(2, 400_000)
	bad := serve(t, breakOff(data, 300_000))
	good := serve(t, content(map[string][]byte{"x": data}))
	f := &Fetcher{Dir: t.TempDir()}
	req := Request{URLs: []string{bad.URL + "/x", good.URL + "/x"}, Dest: "x", SHA256: digest(data), Size: int64(len(data)), Exact: true}
	if err := f.Get(context.Background(), []Request{req}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(f.Dir, "x"), data)
	if got := good.bytes.Load(); got > 150_000 {
		t.Errorf("the second mirror sent %d bytes: not resumed", got)
	}
	onlyFiles(t, f.Dir, "x")
}

func TestSingleMirrorThatBreaksOffOnceIsAskedAgain(t *testing.T) {
	data := payload(3, 200_000)
	var m *mirror
	m = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if m.hits.Load() == 1 {
			breakOff(data, 150_000)(w, r)
		}
		content(map[string][]byte{"x": data})(w, r)
	})
	f := &Fetcher{Dir: t.TempDir()}
	// Without a digest too: same URL, under If-Range.
	if err := f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x"}, Dest: "x"}}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(f.Dir, "x"), data)
}

func TestResumeOfChangedFileWithoutDigestStartsOver(t *testing.T) {
	old, now := payload(4, 200_000), payload(5, 200_000)
	var m *mirror
	m = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if m.hits.Load() == 1 {
			w.Header().Set("ETag", `"old"`)
			breakOff(old, 150_000)(w, r)
		}
		w.Header().Set("ETag", `"new"`)
		http.ServeContent(w, r, "", stamp, bytes.NewReader(now))
	})
	f := &Fetcher{Dir: t.TempDir()}
	if err := f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x"}, Dest: "x"}}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(f.Dir, "x"), now)
}

func TestWithoutDigestNeverGluesTwoMirrors(t *testing.T) {
	one, two := payload(6, 200_000), payload(7, 200_000)
	a := serve(t, breakOff(one, 150_000))
	b := serve(t, content(map[string][]byte{"x": two}))
	f := &Fetcher{Dir: t.TempDir()}
	if err := f.Get(context.Background(), []Request{{URLs: []string{a.URL + "/x", b.URL + "/x"}, Dest: "x"}}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(f.Dir, "x"), two)
}

func TestForeignPartIsReplacedAfterOneRestart(t *testing.T) {
	data := payload(8, 100_000)
	m := serve(t, content(map[string][]byte{"x": data}))
	f := &Fetcher{Dir: t.TempDir()}
	for name, part := range map[string][]byte{
		"a shorter one":    payload(9, 60_000),
		"a complete one":   payload(9, 100_000),
		"a longer one":     payload(9, 160_000),
		"the right piece":  data[:70_000],
		"all of the right": data,
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(filepath.Join(f.Dir, "x"))
			if err := os.WriteFile(filepath.Join(f.Dir, "x.part"), part, 0o644); err != nil {
				t.Fatal(err)
			}
			before := m.hits.Load()
			err := f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x"}, Dest: "x", SHA256: digest(data), Size: int64(len(data)), Exact: true}})
			if err != nil {
				t.Fatal(err)
			}
			mustContain(t, filepath.Join(f.Dir, "x"), data)
			onlyFiles(t, f.Dir, "x")
			if n := m.hits.Load() - before; n > 2 || name == "all of the right" && n != 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestOddAnswersToRanges: servers that do not do as they are told.
func TestOddAnswersToRanges(t *testing.T) {
	data := payload(20, 100_000)
	for name, odd := range map[string]func(w http.ResponseWriter, r *http.Request){
		"ignores the range": func(w http.ResponseWriter, r *http.Request) { w.Write(data) },
		"sends another range": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-99999/100000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(data)
		},
		"sends no range": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
			w.Write(data)
		},
		"has a longer file": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 60000-119999/120000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(payload(21, 60_000))
		},
		"says not modified": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"has nothing there": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusRequestedRangeNotSatisfiable) },
	} {
		t.Run(name, func(t *testing.T) {
			m := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					odd(w, r)
					return
				}
				content(map[string][]byte{"x": data})(w, r)
			})
			good := serve(t, content(map[string][]byte{"x": data}))
			f := &Fetcher{Dir: t.TempDir()}
			if err := os.WriteFile(filepath.Join(f.Dir, "x.part"), data[:60_000], 0o644); err != nil {
				t.Fatal(err)
			}
			req := Request{URLs: []string{m.URL + "/x", good.URL + "/x"}, Dest: "x", SHA256: digest(data), Size: int64(len(data)), Exact: true}
			if err := f.Get(context.Background(), []Request{req}); err != nil {
				t.Fatal(err)
			}
			mustContain(t, filepath.Join(f.Dir, "x"), data)
			onlyFiles(t, f.Dir, "x")
		})
	}
}

func TestPartThatIsALinkIsNotFollowed(t *testing.T) {
	data := payload(22, 1000)
	m := serve(t, content(map[string][]byte{"x": data}))
	f := &Fetcher{Dir: t.TempDir()}
	victim := filepath.Join(t.TempDir(), "victim")
	os.WriteFile(victim, []byte("precious"), 0o644)
	os.Symlink(victim, filepath.Join(f.Dir, "x.part"))
	err := f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x"}, Dest: "x", SHA256: digest(data)}})
	if err == nil {
		t.Error("no error")
	}
	mustContain(t, victim, []byte("precious"))
}
