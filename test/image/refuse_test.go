// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"archive/tar"
	"net/http"
	"os"
	"strings"
	"testing"
)

const errorPage = "<!DOCTYPE html><html><body><h1>It works!</h1></body></html>\n"

// refusal is one kind of bad input.
type refusal struct {
	name    string
	prepare func(w *world)
	code    int
	message string // pattern of the one error line
	hint    string // pattern of the one hint line; empty: there is none
}

func (r refusal) run(t *testing.T) {
	t.Run(r.name, func(t *testing.T) {
		w := newWorld(t)
		r.prepare(w)
		before := w.snapshot()
		w.refused(before, w.build(), r.code, r.message, r.hint)
	})
}

// evil is a repository whose package "evil" holds these entries, signed by
// the very key that the manifest trusts.
func evil(entries ...entry) func(*world) {
	return func(w *world) {
		w.must(os.Mkdir(w.path("outside"), 0o755))
		w.must(os.WriteFile(w.path("outside", "file"), []byte("mine"), 0o644))
		for i := range entries {
			for _, s := range []*string{&entries[i].name, &entries[i].link} {
				*s = strings.ReplaceAll(*s, "OUTSIDE", w.path("outside"))
			}
		}
		w.smallRepo(pack(w.t, "evil", append([]entry{{name: "usr/", kind: tar.TypeDir}}, entries...)...))
	}
}

const (
	up          = "../../../../../../../../../../../.."
	hostileHint = "made to do harm|decompression bomb"
)

func TestHostileArchives(t *testing.T) {
	for _, r := range []refusal{
		{name: "absolute path", prepare: evil(entry{name: "/OUTSIDE/evil", text: "x"})},
		{name: "path upwards", prepare: evil(entry{name: "usr/" + up + "OUTSIDE/evil", text: "x"})},
		{name: "through a link", prepare: evil(
			entry{name: "usr/link", link: "OUTSIDE", kind: tar.TypeSymlink}, entry{name: "usr/link/evil", text: "x"})},
		{name: "through a relative link", prepare: evil(
			entry{name: "usr/link", link: up + "OUTSIDE", kind: tar.TypeSymlink}, entry{name: "usr/link/file", text: "x"})},
		{name: "hard link out", prepare: evil(entry{name: "usr/hard", link: up + "OUTSIDE/file", kind: tar.TypeLink})},
		{name: "hard link to an absolute path", prepare: evil(entry{name: "usr/hard", link: "OUTSIDE/file", kind: tar.TypeLink})},
		{name: "device node", prepare: evil(entry{name: "usr/sda", kind: tar.TypeBlock})},
		{name: "character device", prepare: evil(entry{name: "usr/mem", kind: tar.TypeChar})},
		{name: "pipe", prepare: evil(entry{name: "usr/pipe", kind: tar.TypeFifo})},
		{name: "bomb", prepare: bomb},
	} {
		r.code, r.message, r.hint = 5, "evil", hostileHint
		r.run(t)
	}
}

// bomb unpacks to far more than it says.
func bomb(w *world) {
	p := pack(w.t, "evil", entry{name: "usr/", kind: tar.TypeDir}, entry{name: "usr/zeros", size: 1100 << 20})
	p.info.InstalledSize = 4096
	w.smallRepo(p)
	w.size = "3G"
}

func TestDamagedPackages(t *testing.T) {
	for _, r := range []refusal{
		{"cut off by the mirror", func(w *world) {
			p := good(w.t)
			repo := w.smallRepo(p)
			repo.put(p.info.Filename, p.data[:len(p.data)/2])
		}, 5, "good-1-1.*", "another mirror"},
		{"cut off before it was signed", func(w *world) {
			p := good(w.t)
			p.data = p.data[:len(p.data)-40]
			p.describe()
			w.smallRepo(p)
		}, 5, "good-1-1.*cut off|damaged", "download it again"},
		{"wrong checksum in the database", func(w *world) {
			p := good(w.t)
			p.info.SHA256 = strings.Repeat("0", 64)
			w.smallRepo(p)
		}, 5, "good-1-1.*expected .*0000", "another mirror"},
		{"another package in it", func(w *world) {
			p, other := good(w.t), pack(w.t, "other")
			p.data = other.data
			p.describe()
			w.smallRepo(p)
		}, 5, "good-1-1.*it is other", "refresh"},
		{"no archive at all", func(w *world) {
			p := good(w.t)
			p.data = []byte(errorPage)
			p.describe()
			w.smallRepo(p)
		}, 5, "good-1-1.*neither", "error page"},
	} {
		r.run(t)
	}
}

func good(t testing.TB) *smallPackage {
	return pack(t, "good", entry{name: "usr/", kind: tar.TypeDir}, entry{name: "usr/good", text: strings.Repeat("good words\n", 4000)})
}

func TestSignatures(t *testing.T) {
	for _, r := range []refusal{
		{"package without", func(w *world) {
			p := good(w.t)
			w.must(os.Remove(w.smallRepo(p).file(p.info.Filename + ".sig")))
		}, 5, "verify good-1-1.*signature is missing", "sign it"},
		{"package with another's", func(w *world) {
			p := good(w.t)
			repo := w.smallRepo(p)
			repo.put(p.info.Filename+".sig", repo.sign([]byte("other data"), repo.signer))
		}, 5, "verify good-1-1.*bad signature by Small", "another mirror"},
		{"package by an unknown key", func(w *world) {
			p := good(w.t)
			repo := w.smallRepo(p)
			repo.put(p.info.Filename+".sig", repo.sign(p.data, newKey(w.t)))
		}, 5, "verify good-1-1.*unknown key [0-9A-F]+", "import the key"},
		{"package with rubbish", func(w *world) {
			p := good(w.t)
			w.smallRepo(p).put(p.info.Filename+".sig", []byte(errorPage))
		}, 5, "verify good-1-1.*malformed", "another mirror"},
		{"database without", func(w *world) {
			w.must(os.Remove(w.smallRepo(good(w.t)).file("small.db.sig")))
		}, 5, "database small.*signature is missing", "sign it"},
		{"database changed afterwards", func(w *world) {
			repo := w.smallRepo(good(w.t))
			sig, err := os.ReadFile(repo.file("small.db.sig"))
			w.must(err)
			repo.publish(good(w.t), pack(w.t, "linux"), pack(w.t, "rastos"), pack(w.t, "more"))
			repo.put("small.db.sig", sig)
		}, 5, "database small.*bad signature by Small", "another mirror"},
		{"database by an unknown key", func(w *world) {
			repo := w.smallRepo(good(w.t))
			data, err := os.ReadFile(repo.file("small.db"))
			w.must(err)
			repo.put("small.db.sig", repo.sign(data, newKey(w.t)))
		}, 5, "database small.*unknown key", "import the key"},
		{"key file is missing", func(w *world) {
			w.must(os.Remove(w.smallRepo(good(w.t)).key))
		}, 3, "key of repository small.*no such file", "public key"},
		{"key file holds no key", func(w *world) {
			w.must(os.WriteFile(w.smallRepo(good(w.t)).key, []byte(errorPage), 0o644))
		}, 3, "key of repository small", "gpg --export"},
	} {
		r.run(t)
	}
}

func TestMirrors(t *testing.T) {
	through := func(wrap func(http.Handler) http.Handler) func(*world) {
		return func(w *world) {
			repo := w.smallRepo(good(w.t))
			w.repos[0].servers = []string{serve(w.t, repo.dir, wrap)}
		}
	}
	for _, r := range []refusal{
		{"error page for a database", through(answer("small.db", http.StatusOK, errorPage)), 6, "small.db.*error page", "another mirror"},
		{"error page for a package", through(answer(".zst", http.StatusOK, errorPage)), 6, "-1-1.*error page", "another mirror"},
		{"error page for a signature", through(answer(".zst.sig", http.StatusOK, errorPage)), 6, "-1-1.*error page", "another mirror"},
		{"no database", through(answer("small.db", http.StatusNotFound, errorPage)), 6, "small.db.*404", "tried"},
		{"no package", through(answer(".zst", http.StatusNotFound, errorPage)), 6, "-1-1.*404", "tried"},
		{"broken server", through(answer("", http.StatusInternalServerError, errorPage)), 6, "small.db.*500", "tried"},
		{"nobody listens", func(w *world) {
			w.smallRepo(good(w.t))
			w.repos[0].servers = []string{"http://127.0.0.1:1/small", "http://127.0.0.1:2/small"}
		}, 6, "small.db.*refused", "tried 127.0.0.1:1 .*127.0.0.1:2"},
		{"unknown host", func(w *world) {
			w.smallRepo(good(w.t))
			w.repos[0].servers = []string{"http://mirror.invalid/small"}
		}, 6, "small.db.*mirror.invalid", "is the network up, and is mirror.invalid spelled right"},
	} {
		r.run(t)
	}
}
