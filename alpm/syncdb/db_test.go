// SPDX-License-Identifier: GPL-3.0-or-later

package syncdb_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/internal/testkit"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file is one entry of an archive; a name with a slash at its end is a directory.
type file struct{ name, text string }

func archive(t testing.TB, files ...file) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644, Size: int64(len(f.text))}
		if strings.HasSuffix(f.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		must(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, f.text)
		must(t, err)
	}
	must(t, w.Close())
	return buf.Bytes()
}

func record(name, version, more string) string {
	return fmt.Sprintf("%%NAME%%\n%s\n\n%%VERSION%%\n%s\n\n%s", name, version, more)
}

func names(packages []*desc.Package) []string {
	var list []string
	for _, p := range packages {
		list = append(list, p.Name)
	}
	return list
}

// core is a small part of a real database, as repo-add and bsdtar wrote it.
const core = "testdata/core.db.tar.gz"

func TestRealDatabase(t *testing.T) {
	db, err := syncdb.Open(core)
	must(t, err)
	if db.Name != "core" {
		t.Errorf("name %q", db.Name)
	}
	want := []string{"acl", "bash", "filesystem", "gcc-libs", "glibc", "linux", "make", "sed"}
	if diff := cmp.Diff(want, names(db.Packages())); diff != "" {
		t.Error(diff)
	}
	p := db.Package("acl")
	if p == nil || p.CompressedSize != 138970 || p.InstalledSize != 325349 || p.BuildDate != 1643730617 ||
		p.Filename != "acl-2.3.1-2-x86_64.pkg.tar.zst" || len(p.PGPSig) != 160 {
		t.Errorf("acl: %+v", p)
	}
	for _, absent := range []string{"acl-", "", "zzz", "ac"} {
		if db.Package(absent) != nil {
			t.Errorf("there is a package %q", absent)
		}
	}
	if diff := cmp.Diff([]string{"make", "sed"}, names(db.Group("base-devel"))); diff != "" {
		t.Errorf("base-devel: %s", diff)
	}
	if diff := cmp.Diff([]string{"base-devel"}, db.Groups()); diff != "" {
		t.Errorf("groups: %s", diff)
	}
	if diff := cmp.Diff([]string{"gcc-libs"}, names(db.Providers("libgo.so"))); diff != "" {
		t.Errorf("libgo.so: %s", diff)
	}
	if diff := cmp.Diff([]string{"bash"}, names(db.Providers("sh"))); diff != "" {
		t.Errorf("sh: %s", diff)
	}
}

func plainCore(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open(core)
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	data, err := io.ReadAll(z)
	must(t, err)
	return data
}

func TestCompressionIsFoundByContent(t *testing.T) {
	plain := plainCore(t)
	want, err := syncdb.Parse(bytes.NewReader(plain), "core")
	must(t, err)
	forms := map[string][]byte{}
	enc, err := zstd.NewWriter(nil)
	must(t, err)
	forms["zstd"] = enc.EncodeAll(plain, nil)
	for _, tool := range []string{"xz", "bzip2"} {
		path := testkit.NeedTool(t, tool)
		cmd := exec.Command(path, "-c")
		cmd.Stdin = bytes.NewReader(plain)
		out, err := cmd.Output()
		must(t, err)
		forms[tool] = out
	}
	for name, data := range forms {
		path := filepath.Join(t.TempDir(), "core.db.tar.gz") // whatever it is called
		must(t, os.WriteFile(path, data, 0o644))
		got, err := syncdb.Open(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want.Packages(), got.Packages()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if _, err := syncdb.Parse(bytes.NewReader(data[:len(data)-30]), "core"); !errors.Is(err, pkgfile.ErrTruncated) {
			t.Errorf("%s, cut off: %v", name, err)
		}
	}
	if _, err := syncdb.Parse(iotest.OneByteReader(bytes.NewReader(plain)), "core"); err != nil {
		t.Errorf("byte by byte: %v", err)
	}
}

func TestBothLayoutsAndFiles(t *testing.T) {
	want := &desc.Package{Name: "a", Version: "1-1", Description: "d", Depends: []string{"b"}, Conflicts: []string{"c"}}
	old := archive(t,
		file{"a-1-1/", ""},
		file{"a-1-1/depends", "%DEPENDS%\nb\n\n%CONFLICTS%\nc\n"}, // before desc, too
		file{"a-1-1/desc", record("a", "1-1", "%DESC%\nd\n")},
	)
	db, err := syncdb.Parse(bytes.NewReader(old), "x")
	must(t, err)
	if diff := cmp.Diff([]*desc.Package{want}, db.Packages()); diff != "" {
		t.Errorf("old layout: %s", diff)
	}
	want.Files = []string{"usr/", "usr/b"}
	all := archive(t,
		file{"./b-1-1/desc", record("b", "1-1", "")},
		file{"a-1-1/desc", record("a", "1-1", "%DESC%\nd\n\n%DEPENDS%\nb\n\n%CONFLICTS%\nc\n")},
		file{"a-1-1/files", "%FILES%\nusr/\nusr/b"},
		file{"a-1-1/deltas", "%DELTAS%\nx\n"},
		file{"a-1-1/deeper/desc", "no record"},
		file{"README", "no record"},
	)
	db, err = syncdb.Parse(bytes.NewReader(all), "x")
	must(t, err)
	if diff := cmp.Diff(want, db.Package("a")); diff != "" {
		t.Errorf("files: %s", diff)
	}
	if len(db.Packages()) != 2 {
		t.Errorf("packages: %v", names(db.Packages()))
	}
	db, err = syncdb.Parse(bytes.NewReader(archive(t)), "x")
	if err != nil || len(db.Packages()) != 0 || db.Package("a") != nil || db.Group("g") != nil {
		t.Errorf("an empty database: %v", err)
	}
}

func TestLongNames(t *testing.T) {
	long := strings.Repeat("long-name-", 20) + "x" // more than ustar takes
	version := "1-1"
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatGNU} {
		text := record(long, version, "")
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		must(t, w.WriteHeader(&tar.Header{Name: long + "-" + version + "/desc", Mode: 0o644, Size: int64(len(text)), Format: format}))
		_, err := io.WriteString(w, text)
		must(t, err)
		must(t, w.Close())
		db, err := syncdb.Parse(&buf, "x")
		if err != nil || db.Package(long) == nil {
			t.Errorf("%v: %v", format, err)
		}
	}
}

func TestRefused(t *testing.T) {
	a := file{"a-1-1/desc", record("a", "1-1", "")}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"an error page":           {[]byte("<html>" + strings.Repeat("not found ", 100)), pkgfile.ErrFormat},
		"a short error page":      {[]byte("404"), pkgfile.ErrFormat},
		"nothing":                 {nil, pkgfile.ErrTruncated},
		"cut off in a record":     {archive(t, a)[:600], pkgfile.ErrTruncated},
		"cut off between records": {archive(t, a)[:1024], pkgfile.ErrTruncated},
		"a flipped header bit":    {flip(archive(t, a, file{"b-1-1/desc", record("b", "1-1", "")}), 1024+5), pkgfile.ErrCorrupt},
		"a malformed number":      {archive(t, file{a.name, a.text + "%CSIZE%\nx\n"}), desc.ErrNumber},
		"a hostile name":          {archive(t, file{a.name, record("../../x", "1-1", "")}), desc.ErrName},
		"a hostile file name":     {archive(t, file{a.name, a.text + "%FILENAME%\n../x\n"}), desc.ErrName},
		"a hostile directory":     {archive(t, file{"../a-1-1/desc", a.text}), desc.ErrPath},
		"an absolute directory":   {archive(t, file{"/a-1-1/desc", a.text}), desc.ErrPath},
		"a hostile path in files": {archive(t, a, file{"a-1-1/files", "%FILES%\n../../etc/passwd\n"}), desc.ErrPath},
		"another package inside":  {archive(t, file{a.name, record("b", "1-1", "")}), desc.ErrMismatch},
		"another version inside":  {archive(t, file{a.name, record("a", "2-1", "")}), desc.ErrMismatch},
		"no desc":                 {archive(t, file{"a-1-1/files", "%FILES%\nx\n"}), desc.ErrMissing},
		"a package twice":         {archive(t, a, file{"a-2-1/desc", record("a", "2-1", "")}), syncdb.ErrDuplicate},
	} {
		_, err := syncdb.Parse(bytes.NewReader(c.data), "x")
		var e *syncdb.Error
		if !errors.Is(err, c.want) || !errors.As(err, &e) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
			continue
		}
		if e.ExitCode() != 5 || e.Hint() == "" || !strings.Contains(err.Error(), "database x") {
			t.Errorf("%s: %v, exit code %d, hint %q", name, err, e.ExitCode(), e.Hint())
		}
	}
	var where *desc.Error
	_, err := syncdb.Parse(bytes.NewReader(archive(t, file{a.name, a.text + "%CSIZE%\nx\n"})), "x")
	if !errors.As(err, &where) || where.DB != "x" || where.Entry != "a-1-1" || where.Line != 8 {
		t.Errorf("%v does not say where", err)
	}
	broken := errors.New("the disk fails")
	if _, err := syncdb.Parse(io.MultiReader(bytes.NewReader(plainCore(t)[:5000]), iotest.ErrReader(broken)), "x"); !errors.Is(err, broken) {
		t.Errorf("a failing disk: %v", err)
	}
	if _, err := syncdb.Open(filepath.Join(t.TempDir(), "x.db")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func flip(data []byte, at int) []byte {
	data[at] ^= 1
	return data
}

func TestBombs(t *testing.T) {
	a := file{"a-1-1/desc", record("a", "1-1", "")}
	big := archive(t, a, file{"b-1-1/README", strings.Repeat("\x00", 1<<20)})
	record := archive(t, file{"a-1-1/desc", a.text + "%DESC%\n" + strings.Repeat("x", 1<<20)})
	for name, c := range map[string]struct {
		data []byte
		lim  syncdb.Limits
	}{
		"size":    {big, syncdb.Limits{MaxSize: 1 << 19}},
		"entries": {archive(t, a, a, a), syncdb.Limits{MaxEntries: 2}},
		"record":  {record, syncdb.Limits{MaxRecord: 1 << 19}},
	} {
		if _, err := syncdb.ParseLimited(bytes.NewReader(c.data), "x", c.lim); !errors.Is(err, pkgfile.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := syncdb.Parse(bytes.NewReader(big), "x"); err != nil {
		t.Error(err)
	}
	if _, err := syncdb.Parse(bytes.NewReader(record), "x"); err != nil {
		t.Errorf("a record larger than the buffer: %v", err)
	}
}

func TestNameOf(t *testing.T) {
	for path, want := range map[string]string{
		"/x/core.db": "core", "core.db.tar.gz": "core", "extra.files": "extra", "a.dbx.db": "a.dbx", "plain": "plain", ".db": ".db",
	} {
		if got := syncdb.NameOf(path); got != want {
			t.Errorf("NameOf(%q) = %q, want %q", path, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(plainCore(f)[:6144])
	for _, name := range []string{core, "testdata/signed.db.tar.zst", "testdata/signed.files.tar.zst"} { // all by repo-add
		data, err := os.ReadFile(name)
		must(f, err)
		f.Add(data)
	}
	f.Add(archive(f, file{"a-1-1/desc", record("a", "1-1", "")}, file{"a-1-1/files", "%FILES%\nusr/\n"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		db, err := syncdb.ParseLimited(bytes.NewReader(data), "x", syncdb.Limits{MaxSize: 16 << 20})
		if err != nil {
			return
		}
		for _, p := range db.Packages() {
			if db.Package(p.Name) != p || desc.CheckName(p.Name) != nil {
				t.Fatalf("package %q", p.Name)
			}
		}
	})
}
