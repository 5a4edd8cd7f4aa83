// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tree turns a directory into the root of the child's mount namespace. All of
// it happens in the child: when that dies, the kernel takes the mounts along.
type tree struct {
	spec
	created []string // mount points that the tree did not have, to remove again
}

// mountPoints of a system tree and the modes that they have in Arch's
// filesystem package, so that one left behind by a kill is no defect.
var mountPoints = []struct {
	path string
	mode uint32
}{{"/proc", 0o555}, {"/sys", 0o555}, {"/dev", 0o755}, {"/run", 0o755}, {"/tmp", 0o1777}}

// devNodes are bound from the host, since mknod may be refused in a container.
var devNodes = []string{"null", "zero", "full", "random", "urandom", "tty"}

var devLinks = [][2]string{
	{"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
	{"/proc/self/fd/2", "/dev/stderr"}, {"pts/ptmx", "/dev/ptmx"},
}

func (t *tree) enter() error {
	if t.Keep {
		// The running system itself: only /proc has to fit the new pid namespace.
		if err := attach("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return err
		}
		return t.writeFiles()
	}
	host, err := openHost()
	if err != nil {
		return err
	}
	defer host.close()
	if err := t.pivot(host); err != nil {
		return err
	}
	for _, f := range []func() error{
		t.makeMountPoints,
		t.mountProc,
		mountSys,
		func() error { return mountDev(host) },
		func() error { return attach("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755") },
		func() error { return attach("tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777") },
		func() error { return t.bindResolvConf(host) },
		t.writeFiles,
	} {
		if err := f(); err != nil {
			return err
		}
	}
	return host.detach()
}

// leave takes away what enter had to add to the tree itself.
func (t *tree) leave() {
	for i := len(t.created) - 1; i >= 0; i-- {
		_ = unix.Unmount(t.created[i], unix.MNT_DETACH)
		if os.Remove(t.created[i]) != nil { // for instance busy: a bind below /dev
			_ = unix.Unmount(t.created[i], unix.MNT_DETACH)
			_ = os.Remove(t.created[i])
		}
	}
}

// host holds what is needed of the old root while it is still attached:
// descriptors, since its paths are gone after the pivot.
type host struct {
	root   int
	nodes  map[string]int
	resolv int  // -1: the host has none
	moved  bool // by MS_MOVE: the old root lies below and cannot be detached
}

func openHost() (*host, error) {
	h := &host{nodes: map[string]int{}, resolv: -1}
	var err error
	if h.root, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, step("open /", err)
	}
	for _, n := range devNodes {
		fd, err := unix.Open("/dev/"+n, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			h.close()
			return nil, step("open /dev/"+n, err)
		}
		h.nodes[n] = fd
	}
	if fd, err := unix.Open("/etc/resolv.conf", unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
		h.resolv = fd
	}
	return h, nil
}

func (h *host) close() {
	for _, fd := range h.nodes {
		unix.Close(fd)
	}
	if h.resolv >= 0 {
		unix.Close(h.resolv)
	}
	unix.Close(h.root)
}

// detach takes the old root out of the namespace.
func (h *host) detach() error {
	if h.moved {
		return nil
	}
	if err := unix.Fchdir(h.root); err != nil {
		return step("enter the old root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return step("detach the old root", err)
	}
	return step("chdir /", unix.Chdir("/"))
}

// pivot makes the tree the root. It need not be a mount point: it is bound
// onto itself first, with what is mounted below it.
func (t *tree) pivot(h *host) error {
	if err := unix.Mount(t.Root, t.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return step("bind "+t.Root, err)
	}
	if err := unix.Chdir(t.Root); err != nil {
		return step("chdir "+t.Root, err)
	}
	err := unix.PivotRoot(".", ".")
	if err == nil {
		return step("chdir /", unix.Chdir("/"))
	}
	// The host runs from an initramfs, whose root cannot be pivoted away.
	if !errors.Is(err, unix.EINVAL) {
		return step("pivot_root "+t.Root, err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return step("move "+t.Root+" to /", err)
	}
	if err := unix.Chroot("."); err != nil {
		return step("chroot "+t.Root, err)
	}
	h.moved = true
	return step("chdir /", unix.Chdir("/"))
}

// makeMountPoints adds what a tree lacks before its filesystem package is in.
func (t *tree) makeMountPoints() error {
	for _, m := range mountPoints {
		if _, err := os.Stat(m.path); err == nil {
			continue
		}
		if err := unix.Mkdir(m.path, m.mode); err != nil {
			return step(mountPointOp+m.path, err)
		}
		t.created = append(t.created, m.path)
	}
	return nil
}

// mountProc gives the new pid namespace its /proc, with the switches of the
// host's kernel read-only: sysctls are not in any of our namespaces.
func (t *tree) mountProc() error {
	if err := attach("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	for _, p := range []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"} {
		if _, err := os.Lstat(p); err != nil {
			continue
		}
		if err := bindReadOnly(p, p); err != nil {
			return err
		}
	}
	return nil
}

func mountSys() error {
	flags := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	err := unix.Mount("sysfs", "/sys", "sysfs", flags, "")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) {
		return nil // a container that keeps it from us: an empty /sys will do
	}
	return step("mount sysfs on /sys", err)
}

func mountDev(h *host) error {
	if err := attach("tmpfs", "/dev", "tmpfs", unix.MS_NOSUID, "mode=0755,size=1m"); err != nil {
		return err
	}
	for _, n := range devNodes {
		dst := "/dev/" + n
		fd, err := unix.Open(dst, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o666)
		if err != nil {
			return step("create "+dst, err)
		}
		unix.Close(fd)
		if err := attach(fmt.Sprintf("/proc/self/fd/%d", h.nodes[n]), dst, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	for _, l := range devLinks {
		if err := os.Symlink(l[0], l[1]); err != nil {
			return step("link "+l[1], err)
		}
	}
	for _, d := range []string{"/dev/pts", "/dev/shm"} {
		if err := unix.Mkdir(d, 0o755); err != nil {
			return step("make "+d, err)
		}
	}
	if err := attach("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return err
	}
	return attach("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")
}

// bindResolvConf shows the host's resolver configuration to a program that may
// use the network. The tree's own is often a link into /run, which is empty here.
func (t *tree) bindResolvConf(h *host) error {
	if !t.Network || h.resolv < 0 {
		return nil
	}
	const path = "/etc/resolv.conf"
	target := path
	if link, err := os.Readlink(path); err == nil {
		target = filepath.Join("/etc", link)
		if filepath.IsAbs(link) {
			target = filepath.Clean(link)
		}
	}
	if _, err := os.Stat(target); err != nil {
		if !strings.HasPrefix(target, "/run/") && !strings.HasPrefix(target, "/tmp/") && target != path {
			return nil // a link to somewhere odd: not ours to make
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return step("make the directory of "+target, err)
		}
		if err := os.WriteFile(target, nil, 0o644); err != nil {
			return step("create "+target, err)
		}
		if target == path {
			t.created = append(t.created, path)
		}
	}
	src := fmt.Sprintf("/proc/self/fd/%d", h.resolv)
	return step("bind the host's "+path, bindReadOnly(src, target))
}

// writeFiles puts the files of RunWithFiles in place, each in a directory that
// is made for it.
func (t *tree) writeFiles() error {
	for path, content := range t.Files {
		clean := filepath.Clean(path)
		dir := filepath.Dir(clean)
		if parent := filepath.Dir(dir); parent != "/tmp" && parent != "/run" {
			return step("write "+path, errors.New("a file must be at /tmp/<dir>/<name> or /run/<dir>/<name>"))
		}
		switch err := os.Mkdir(dir, 0o700); {
		case err == nil && t.Keep: // the live system's own /tmp
			t.created = append(t.created, dir)
		case err != nil && (t.Keep || !errors.Is(err, os.ErrExist)):
			return step("make "+dir, err)
		}
		if err := os.WriteFile(clean, content, 0o600); err != nil {
			return step("write "+clean, err)
		}
		if t.Keep {
			t.created = append(t.created, clean)
		}
	}
	return nil
}

func bindReadOnly(src, dst string) error {
	if err := attach(src, dst, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	return step("remount "+dst+" read-only", unix.Mount("", dst, "", flags, ""))
}

func attach(src, dst, fstype string, flags uintptr, data string) error {
	what := fstype
	if what == "" {
		what = src
	}
	return step("mount "+what+" on "+dst, unix.Mount(src, dst, fstype, flags, data))
}
