// SPDX-License-Identifier: GPL-3.0-or-later

package mount_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rastos/rastos/internal/host/mount"
	"github.com/rastos/rastos/internal/testkit"
)

func TestParseOptions(t *testing.T) {
	const ro, noatime, bind, rec = syscall.MS_RDONLY, syscall.MS_NOATIME, syscall.MS_BIND, syscall.MS_REC
	for in, want := range map[string]mount.Options{
		"":                                   {},
		"defaults":                           {},
		"ro,noatime":                         {Flags: ro | noatime},
		"ro,rw":                              {},
		"noatime,subvol=/@a,compress=zstd:3": {Flags: noatime, Data: "subvol=/@a,compress=zstd:3"},
		"rbind,ro":                           {Flags: bind | rec | ro},
		" x-systemd.automount,nofail,_netdev, ssd ": {Data: "ssd"},
		"bind,rprivate": {Flags: bind, Propagation: []uintptr{syscall.MS_PRIVATE | rec}},
	} {
		got := mount.ParseOptions(in)
		if got.Flags != want.Flags || got.Data != want.Data || len(got.Propagation) != len(want.Propagation) {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

// private runs a test body in a mount namespace of its own.
func private(t *testing.T, body func(dir string)) {
	t.Helper()
	testkit.NeedRoot(t)
	dir := t.TempDir()
	if err := mount.Private(func() error { body(dir); return nil }); err != nil {
		t.Fatal(err)
	}
	if ms, err := mount.Under(dir); err != nil || len(ms) != 0 {
		t.Errorf("mounts of a private namespace are seen outside: %v, %v", ms, err)
	}
}

func TestMountFlagsReachTheMount(t *testing.T) {
	private(t, func(dir string) {
		if err := mount.Mount("none", dir, "tmpfs", "noatime,nosuid,size=1m,mode=700"); err != nil {
			t.Error(err)
			return
		}
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Error(err)
		}
		const nosuid, noatime = 0x2, 0x400 // ST_NOSUID, ST_NOATIME
		if st.Flags&nosuid == 0 || st.Flags&noatime == 0 {
			t.Errorf("the flags of the mount are %#x", st.Flags)
		}
		if is, err := mount.IsMountPoint(dir); err != nil || !is {
			t.Errorf("IsMountPoint: %v, %v", is, err)
		}
		if err := mount.Unmount(dir); err != nil {
			t.Error(err)
		}
		if err := mount.Unmount(dir); err != nil {
			t.Errorf("unmounting what is not mounted: %v", err)
		}
		if is, err := mount.IsMountPoint(dir); err != nil || is {
			t.Errorf("IsMountPoint after: %v, %v", is, err)
		}
	})
}

func TestBindReadOnlyIsReadOnly(t *testing.T) {
	private(t, func(dir string) {
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
		for _, d := range []string{src, dst} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Error(err)
			}
		}
		if err := mount.Mount(src, dst, "", "bind,ro,private"); err != nil {
			t.Error(err)
			return
		}
		if err := os.WriteFile(filepath.Join(dst, "f"), nil, 0o644); !errors.Is(err, syscall.EROFS) {
			t.Errorf("a read-only bind mount took a write: %v", err)
		}
		if err := os.WriteFile(filepath.Join(src, "f"), nil, 0o644); err != nil {
			t.Errorf("the source became read-only: %v", err)
		}
	})
}

func TestReleaseUnmountsTheDeepestFirstAndDetachesTheBusy(t *testing.T) {
	private(t, func(dir string) {
		inner := filepath.Join(dir, "a b", "c")
		if err := mount.Mount("none", dir, "tmpfs", ""); err != nil {
			t.Error(err)
			return
		}
		if err := os.MkdirAll(inner, 0o755); err != nil {
			t.Error(err)
		}
		if err := mount.Mount("none", inner, "tmpfs", ""); err != nil {
			t.Error(err)
		}
		if ms, err := mount.Under(dir); err != nil || len(ms) != 2 || ms[1].Target != inner || ms[1].Type != "tmpfs" {
			t.Errorf("%+v, %v", ms, err)
		}
		if err := mount.Release(dir, 0); err != nil {
			t.Error(err)
		}
		if err := mount.Mount("none", dir, "tmpfs", ""); err != nil {
			t.Error(err)
		}
		f, err := os.Create(filepath.Join(dir, "open"))
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if err := mount.Release(dir, 0); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("a busy mount: %v", err)
		}
		if ms, err := mount.Under(dir); err != nil || len(ms) != 0 {
			t.Errorf("left: %+v, %v", ms, err)
		}
	})
}

func TestProgramsSeeThePrivateNamespace(t *testing.T) {
	private(t, func(dir string) {
		if err := mount.Mount("none", dir, "tmpfs", ""); err != nil {
			t.Error(err)
			return
		}
		if err := os.WriteFile(filepath.Join(dir, "seen"), nil, 0o644); err != nil {
			t.Error(err)
		}
		if out, err := exec.Command("ls", dir).Output(); err != nil || string(out) != "seen\n" {
			t.Errorf("ls: %q, %v", out, err)
		}
	})
}

func TestErrorNamesSourceTargetAndTheMissingModule(t *testing.T) {
	private(t, func(dir string) {
		err := mount.Mount("none", dir, "nosuchfs", "")
		var e *mount.Error
		if !errors.As(err, &e) || e.ExitCode() != 9 || e.Hint() == "" {
			t.Errorf("%v", err)
		}
		if err == nil || err.Error() != "mount none on "+dir+": no such device" {
			t.Errorf("%v", err)
		}
	})
}
