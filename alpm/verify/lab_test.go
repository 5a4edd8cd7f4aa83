// SPDX-License-Identifier: GPL-3.0-or-later

package verify_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/hook"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/verify"
	"github.com/rastos/rastos/internal/testkit"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const built = 1700000000

// lab is a root that the real pacman installed packages into.
type lab struct {
	t         *testing.T
	root      string
	noExtract []string
}

func newLab(t *testing.T, noExtract ...string) *lab {
	t.Helper()
	testkit.NeedTool(t, "pacman")
	testkit.NeedRoot(t)
	l := &lab{t: t, root: filepath.Join(t.TempDir(), "root"), noExtract: noExtract}
	must(t, os.MkdirAll(l.dbpath(), 0o755))
	return l
}

func (l *lab) dbpath() string { return filepath.Join(l.root, "var/lib/pacman") }

func (l *lab) at(path string) string { return filepath.Join(l.root, path) }

// entry is one file of a package: "dir/", "-> target", "fifo", or its content.
type entry struct {
	path, value string
	mode        int64
	uid, gid    int
}

// install makes a package and has pacman install it.
func (l *lab) install(p *desc.Package, opt pkgfile.WriterOptions, entries ...entry) {
	l.t.Helper()
	path := filepath.Join(l.t.TempDir(), p.Entry()+"-any.pkg.tar.zst")
	f, err := os.Create(path)
	must(l.t, err)
	defer f.Close()
	opt.Epoch, opt.Fast = time.Unix(built, 0), true
	w, err := pkgfile.NewWriter(f, p, opt)
	must(l.t, err)
	for _, e := range entries {
		h := &tar.Header{Name: e.path, Typeflag: tar.TypeReg, Mode: e.mode, Uid: e.uid, Gid: e.gid, Size: int64(len(e.value))}
		if h.Mode == 0 {
			h.Mode = 0o644
			if strings.HasSuffix(e.path, "/") {
				h.Mode = 0o755
			}
		}
		if target, ok := strings.CutPrefix(e.value, "-> "); ok {
			h.Typeflag, h.Linkname, h.Mode, h.Size = tar.TypeSymlink, target, 0o777, 0
		} else if strings.HasSuffix(e.path, "/") {
			h.Typeflag = tar.TypeDir
		} else if e.value == "fifo" {
			h.Typeflag, h.Size = tar.TypeFifo, 0
		}
		must(l.t, w.Add(h, strings.NewReader(e.value[:h.Size])))
	}
	must(l.t, w.Close())
	if _, stderr := l.pacman(nil, "--noconfirm", "-U", path); strings.Contains(stderr, "error:") {
		l.t.Fatal(stderr)
	}
}

func pkg(name string) *desc.Package {
	return &desc.Package{Name: name, Base: name, Version: "1:1.0-1", Arch: "any", Description: name, Packager: "Nobody",
		URL: "https://example.org", Licenses: []string{"MIT"}, BuildDate: built}
}

// pacman runs the real one on the root; cred is who runs it, nil for root.
func (l *lab) pacman(cred *syscall.Credential, args ...string) (stdout, stderr string) {
	l.t.Helper()
	conf := filepath.Join(l.root, "../pacman.conf")
	text := "[options]\nArchitecture = auto\nLocalFileSigLevel = Never\n"
	for _, p := range l.noExtract {
		text += "NoExtract = " + p + "\n"
	}
	must(l.t, os.WriteFile(conf, []byte(text), 0o644))
	cmd := exec.Command("pacman", append([]string{"--config", conf, "--root", l.root, "--dbpath", l.dbpath(),
		"--cachedir", l.at("../cache"), "--hookdir", l.at("../hooks"), "--logfile", l.at("../log")}, args...)...)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		l.t.Fatalf("pacman %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), errs.String()
}

// check runs ours.
func (l *lab) check(opt verify.Options) []verify.Result {
	l.t.Helper()
	db, err := localdb.Open(filepath.Join(l.dbpath(), "local"))
	must(l.t, err)
	opt.Root, opt.Local = l.root, filepath.Join(l.dbpath(), "local")
	opt.NoExtract = hook.Compile(l.noExtract).Match
	var results []verify.Result
	must(l.t, verify.Check(l.t.Context(), db, db.Packages(), opt, func(r verify.Result) error {
		results = append(results, r)
		return r.Err
	}))
	return results
}

// render prints results as pacman does.
func render(results []verify.Result, full bool) (stdout, stderr string) {
	var out, errs strings.Builder
	wrong := "missing"
	if full {
		wrong = "altered"
	}
	for _, r := range results {
		for _, f := range r.Findings {
			switch {
			case f.Backup:
				fmt.Fprintf(&out, "backup file: %s\n", f)
			case f.Kind == verify.LinkUnread:
				fmt.Fprintf(&errs, "error: %s\n", f)
			default:
				fmt.Fprintf(&errs, "warning: %s\n", f)
			}
		}
		if r.NoMtree {
			fmt.Fprintf(&out, "%s: no mtree file\n", r.Package.Name)
			continue
		}
		fmt.Fprintf(&out, "%s: %d total file%s, %d %s file%s\n", r.Package.Name, r.Files, plural(r.Files), r.Altered, wrong, plural(r.Altered))
	}
	return out.String(), errs.String()
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// same holds our findings against pacman's, line by line.
func (l *lab) same() {
	l.t.Helper()
	for _, full := range []bool{false, true} {
		flag := "-Qk"
		if full {
			flag = "-Qkk"
		}
		wantOut, wantErr := l.pacman(nil, flag)
		for _, both := range []bool{false, true} {
			out, errs := render(l.check(verify.Options{Full: full, BothDigests: both}), full)
			if diff := cmp.Diff(wantOut, out); diff != "" {
				l.t.Errorf("pacman %s, output (both digests: %v): %s", flag, both, diff)
			}
			if diff := cmp.Diff(wantErr, errs); diff != "" {
				l.t.Errorf("pacman %s, warnings (both digests: %v): %s", flag, both, diff)
			}
		}
	}
}
