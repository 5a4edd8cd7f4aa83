// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// TestDemoListInstallsAndRuns makes the repository of the demo, has pacman
// install all of it into an empty root, and uses what is there.
func TestDemoListInstallsAndRuns(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedRoot(t)
	for _, name := range []string{"apt-get", "pacman", "gpg", "chroot"} {
		testkit.NeedTool(t, name)
	}
	dir := scratch(t)
	repository, root := filepath.Join(dir, "repo"), filepath.Join(dir, "root")
	args := []string{
		"--list", "../../profiles/demo.packages", "--local", "../../profiles/demo/hello-service-1.package",
		"--out", repository, "--cache", "../../build/cache", "--sign", "--trim", "--level", "fast",
	}
	if err := run(t.Context(), args, testWriter{t}); err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, root, repository, "demo")
	g.pacman("-Sy")
	g.pacman(append([]string{"-S", "--noprogressbar"}, strings.Fields(g.pacman("-Slq", "demo"))...)...)
	g.verify()

	device(t, root)
	for command, want := range map[string]string{
		"systemctl --version":                                    "systemd 252",
		"ls -d /usr/bin/ls":                                      "/usr/bin/ls",
		"id nobody":                                              "uid=65534(nobody) gid=65534(nogroup)",
		"ldconfig -p":                                            "libc.so.6 (libc6,x86-64",
		"cat /etc/os-release":                                    "ID=rastos",
		"sshd -? 2>&1 || :":                                      "OpenSSH",
		"pacman -Q bash --dbpath /var/lib/pacman":                "bash 5",
		"echo a b | awk '{ print $2 }'":                          "b",
		"modprobe -S $(ls /usr/lib/modules) -R btrfs":            "btrfs",
		"systemctl is-enabled hello-service getty@tty1":          "enabled\nenabled",
		"systemctl is-enabled systemd-networkd-wait-online || :": "disabled",
		"ldd /usr/bin/* 2> /dev/null | grep 'not found' || echo complete": "complete",
	} {
		out, err := exec.Command("chroot", root, "/bin/bash", "-lc", command).CombinedOutput()
		if err != nil && want != "" || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %q holds no %q", command, err, out, want)
		}
	}
	for _, name := range []string{
		"usr/lib/modules/*/modules.dep", "usr/lib/modules/*/vmlinuz", "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
		"etc/ssh/sshd_config", "efi", "etc/pam.d/common-auth", "usr/share/libalpm/hooks/60-depmod.hook",
	} {
		if found, err := filepath.Glob(filepath.Join(root, name)); err != nil || len(found) != 1 {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
}

// scratch is a folder in memory where there is room: the disk would only make
// it slow.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "debrepo-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// device makes the one device that shell scripts cannot do without.
func device(t *testing.T, root string) {
	t.Helper()
	if out, err := exec.Command("mknod", "-m", "666", filepath.Join(root, "dev/null"), "c", "1", "3").CombinedOutput(); err != nil {
		t.Fatalf("mknod: %v: %s", err, out)
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
