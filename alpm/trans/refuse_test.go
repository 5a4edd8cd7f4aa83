// SPDX-License-Identifier: GPL-3.0-or-later

package trans_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/testkit"
)

// refused runs a request that must fail and leave the root as it was.
func (l *lab) refused(req trans.Request, code int) error {
	l.t.Helper()
	before := snapshot(l.t, l.ours)
	_, err := l.try(req)
	if err == nil {
		l.t.Fatal("it was done")
	}
	var class interface{ ExitCode() int }
	if !errors.As(err, &class) || class.ExitCode() != code {
		l.t.Errorf("error %v (%T): want the exit code %d", err, err, code)
	}
	if after := snapshot(l.t, l.ours); !slices.Equal(before, after) {
		l.t.Errorf("the root was changed:\n%s\n\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	return err
}

func two() []spec {
	return []spec{
		{info: "a 1-1 depends=b", files: map[string]string{"usr/bin/a": "0755 a"}},
		{info: "b 1-1", files: map[string]string{"usr/bin/b": "0755 b"}},
	}
}

func TestWrongChecksumIsRefused(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.sync()
	path := filepath.Join(l.repoDir, "b-1-1-any.pkg.tar.zst")
	data, err := os.ReadFile(path)
	must(t, err)
	data[len(data)/2] ^= 1
	must(t, os.WriteFile(path, data, 0o644))
	l.refused(trans.Request{Targets: []string{"a"}}, 5)
}

func TestDamagedCacheIsDownloadedAgain(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.sync()
	cache := filepath.Join(l.dir, "cache-ours")
	must(t, os.MkdirAll(cache, 0o755))
	must(t, os.WriteFile(filepath.Join(cache, "b-1-1-any.pkg.tar.zst"), []byte("damaged"), 0o644))
	l.run(trans.Request{Targets: []string{"a"}})
}

func TestVerifiedCacheIsNotDownloadedAgain(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.run(trans.Request{Targets: []string{"a"}})
	l.run(trans.Request{Remove: []string{"a", "b"}})
	changed, err := trans.Sync(context.Background(), l.environment(), nil)
	must(t, err)
	if len(changed) != 0 {
		t.Errorf("changed without a change: %v", changed)
	}
	must(t, os.RemoveAll(l.repoDir))
	plan, err := l.try(trans.Request{Targets: []string{"a"}})
	must(t, err)
	if plan.Sizes.Download != 0 {
		t.Errorf("%d bytes to download", plan.Sizes.Download)
	}
	if !l.has(trans.EventVerify, "a-1-1") {
		t.Error("it was not verified again")
	}
}

// signed gives the environment a key, and the repository its signatures.
func (l *lab) signed(specs ...spec) (signer *keyring.Signer, sign func(path string)) {
	l.t.Helper()
	signer, err := keyring.GenerateKey("Packager", "p@example.org", epoch, rand.Reader)
	must(l.t, err)
	var public bytes.Buffer
	must(l.t, signer.WritePublic(&public))
	ring, err := keyring.FromKeys(&public)
	must(l.t, err)
	l.env = func(e *trans.Env) {
		e.Keyring = ring
		e.FileSigLevel = keyring.SigLevel{}
		e.Repos[0].SigLevel = keyring.SigLevel{} // required, trusted
	}
	sign = func(path string) {
		l.t.Helper()
		data, err := os.ReadFile(path)
		must(l.t, err)
		var sig bytes.Buffer
		must(l.t, signer.DetachSign(&sig, bytes.NewReader(data)))
		must(l.t, os.WriteFile(path+".sig", sig.Bytes(), 0o644))
	}
	l.publish(specs...)
	packages, err := filepath.Glob(filepath.Join(l.repoDir, "*.zst"))
	must(l.t, err)
	for _, p := range packages {
		sign(p)
	}
	sign(filepath.Join(l.repoDir, "core.db.tar.gz"))
	must(l.t, os.Symlink("core.db.tar.gz.sig", filepath.Join(l.repoDir, "core.db.sig")))
	return signer, sign
}

func TestSignedPackagesInstall(t *testing.T) {
	l := newLab(t)
	l.signed(two()...)
	l.run(trans.Request{Targets: []string{"a"}})
	desc, err := os.ReadFile(filepath.Join(l.ours, "var/lib/pacman/local/a-1-1/desc"))
	must(t, err)
	if !strings.Contains(string(desc), "%VALIDATION%\nsha256\npgp\n") {
		t.Errorf("desc:\n%s", desc)
	}
	if _, err := trans.Sync(context.Background(), l.environment(), nil); err != nil {
		t.Errorf("a second sync: %v", err)
	}
}

func TestMissingSignatureIsRefused(t *testing.T) {
	l := newLab(t)
	l.signed(two()...)
	l.sync()
	must(t, os.Remove(filepath.Join(l.repoDir, "b-1-1-any.pkg.tar.zst.sig")))
	err := l.refused(trans.Request{Targets: []string{"a"}}, 5)
	var ke *keyring.Error
	if !errors.As(err, &ke) || ke.Reason != keyring.Missing {
		t.Errorf("got %v", err)
	}
	err = l.refused(trans.Request{Files: []string{filepath.Join(l.repoDir, "b-1-1-any.pkg.tar.zst")}}, 5)
	if !errors.As(err, &ke) || ke.Reason != keyring.Missing {
		t.Errorf("as a file: got %v", err)
	}
}

func TestBadSignatureIsRefused(t *testing.T) {
	l := newLab(t)
	l.signed(two()...)
	l.sync()
	a := filepath.Join(l.repoDir, "a-1-1-any.pkg.tar.zst.sig")
	b := filepath.Join(l.repoDir, "b-1-1-any.pkg.tar.zst.sig")
	must(t, os.Rename(a, b)) // a good signature, of something else
	err := l.refused(trans.Request{Targets: []string{"b"}}, 5)
	var ke *keyring.Error
	if !errors.As(err, &ke) || ke.Reason != keyring.Bad {
		t.Errorf("got %v", err)
	}
}

func TestSignatureOfAStrangerIsRefused(t *testing.T) {
	l := newLab(t)
	l.signed(two()...)
	l.sync()
	stranger, err := keyring.GenerateKey("Stranger", "s@example.org", epoch, rand.Reader)
	must(t, err)
	path := filepath.Join(l.repoDir, "b-1-1-any.pkg.tar.zst")
	data, err := os.ReadFile(path)
	must(t, err)
	var sig bytes.Buffer
	must(t, stranger.DetachSign(&sig, bytes.NewReader(data)))
	must(t, os.WriteFile(path+".sig", sig.Bytes(), 0o644))
	l.refused(trans.Request{Targets: []string{"b"}}, 5)
}

func TestUnsignedDatabaseIsRefused(t *testing.T) {
	l := newLab(t)
	l.signed(two()...)
	l.sync()
	old := filepath.Join(l.ours, "var/lib/pacman/sync/core.db")
	before, err := os.ReadFile(old)
	must(t, err)
	l.publish(spec{info: "evil 1-1"})
	_, err = trans.Sync(context.Background(), l.environment(), nil)
	var ve *trans.VerifyError
	if !errors.As(err, &ve) || ve.ExitCode() != 5 {
		t.Fatalf("got %v", err)
	}
	if after, err := os.ReadFile(old); err != nil || !bytes.Equal(before, after) {
		t.Error("the old database is gone")
	}
	if left, _ := filepath.Glob(filepath.Join(l.ours, "var/lib/pacman/sync/.new*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUnsignedByDefaultIsRefused(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.env = func(e *trans.Env) { e.Repos[0].SigLevel = keyring.SigLevel{} }
	_, err := trans.Sync(context.Background(), l.environment(), nil)
	var ve *trans.VerifyError
	if !errors.As(err, &ve) {
		t.Fatalf("got %v", err)
	}
}

func TestNoDatabase(t *testing.T) {
	l := newLab(t)
	_, err := l.try(trans.Request{Targets: []string{"a"}})
	if !errors.Is(err, trans.ErrNoDatabase) {
		t.Fatalf("got %v", err)
	}
}

func TestUnknownPackageIsRefused(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.sync()
	err := l.refused(trans.Request{Targets: []string{"aa"}}, 4)
	var nf *solve.NotFoundError
	if !errors.As(err, &nf) || len(nf.Near) == 0 {
		t.Errorf("got %v", err)
	}
}

func TestFilesInTheWayAreRefused(t *testing.T) {
	l := newLab(t)
	l.publish(append(two(),
		spec{info: "c 1-1", files: map[string]string{"usr/bin/b": "another"}},
		spec{info: "d 1-1", files: map[string]string{"usr/share/": "", "usr/share/x": "1"}},
		spec{info: "e 1-1", files: map[string]string{"usr/lib": "a file"}},
		spec{info: "f 1-1", files: map[string]string{"usr/lib/f": "below it"}})...)
	l.sync()
	conflicts := func(err error) []trans.FileConflict {
		t.Helper()
		var fc *trans.FileConflictError
		if !errors.As(err, &fc) {
			t.Fatalf("got %v", err)
		}
		return fc.Conflicts
	}
	got := conflicts(l.refused(trans.Request{Targets: []string{"b", "c"}}, 4))
	if want := (trans.FileConflict{Package: "b", Other: "c", Path: "usr/bin/b"}); len(got) != 1 || got[0] != want {
		t.Errorf("between targets: %+v", got)
	}
	conflicts(l.refused(trans.Request{Targets: []string{"e", "f"}}, 4))

	must(t, os.MkdirAll(filepath.Join(l.ours, "usr/bin"), 0o755))
	must(t, os.WriteFile(filepath.Join(l.ours, "usr/bin/b"), []byte("stray"), 0o644))
	got = conflicts(l.refused(trans.Request{Targets: []string{"a"}}, 4))
	if want := (trans.FileConflict{Package: "b", Path: "usr/bin/b"}); len(got) != 1 || got[0] != want {
		t.Errorf("a stray file: %+v", got)
	}
	must(t, os.Remove(filepath.Join(l.ours, "usr/bin/b")))
	l.run(trans.Request{Targets: []string{"b"}})
	got = conflicts(l.refused(trans.Request{Targets: []string{"c"}}, 4))
	if want := (trans.FileConflict{Package: "c", Path: "usr/bin/b", Owner: "b"}); len(got) != 1 || got[0] != want {
		t.Errorf("an owned file: %+v", got)
	}
	// A link where the package has a directory is in the way, even to one; only
	// by permission it goes.
	must(t, os.Mkdir(filepath.Join(l.ours, "elsewhere"), 0o755))
	must(t, os.Symlink("/elsewhere", filepath.Join(l.ours, "usr/share")))
	got = conflicts(l.refused(trans.Request{Targets: []string{"d"}, Options: trans.Options{Overwrite: []string{"usr/share"}}}, 4))
	if want := (trans.FileConflict{Package: "d", Path: "usr/share/"}); len(got) != 1 || got[0] != want {
		t.Errorf("a link for a directory: %+v", got)
	}
	// So is a directory that a person put in the place of an installed file.
	must(t, os.Remove(filepath.Join(l.ours, "usr/bin/b")))
	must(t, os.Mkdir(filepath.Join(l.ours, "usr/bin/b"), 0o755))
	conflicts(l.refused(trans.Request{Targets: []string{"b"}}, 4))
	// A directory where the package has a file is in the way as well.
	must(t, os.MkdirAll(filepath.Join(l.ours, "usr/lib/mine"), 0o755))
	conflicts(l.refused(trans.Request{Targets: []string{"e"}}, 4))
}

func TestHeldLockIsRefused(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.sync()
	path := filepath.Join(l.ours, "var/lib/pacman/db.lck")
	must(t, os.WriteFile(path, nil, 0)) // as pacman's is: empty, mode 0000
	err := l.refused(trans.Request{Targets: []string{"a"}}, 10)
	if !strings.Contains(err.Error(), path) {
		t.Errorf("the error does not name the lock: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error("pacman's lock was removed")
	}
}

func TestFullDiskIsRefused(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	l := newLab(t)
	l.publish(spec{info: "a 1-1", files: map[string]string{"usr/a": "1"}},
		spec{info: "big 1-1", files: map[string]string{"usr/big": strings.Repeat("0123456789abcdef", 1<<18)}})
	must(t, syscall.Mount("none", l.ours, "tmpfs", 0, "size=2m"))
	t.Cleanup(func() { _ = syscall.Unmount(l.ours, syscall.MNT_DETACH) })
	l.sync()
	l.env = func(e *trans.Env) { e.Space = statfs{} }
	err := l.refused(trans.Request{Targets: []string{"a", "big"}}, 7)
	var se *trans.SpaceError
	if !errors.As(err, &se) {
		t.Errorf("got %v", err)
	}
	// Without the check beforehand it fails in the middle: the package before
	// is whole, the one that failed is not in the database.
	l.env = nil
	plan, err := l.try(trans.Request{Targets: []string{"a", "big"}})
	var pe *trans.PackageError
	var class interface{ ExitCode() int }
	if !errors.As(err, &pe) || pe.Package != "big" || !errors.As(err, &class) || class.ExitCode() != 7 {
		t.Fatalf("got %v (plan %v)", err, plan)
	}
	if _, err := os.Stat(filepath.Join(l.ours, "var/lib/pacman/local/big-1-1")); err == nil {
		t.Error("big counts as installed")
	}
}

type statfs struct{}

func (statfs) FileSystem(path string) (trans.FileSystem, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return trans.FileSystem{}, err
	}
	return trans.FileSystem{ID: uint64(st.Fsid.X__val[0]), Free: int64(st.Bavail) * st.Bsize, Total: int64(st.Blocks) * st.Bsize, BlockSize: st.Bsize}, nil
}

func TestArchiveThatLiesIsRefused(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.sync()
	// The right name and checksum, another package inside.
	dir := t.TempDir()
	fake := spec{info: "b 1-1 depends=c", files: map[string]string{"usr/bin/b": "1"}}.build(t, dir)
	env := l.environment()
	plan, err := trans.Prepare(context.Background(), env, trans.Request{Targets: []string{"b"}})
	must(t, err)
	info, err := pkgfile.LoadInfo(fake)
	must(t, err)
	data, err := os.ReadFile(fake)
	must(t, err)
	must(t, os.MkdirAll(env.CacheDir, 0o755))
	must(t, os.WriteFile(filepath.Join(env.CacheDir, info.Filename), data, 0o644))
	p := *plan.Install[0].Package
	p.SHA256, p.MD5, p.CompressedSize = "", "", 0
	plan.Install[0].Package = &p
	err = trans.Run(context.Background(), env, plan, nil)
	if !errors.Is(err, trans.ErrMismatch) {
		t.Fatalf("got %v", err)
	}
}

func TestPlanIsJSON(t *testing.T) {
	l := newLab(t)
	l.publish(two()...)
	l.sync()
	ctx := context.Background()
	env := l.environment()
	plan, err := trans.Prepare(ctx, env, trans.Request{Targets: []string{"a"}})
	must(t, err)
	if plan.Sizes.Download == 0 || plan.Sizes.Installed == 0 {
		t.Errorf("sizes %+v", plan.Sizes)
	}
	data, err := json.Marshal(plan)
	must(t, err)
	var again trans.Plan
	must(t, json.Unmarshal(data, &again))
	must(t, trans.Run(ctx, env, &again, nil))
	if got := again.Why("b"); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("why b: %v", got)
	}
	// Now it is out of date.
	err = trans.Run(ctx, env, plan, nil)
	var stale *trans.StaleError
	if !errors.As(err, &stale) {
		t.Errorf("an old plan: %v", err)
	}
}
