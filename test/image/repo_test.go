// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
)

func epoch() time.Time { return time.Unix(1700000000, 0) }

// entry is one entry of a package archive that a test makes by hand: our own
// writer refuses what is to be refused here.
type entry struct {
	name, link, text string
	kind             byte // tar's; 0: a file
	size             int64
}

// smallPackage is a package archive with what the database says of it.
type smallPackage struct {
	info *desc.Package
	data []byte
	sig  []byte
}

// pack makes a package that claims to be name 1-1.
func pack(t testing.TB, name string, entries ...entry) *smallPackage {
	t.Helper()
	p := &desc.Package{
		Name: name, Base: name, Version: "1-1", Arch: "any", Description: "For a test", Packager: "test",
		BuildDate: epoch().Unix(), Filename: name + "-1-1-any.pkg.tar.zst",
	}
	info, err := desc.EncodePKGINFO(p)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, e := range append([]entry{{name: ".PKGINFO", text: string(info)}}, entries...) {
		h := &tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Mode: 0o644, Size: int64(len(e.text)), ModTime: epoch()}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if e.kind == tar.TypeDir {
			h.Mode = 0o755
		}
		if e.size > 0 {
			h.Size = e.size
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
		for left := h.Size - int64(len(e.text)); left > 0; left -= 1 << 20 {
			if _, err := w.Write(make([]byte, min(left, 1<<20))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	sp := &smallPackage{info: p, data: out.Bytes()}
	sp.describe()
	return sp
}

// describe makes the database's checksum and size those of the archive.
func (p *smallPackage) describe() {
	sum := sha256.Sum256(p.data)
	p.info.SHA256, p.info.CompressedSize = hex.EncodeToString(sum[:]), int64(len(p.data))
}

// smallRepo is a signed repository whose every file a test may spoil.
type smallRepo struct {
	t      testing.TB
	dir    string
	signer *keyring.Signer
	key    string // file with the public key
}

func newKey(t testing.TB) *keyring.Signer {
	t.Helper()
	s, err := keyring.GenerateKey("Small", "small@example.org", epoch(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// smallRepo makes a repository "small" of packages, and lets the manifest use it.
func (w *world) smallRepo(packages ...*smallPackage) *smallRepo {
	w.t.Helper()
	r := &smallRepo{t: w.t, dir: w.path("small"), signer: newKey(w.t), key: w.path("small.pub")}
	w.must(os.Mkdir(r.dir, 0o755))
	var pub bytes.Buffer
	w.must(r.signer.WritePublic(&pub))
	w.must(os.WriteFile(r.key, pub.Bytes(), 0o644))
	// With a "rastos" of its own, a build does not pack the binaries first.
	r.publish(append(packages, pack(w.t, "linux"), pack(w.t, "rastos"))...)
	w.repos = []repository{{name: "small", key: r.key, servers: []string{"file://" + r.dir}}}
	for _, p := range packages {
		w.packages = append(w.packages, p.info.Name)
	}
	return r
}

func (r *smallRepo) sign(data []byte, by *keyring.Signer) []byte {
	r.t.Helper()
	var sig bytes.Buffer
	if err := by.DetachSign(&sig, bytes.NewReader(data)); err != nil {
		r.t.Fatal(err)
	}
	return sig.Bytes()
}

func (r *smallRepo) file(name string) string { return filepath.Join(r.dir, name) }

func (r *smallRepo) put(name string, data []byte) {
	r.t.Helper()
	if err := os.WriteFile(r.file(name), data, 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// publish writes archives, database and signatures.
func (r *smallRepo) publish(packages ...*smallPackage) {
	r.t.Helper()
	var db bytes.Buffer
	z := gzip.NewWriter(&db)
	w := tar.NewWriter(z)
	for _, p := range packages {
		r.put(p.info.Filename, p.data)
		sig := p.sig
		if sig == nil {
			sig = r.sign(p.data, r.signer)
		}
		r.put(p.info.Filename+".sig", sig)
		text, err := desc.EncodeSync(p.info)
		if err != nil {
			r.t.Fatal(err)
		}
		h := &tar.Header{Name: p.info.Entry() + "/desc", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text)), ModTime: epoch()}
		if err := w.WriteHeader(h); err != nil {
			r.t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.put("small.db", db.Bytes())
	r.put("small.db.sig", r.sign(db.Bytes(), r.signer))
}

// serve answers requests for the files of a folder until the test ends;
// through wrap a test spoils the answers.
func serve(t testing.TB, dir string, wrap func(http.Handler) http.Handler) (url string) {
	t.Helper()
	var h http.Handler = http.FileServer(http.Dir(dir))
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// answer makes a server give one answer to all requests whose path holds part.
func answer(part string, status int, body string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, part) {
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
}
