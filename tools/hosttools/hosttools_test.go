// SPDX-License-Identifier: GPL-3.0-or-later

package hosttools

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/internal/testkit"
)

// tools are the programs that the script itself runs.
func tools() []string { return []string{"sh", "sort", "tr", "sed", "id", "cat", "chmod"} }

// wanted are the programs that it looks for, as stubs; files are looked for on
// the real host.
func wanted() []string {
	return []string{"pacman", "repo-add", "makepkg", "vercmp", "mkfs.btrfs", "qemu-system-x86_64", "qemu-img", "mcopy", "fsck.fat",
		"sgdisk", "mkfs.ext4", "zstd", "xz", "bsdtar", "gpg", "busybox", "fakeroot", "systemctl", "systemd-firstboot", "script", "setpriv", "gcc",
		"python3", "curl", "pkg-config", "openssl", "ssh", "sshd", "docker-registry", "dot"}
}

// host makes a folder that is all of PATH, with stubs for all but the missing
// programs and an apt-get that writes down its arguments.
func host(t *testing.T, aptGet string, missing ...string) (dir, log string) {
	t.Helper()
	dir = t.TempDir()
	log = filepath.Join(dir, "apt.log")
	for _, name := range tools() {
		if err := os.Symlink(testkit.NeedTool(t, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range wanted() {
		if !slices.Contains(missing, name) {
			stub(t, filepath.Join(dir, name), "exit 0")
		}
	}
	stub(t, filepath.Join(dir, "apt-get"), "echo \"$*\" >> "+log+"\n"+aptGet)
	return dir, log
}

func stub(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// run runs the script with PATH as its only source of programs.
func run(t *testing.T, dir string, args ...string) (output string, code int) {
	t.Helper()
	text, err := os.ReadFile("host-tools.sh")
	if err != nil {
		t.Fatal(err)
	}
	// The real sbin folders hold the real programs; here they must not count.
	script := strings.Replace(string(text), `PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"`, "", 1)
	if script == string(text) {
		t.Fatal("the script has changed: its PATH line is not found")
	}
	path := filepath.Join(dir, "script")
	if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "sh"), append([]string{path}, args...)...)
	cmd.Env = []string{"PATH=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func needFiles(t *testing.T) {
	t.Helper()
	testkit.NeedOVMF(t)
	testkit.NeedTool(t, "gcc") // and so the C library's headers
}

func TestNothingIsDoneWhenAllIsThere(t *testing.T) {
	needFiles(t)
	dir, log := host(t, "exit 1")
	out, code := run(t, dir)
	if code != 0 || out != "host programs: all there\n" {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("apt-get was called")
	}
}

func TestWhatIsMissingIsSaidAndInstalled(t *testing.T) {
	needFiles(t)
	testkit.NeedRoot(t)
	dir, log := host(t, "", "sgdisk", "mcopy")
	stub(t, filepath.Join(dir, "apt-get"), "echo \"$*\" >> "+log+
		"\nfor p in sgdisk mcopy; do echo > "+dir+"/$p; chmod +x "+dir+"/$p; done")
	out, code := run(t, dir)
	if code != 0 || !strings.Contains(out, "host programs: installing gdisk mtools\n") {
		t.Errorf("exit %d: %s", code, out)
	}
	calls, err := os.ReadFile(log)
	if err != nil || !strings.HasSuffix(string(calls), "install --no-install-recommends gdisk mtools\n") || strings.Count(string(calls), "\n") != 1 {
		t.Errorf("apt-get was called so: %s (%v)", calls, err)
	}
}

func TestAFailedInstallationFails(t *testing.T) {
	needFiles(t)
	testkit.NeedRoot(t)
	for name, apt := range map[string]string{"apt-get fails": "exit 100", "apt-get does nothing": "exit 0"} {
		dir, _ := host(t, apt, "sgdisk")
		if out, code := run(t, dir, "--lenient"); code == 0 {
			t.Errorf("%s: exit 0: %s", name, out)
		}
	}
}
