// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

func TestFileURL(t *testing.T) {
	data := payload(17, 10_000)
	src := t.TempDir()
	os.WriteFile(filepath.Join(src, "x y.pkg"), data, 0o644)
	os.WriteFile(filepath.Join(src, "core.db"), data, 0o644)
	os.Chtimes(filepath.Join(src, "core.db"), stamp, stamp)
	f := &Fetcher{Dir: t.TempDir()}
	reqs := []Request{
		{URLs: []string{"file://" + src + "/absent", "file://" + src + "/x%20y.pkg"}, Dest: "x", SHA256: digest(data), Size: 10_000, Exact: true},
		{URLs: []string{"file://" + src + "/core.db"}, Dest: "core.db", IfModifiedSince: true},
		{URLs: []string{"file://" + src + "/core.db.sig"}, Dest: "core.db.sig", Optional: true},
	}
	results, err := f.Fetch(context.Background(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	mustContain(t, filepath.Join(f.Dir, "x"), data)
	one, _ := os.Stat(filepath.Join(src, "x y.pkg"))
	two, _ := os.Stat(filepath.Join(f.Dir, "x"))
	if !os.SameFile(one, two) {
		t.Error("our own file was copied, not linked")
	}
	if results[2].Status != Missing {
		t.Errorf("signature: %v", results[2].Status)
	}
	results, err = f.Fetch(context.Background(), reqs)
	if err != nil || results[0].Status != Cached || results[1].Status != Unchanged {
		t.Fatalf("%+v, %v", results, err)
	}
	onlyFiles(t, f.Dir, "core.db", "x")

	// wrong content, a writable source, another machine, a directory
	os.Chmod(filepath.Join(src, "x y.pkg"), 0o666)
	reqs[0].Dest = "z"
	if err := f.Get(context.Background(), reqs[:1]); err != nil {
		t.Fatal(err)
	}
	two, _ = os.Stat(filepath.Join(f.Dir, "z"))
	if os.SameFile(one, two) {
		t.Error("a file that others can write was linked")
	}
	reqs[0].SHA256, reqs[0].Dest = digest([]byte("other")), "w"
	if err := f.Get(context.Background(), reqs[:1]); exitCode(err) != 5 {
		t.Errorf("wrong content: %v", err)
	}
	for _, u := range []string{"file://elsewhere" + src + "/core.db", "file://" + src, "ftp://x/y", "://", "core.db"} {
		if err := f.Get(context.Background(), []Request{{URLs: []string{u}, Dest: "v"}}); exitCode(err) != 6 {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestFullDiskIsTyped(t *testing.T) {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := &spool{file: file, path: "/cache/x.part", hash: sha256.New()}
	_, err = s.Write([]byte("data"))
	if exitCode(err) != 7 || hint(err) == "" || !isLocal(err) {
		t.Errorf("error %v, exit code %d", err, exitCode(err))
	}
}

// TestFullDisk fills a real one.
func TestFullDisk(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	data := payload(30, 1_000_000)
	m := serve(t, content(map[string][]byte{"x": data, "y": data, "z": data}))
	f := &Fetcher{Dir: dir, Parallel: 1}
	var reqs []Request
	for _, name := range []string{"x", "y", "z"} {
		reqs = append(reqs, Request{URLs: []string{m.URL + "/" + name, m.URL + "/" + name}, Dest: name, SHA256: digest(data)})
	}
	err := f.Get(context.Background(), reqs)
	if exitCode(err) != 7 || hint(err) == "" {
		t.Errorf("error %v, exit code %d", err, exitCode(err))
	}
	if m.hits.Load() != 1 {
		t.Errorf("%d requests: no other file or mirror can help", m.hits.Load())
	}
	onlyFiles(t, dir)
}
