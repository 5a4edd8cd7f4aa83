// SPDX-License-Identifier: GPL-3.0-or-later

package verify_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/mtree"
	"github.com/rastos/rastos/alpm/verify"
)

// memory is a database whose lists tests write themselves.
type memory struct {
	mtree map[string]string
	files map[string][]string
	fail  error
}

func (m memory) Mtree(p *desc.Package) ([]byte, error) {
	if text, ok := m.mtree[p.Name]; ok {
		return []byte(text), m.fail
	}
	return nil, m.fail
}

func (m memory) LoadFiles(p *desc.Package) error {
	p.Files = m.files[p.Name]
	return m.fail
}

func results(t *testing.T, db verify.Database, opt verify.Options, packages ...*desc.Package) []verify.Result {
	t.Helper()
	var out []verify.Result
	must(t, verify.Check(t.Context(), db, packages, opt, func(r verify.Result) error {
		out = append(out, r)
		return nil
	}))
	return out
}

func write(t *testing.T, root, path, content string) mtree.Entry {
	t.Helper()
	full := filepath.Join(root, path)
	must(t, os.MkdirAll(filepath.Dir(full), 0o755))
	must(t, os.WriteFile(full, []byte(content), 0o644))
	must(t, os.Chtimes(full, time.Unix(5, 0), time.Unix(5, 0)))
	return mtree.Entry{Path: path, Type: mtree.File, Mode: 0o644, UID: os.Geteuid(), GID: os.Getegid(), Size: int64(len(content)), Sec: 5,
		MD5: fmt.Sprintf("%x", md5.Sum([]byte(content))), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(content)))}
}

func encode(t *testing.T, entries ...mtree.Entry) string {
	t.Helper()
	var b bytes.Buffer
	must(t, mtree.Encode(&b, entries))
	return b.String()
}

// Results come in the order of the packages and each is whole, however many
// workers took parts of them.
func TestResultsComeInOrderAndWhole(t *testing.T) {
	root := t.TempDir()
	db := memory{mtree: map[string]string{}, files: map[string][]string{}}
	var packages []*desc.Package
	for i := range 20 {
		p := pkg(fmt.Sprint("p", i))
		packages = append(packages, p)
		var entries []mtree.Entry
		for n := range 1 + i*500 { // several parts, for the larger ones
			entries = append(entries, mtree.Entry{Path: fmt.Sprintf("d%d/f%05d", i, n), Type: mtree.File})
			db.files[p.Name] = append(db.files[p.Name], entries[n].Path)
		}
		db.mtree[p.Name] = encode(t, entries...)
	}
	for _, full := range []bool{false, true} {
		for i, r := range results(t, db, verify.Options{Root: root, Full: full, Workers: 4}, packages...) {
			want := 1 + i*500
			if r.Package != packages[i] || r.Files != want || r.Altered != want || len(r.Findings) != want {
				t.Fatalf("result %d is of %s: %d files, %d altered, %d findings; want %d", i, r.Package.Name, r.Files, r.Altered, len(r.Findings), want)
			}
			if !slices.IsSortedFunc(r.Findings, func(a, b verify.Finding) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) }) {
				t.Errorf("the findings of %s are out of order", r.Package.Name)
			}
		}
	}
	if packages[0].Files != nil {
		t.Error("the check left its list of files in the package")
	}
}

func TestDigestsThatAreMissingOrDisagree(t *testing.T) {
	root := t.TempDir()
	e := write(t, root, "f", "content")
	noMD5, noSHA, neither, lying := e, e, e, e
	noMD5.MD5, noSHA.SHA256, neither.MD5, neither.SHA256 = "", "", "", ""
	lying.MD5 = fmt.Sprintf("%x", md5.Sum(nil))
	bad := noSHA
	bad.MD5 = lying.MD5
	for name, c := range map[string]struct {
		entry mtree.Entry
		both  bool
		want  []verify.Finding
	}{
		"SHA-256 alone":                 {noMD5, true, nil},
		"MD5 alone":                     {noSHA, false, nil},
		"a wrong MD5 alone":             {bad, false, []verify.Finding{{Kind: verify.Mismatch, Digest: verify.MD5}}},
		"neither":                       {neither, false, []verify.Finding{{Kind: verify.NoDigest, Digest: verify.SHA256}}},
		"they contradict":               {lying, false, nil},
		"they contradict, and both ask": {lying, true, []verify.Finding{{Kind: verify.Mismatch, Digest: verify.MD5}}},
	} {
		db := memory{mtree: map[string]string{"a": encode(t, c.entry)}}
		r := results(t, db, verify.Options{Root: root, Full: true, BothDigests: c.both}, pkg("a"))[0]
		if diff := cmp.Diff(c.want, r.Findings, cmpopts.IgnoreFields(verify.Finding{}, "Package", "Path", "At")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestListsThatCannotBeRead(t *testing.T) {
	root := t.TempDir()
	good := encode(t, write(t, root, "f", "content"))
	db := memory{mtree: map[string]string{"cut": "\x1f\x8bnothing", "up": "#mtree\n./../x type=file\n", "good": good}}
	list := results(t, db, verify.Options{Root: root, Full: true}, pkg("cut"), pkg("up"), pkg("none"), pkg("good"))
	if list[0].Err == nil || list[0].OK() || !errors.Is(list[1].Err, mtree.ErrPath) {
		t.Errorf("%v, %v", list[0].Err, list[1].Err)
	}
	if !list[2].NoMtree || !list[2].OK() || list[3].Files != 1 || !list[3].OK() {
		t.Errorf("%+v, %+v", list[2], list[3])
	}
	failing := memory{fail: syscall.EIO}
	for _, full := range []bool{false, true} {
		if r := results(t, failing, verify.Options{Root: root, Full: full}, pkg("a"))[0]; !errors.Is(r.Err, syscall.EIO) || r.OK() {
			t.Errorf("full %v: %v", full, r.Err)
		}
	}
}

// A list of files that leads outside is answered from inside.
func TestHostilePathsStayInside(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "root")
	must(t, os.MkdirAll(filepath.Join(root, "usr"), 0o755))
	write(t, base, "outside/secret", "x")
	must(t, os.Symlink(filepath.Join(base, "outside"), filepath.Join(root, "link")))
	db := memory{files: map[string][]string{"a": {"../outside/secret", "link/secret", "usr/..", "usr/x\x00y", "usr/"}}}
	r := results(t, db, verify.Options{Root: root}, pkg("a"))[0]
	if r.Files != 5 || r.Altered != 4 {
		t.Errorf("%+v", r)
	}
	for _, f := range r.Findings {
		if f.Kind != verify.Missing || f.Err == nil {
			t.Errorf("%+v", f)
		}
	}
}

func TestCheckEnds(t *testing.T) {
	root := t.TempDir()
	var packages []*desc.Package
	db := memory{files: map[string][]string{}}
	for i := range 500 {
		packages = append(packages, pkg(fmt.Sprint("p", i)))
		db.files[packages[i].Name] = []string{"a", "b"}
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := verify.Check(ctx, db, packages, verify.Options{Root: root}, func(verify.Result) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != 10 {
		t.Errorf("cancelled: %v after %d results", err, n)
	}
	stop := errors.New("enough")
	if err := verify.Check(t.Context(), db, packages, verify.Options{Root: root}, func(verify.Result) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
	if err := verify.Check(t.Context(), db, packages, verify.Options{Root: root + "/none"}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no root: %v", err)
	}
}
