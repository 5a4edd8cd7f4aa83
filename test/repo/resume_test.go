// SPDX-License-Identifier: GPL-3.0-or-later

package repo_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// request is one line of what `rastos repo serve --json` writes.
type request struct {
	Method, Path string
	Status       int
	Bytes        int64
	URL          string
}

// serving is a `rastos repo serve` of the site.
type serving struct {
	url string

	mu       sync.Mutex
	requests []request
}

// serve hands the site out, and lets pacman fetch from there.
func (s *site) serve() *serving {
	s.t.Helper()
	cmd := exec.Command(s.binary, "repo", "serve", s.srv, "--listen", "127.0.0.1:0", "--json")
	cmd.Env = append(os.Environ(), "RASTOS_CONFIG="+os.DevNull)
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	var first request
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil || first.URL == "" {
		s.t.Fatalf("it does not serve: %s", lines.Text())
	}
	v := &serving{url: strings.TrimSuffix(first.URL, "/")}
	go func() {
		for lines.Scan() {
			var r request
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				v.mu.Lock()
				v.requests = append(v.requests, r)
				v.mu.Unlock()
			}
		}
	}()
	s.must(os.WriteFile(filepath.Join(s.dir, "pacman.conf"), []byte("[options]\nArchitecture = auto\nSigLevel = Required\n[site]\nServer = "+v.url+"\n"), 0o644))
	return v
}

// of waits for answers about a file and gives them.
func (v *serving) of(name string, count int) (out []request) {
	for range 200 {
		v.mu.Lock()
		out = nil
		for _, r := range v.requests {
			if strings.HasSuffix(r.Path, name) {
				out = append(out, r)
			}
		}
		v.mu.Unlock()
		if len(out) >= count {
			return out
		}
		time.Sleep(10 * time.Millisecond)
	}
	return out
}

// noise is content that does not compress.
func noise(size int) string {
	seed := rand.NewChaCha8([32]byte{1})
	data := make([]byte, size)
	_, _ = seed.Read(data)
	return string(data)
}

// TestPacmanGoesOnWithADownload: pacman fetches the rest of a package that it
// was cut off from, twice, and takes the whole.
func TestPacmanGoesOnWithADownload(t *testing.T) {
	s := newSite(t)
	file := s.pkgOf("big", "1-1", noise(4<<20))
	var made struct {
		Key    string `json:"key"`
		Public string `json:"public_key"`
	}
	s.must(json.Unmarshal([]byte(s.rastos("add", "--json", "site.db.tar.gz", file, "--sign", "../site.key", "--new-key", "Site <site@example.org>")), &made))
	s.trust(made.Public, made.Key)
	v := s.serve()
	if out, err := s.pacman("-Sy"); err != nil {
		t.Fatalf("pacman -Sy: %v\n%s", err, out)
	}
	whole, err := os.ReadFile(filepath.Join(s.srv, file))
	s.must(err)
	s.must(os.MkdirAll(filepath.Join(s.dir, "cache"), 0o755))
	for i, have := range []int{1, len(whole) / 3, len(whole) - 1} {
		s.must(os.WriteFile(filepath.Join(s.dir, "cache", file+".part"), whole[:have], 0o644))
		if out, err := s.pacman("-Sw", "big"); err != nil {
			t.Fatalf("with %d bytes of %d: %v\n%s", have, len(whole), err, out)
		}
		got, err := os.ReadFile(filepath.Join(s.dir, "cache", file))
		if err != nil || !bytes.Equal(got, whole) {
			t.Errorf("with %d bytes it is another file: %v", have, err)
		}
		answers := v.of(file, i+1)
		last := answers[len(answers)-1]
		if len(answers) != i+1 || last.Status != 206 || last.Bytes != int64(len(whole)-have) {
			t.Errorf("with %d bytes of %d it asks %+v", have, len(whole), answers)
		}
		s.must(os.Remove(filepath.Join(s.dir, "cache", file)))
	}
	// What it had is not of this file: the signature tells, and nothing is installed.
	s.must(os.WriteFile(filepath.Join(s.dir, "cache", file+".part"), []byte(noise(len(whole)/3)), 0o644))
	if out, err := s.pacman("-S", "big"); err == nil {
		t.Errorf("half of another file is taken:\n%s", out)
	}
	if out, err := s.pacman("-S", "big"); err != nil {
		t.Errorf("once more: %v\n%s", err, out)
	}
}

// TestRastosAndRepoAddAtOnce: processes of both write into one database. Who
// finds it locked comes again; nothing is lost, and no lock is left.
func TestRastosAndRepoAddAtOnce(t *testing.T) {
	s := newSite(t)
	const each = 4
	s.rastos("create", "site.db.tar.gz")
	var group sync.WaitGroup
	var mu sync.Mutex
	refused := map[string]int{}
	for i := range each {
		for name, argv := range map[string][]string{
			"ours":   {s.binary, "repo", "add", "site.db.tar.gz", s.pkg(fmt.Sprintf("ours%d", i), "1-1")},
			"theirs": {"repo-add", "--quiet", "site.db.tar.gz", s.pkg(fmt.Sprintf("theirs%d", i), "1-1")},
		} {
			group.Go(func() {
				for range 200 {
					out, err := s.run(argv...)
					if err == nil {
						return
					}
					if !strings.Contains(out, "lock") {
						t.Errorf("%v: %v\n%s", argv, err, out)
						return
					}
					mu.Lock()
					refused[name]++
					mu.Unlock()
					time.Sleep(20 * time.Millisecond)
				}
				t.Errorf("%v: it never had its turn", argv)
			})
		}
	}
	group.Wait()
	t.Logf("found it locked: %v", refused)
	for _, db := range []string{"site.db", "site.files"} {
		list := s.ok("bsdtar", "-tf", db)
		for i := range each {
			for _, who := range []string{"ours", "theirs"} {
				if entry := fmt.Sprintf("%s%d-1-1/desc", who, i); !strings.Contains(list, entry) {
					t.Errorf("%s lacks %s:\n%s", db, entry, list)
				}
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.srv, "*.lck")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestLocksOfTheOtherProgram: each keeps out of a database that the other has
// locked, and what a kill left of ours is told from that.
func TestLocksOfTheOtherProgram(t *testing.T) {
	s := newSite(t)
	s.rastos("create", "site.db.tar.gz")
	lock := filepath.Join(s.srv, "site.db.tar.gz.lck")
	file := s.pkg("one", "1-1")

	s.must(os.WriteFile(lock, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644)) // as repo-add writes it
	out, err := s.run(s.binary, "repo", "add", "site.db.tar.gz", file)
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 10 || !strings.Contains(out, fmt.Sprintf("held by process %d", os.Getpid())) {
		t.Errorf("ours: %v\n%s", err, out)
	}
	s.must(os.WriteFile(lock, fmt.Appendf(nil, "%d rastos\n", os.Getpid()), 0o644)) // ours, and nobody holds it
	if out, err := s.run("repo-add", "site.db.tar.gz", file); err == nil || !strings.Contains(out, "lockfile") {
		t.Errorf("repo-add: %v\n%s", err, out)
	}
	s.rastos("add", "site.db.tar.gz", file)
	s.ok("repo-add", "--quiet", "site.db.tar.gz", s.pkg("two", "1-1"))
	if list := s.ok("bsdtar", "-tf", "site.db"); !strings.Contains(list, "one-1-1/") || !strings.Contains(list, "two-1-1/") {
		t.Errorf("the database has\n%s", list)
	}
}
