// SPDX-License-Identifier: GPL-3.0-or-later

package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// NeedBtrfs asks for all that BtrfsDisk needs.
func NeedBtrfs(t testing.TB) {
	t.Helper()
	NeedRoot(t)
	NeedKernelFS(t, "btrfs")
	for _, name := range []string{"mkfs.btrfs", "mount", "umount"} {
		NeedTool(t, name)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		missing(t, "loop devices in the kernel")
	}
}

// BtrfsDisk mounts the top level of a fresh btrfs file system on a loop device
// and returns its directory. It is unmounted and gone when the test ends. The
// image is sparse, in memory where /dev/shm has the room. It calls NeedBtrfs;
// the caller calls Integration where the test is one.
//
// It uses the host's programs and not our own packages, so that these can be
// tested with it. btrfs needs about 110 MB at least.
func BtrfsDisk(t testing.TB, sizeMB int) (topLevelDir string) {
	t.Helper()
	NeedBtrfs(t)
	dir, err := os.MkdirTemp(DiskFolder(int64(sizeMB)<<20), "rastos-test-disk-")
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: its removal would descend into the mount if unmounting failed.
	image, top := filepath.Join(dir, "disk.img"), filepath.Join(dir, "top")
	t.Cleanup(func() {
		os.Remove(image)
		os.Remove(top)
		os.Remove(dir)
	})
	if err := os.Mkdir(top, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := sparse(image, int64(sizeMB)<<20); err != nil {
		t.Fatal(err)
	}
	command(t, "mkfs.btrfs", "-q", "-f", "-L", "rastos-test", image)
	// mount's own loop handling sets autoclear: the device goes with the mount.
	command(t, "mount", "-o", "loop,noatime", image, top)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-R", top).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", top, err, out)
			_ = exec.Command("umount", "-R", "-l", top).Run()
		}
	})
	return top
}

// DiskFolder is where images of disks of that size are best: in memory, since syncs
// to a slow disk are no part of any test. It is "" where that lacks the room.
func DiskFolder(size int64) string {
	const shm = "/dev/shm"
	var st syscall.Statfs_t
	if syscall.Statfs(shm, &st) == nil && int64(st.Bavail)*st.Bsize > 2*size {
		return shm
	}
	return ""
}

func sparse(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		f.Close()
		return fmt.Errorf("make %s: %w", path, err)
	}
	return f.Close()
}

// command runs a host program that must succeed and returns its output.
func command(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command(NeedTool(t, argv[0]), argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", argv, err, out)
	}
	return string(out)
}
