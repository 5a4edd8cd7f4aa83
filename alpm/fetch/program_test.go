// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// script is a download program that writes what it is told to.
func script(argv []string, write func(dir string, argv []string) int) (*Program, *[][]string) {
	var ran [][]string
	return &Program{Argv: argv, Run: func(_ context.Context, dir string, argv []string) (int, error) {
		ran = append(ran, argv)
		return write(dir, argv), nil
	}}, &ran
}

func TestProgramWithPartialFile(t *testing.T) {
	data := payload(1, 5000)
	dir := t.TempDir()
	p, ran := script([]string{"get", "-o", "%o", "%u"}, func(_ string, argv []string) int {
		if strings.Contains(argv[3], "first") {
			os.WriteFile(argv[2], data[:100], 0o644)
			return 22
		}
		have, _ := os.ReadFile(argv[2])
		if len(have) != 100 {
			t.Errorf("the partial file has %d bytes", len(have))
		}
		os.WriteFile(argv[2], data, 0o644)
		return 0
	})
	f := &Fetcher{Dir: dir, Program: p}
	res, err := f.Fetch(context.Background(), []Request{{URLs: []string{"sftp://first/x.pkg", "sftp://second/x.pkg"}, Dest: "x.pkg", SHA256: digest(data)}})
	if err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(dir, "x.pkg"), data)
	if res[0].URL != "sftp://second/x.pkg" || res[0].Size != 5000 || len(*ran) != 2 {
		t.Errorf("result %+v after %v", res[0], *ran)
	}
	if want := []string{"get", "-o", filepath.Join(dir, "x.pkg.part"), "sftp://second/x.pkg"}; !slices.Equal((*ran)[1], want) {
		t.Errorf("ran %v", (*ran)[1])
	}
	if _, err := os.Stat(filepath.Join(dir, "x.pkg.part")); !os.IsNotExist(err) {
		t.Errorf("the partial file is left: %v", err)
	}
}

func TestProgramThatNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	p, _ := script([]string{"get", "%u"}, func(dir string, argv []string) int {
		os.WriteFile(filepath.Join(dir, "core.db"), []byte("database"), 0o644)
		return 0
	})
	f := &Fetcher{Dir: dir, Program: p}
	if err := f.Get(context.Background(), []Request{{URLs: []string{"http://mirror/core.db"}, Dest: "core.db", IfModifiedSince: true}}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(dir, "core.db"), []byte("database"))
	if err := f.Get(context.Background(), []Request{{URLs: []string{"http://mirror/.."}, Dest: "x"}}); err == nil {
		t.Error("a URL that names no file was given to the program")
	}
}

func TestProgramThatFailsOrLies(t *testing.T) {
	data := payload(2, 300)
	for name, write := range map[string]func(part string) int{
		"exit code":     func(string) int { return 7 },
		"nothing":       func(string) int { return 0 },
		"wrong content": func(part string) int { os.WriteFile(part, []byte("wrong"), 0o644); return 0 },
		"too large":     func(part string) int { os.WriteFile(part, payload(3, 9000), 0o644); return 0 },
	} {
		dir := t.TempDir()
		p, _ := script([]string{"get", "%o"}, func(_ string, argv []string) int { return write(argv[1]) })
		f := &Fetcher{Dir: dir, Program: p}
		err := f.Get(context.Background(), []Request{{URLs: []string{"http://m/x"}, Dest: "x", SHA256: digest(data), Size: 300}})
		var fail *Error
		if !errors.As(err, &fail) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "x")); !os.IsNotExist(err) {
			t.Errorf("%s: a file is there: %v", name, err)
		}
	}
}

func TestCacheServerMayLackTheFile(t *testing.T) {
	data := payload(4, 2000)
	cache := serve(t, content(map[string][]byte{"one": data}))
	main := serve(t, content(map[string][]byte{"one": data, "two": data, "three": data, "four": data, "five": data}))
	var odd []EventKind
	f := &Fetcher{Dir: t.TempDir(), Parallel: 1, Events: func(e Event) {
		if e.Kind == Retry || e.Kind == Banned {
			odd = append(odd, e.Kind)
		}
	}}
	var reqs []Request
	for _, name := range []string{"two", "three", "four", "five", "one"} {
		reqs = append(reqs, Request{CacheURLs: []string{cache.URL + "/" + name}, URLs: []string{main.URL + "/" + name}, Dest: name, SHA256: digest(data)})
	}
	res, err := f.Fetch(context.Background(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	if cache.hits.Load() != 5 || res[4].URL != cache.URL+"/one" || main.hits.Load() != 4 {
		t.Errorf("cache asked %d times, main %d; %+v", cache.hits.Load(), main.hits.Load(), res[4])
	}
	if len(odd) > 0 {
		t.Errorf("events %v for files that the cache need not have", odd)
	}
}

func TestBrokenCacheServerIsBanned(t *testing.T) {
	data := payload(5, 2000)
	cache := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	main := serve(t, content(map[string][]byte{"a": data, "b": data, "c": data, "d": data}))
	banned := 0
	f := &Fetcher{Dir: t.TempDir(), Parallel: 1, Events: func(e Event) {
		if e.Kind == Banned {
			banned++
		}
	}}
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := f.Get(context.Background(), []Request{{CacheURLs: []string{cache.URL + "/" + name}, URLs: []string{main.URL + "/" + name}, Dest: name}}); err != nil {
			t.Fatal(err)
		}
	}
	if cache.hits.Load() != maxSoftErrors || banned != 1 {
		t.Errorf("asked %d times, %d times told that it is left alone", cache.hits.Load(), banned)
	}
}

func TestStatusErrorTellsTheCode(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	f := &Fetcher{Dir: t.TempDir()}
	err := f.Get(context.Background(), []Request{{URLs: []string{m.URL + "/x"}, Dest: "x"}})
	var status *StatusError
	if !errors.As(err, &status) || status.Code != http.StatusForbidden {
		t.Errorf("got %v", err)
	}
}

func TestTakeName(t *testing.T) {
	data := payload(6, 100)
	for header, want := range map[string]string{
		"": "final-1-1-any.pkg.tar.zst",
		`attachment; filename="named-1-1-any.pkg.tar"`: "named-1-1-any.pkg.tar",
		`attachment; filename="../../evil"`:            "asked",
		`attachment; filename=".hidden"`:               "asked",
	} {
		m := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/download" {
				http.Redirect(w, r, "/dir/final-1-1-any.pkg.tar.zst?token=1", http.StatusFound)
				return
			}
			if header != "" {
				w.Header().Set("Content-Disposition", header)
			}
			w.Write(data)
		})
		dir := t.TempDir()
		f := &Fetcher{Dir: dir}
		res, err := f.Fetch(context.Background(), []Request{{URLs: []string{m.URL + "/download"}, Dest: "asked", TakeName: true}})
		if err != nil {
			t.Fatal(err)
		}
		if res[0].Path != filepath.Join(dir, want) {
			t.Errorf("%q: got %s", header, res[0].Path)
		}
		mustContain(t, filepath.Join(dir, want), data)
	}
}
