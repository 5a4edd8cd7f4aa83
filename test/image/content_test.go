// SPDX-License-Identifier: GPL-3.0-or-later

package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

// bootPartition looks at the ESP with mtools.
func (b *built) bootPartition() {
	b.run("fsck.fat", "-n", b.esp)
	out := b.path("esp")
	b.must(os.Mkdir(out, 0o755))
	b.run("mcopy", "-s", "-n", "-i", b.esp, "::", out+"/")
	var files []string
	b.must(filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(out, path)
			files = append(files, name)
		}
		return err
	}))
	blob := regexp.MustCompile(`^rastos/([0-9a-f]{64})/(linux|initrd)$`)
	var others []string
	blobs := map[string]string{}
	for _, f := range files {
		m := blob.FindStringSubmatch(f)
		if m == nil {
			others = append(others, f)
			continue
		}
		sum := sha256.Sum256([]byte(b.text(filepath.Join(out, f))))
		if hex.EncodeToString(sum[:]) != m[1] {
			b.t.Errorf("%s has another content", f)
		}
		blobs[m[2]] = "/" + f
	}
	slices.Sort(others)
	want := []string{"EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi", "loader/entries/rastos-1+3.conf", "loader/loader.conf"}
	if !slices.Equal(others, want) {
		b.t.Errorf("the ESP holds %v, want %v", others, want)
	}
	entry := b.text(filepath.Join(out, "loader/entries/rastos-1+3.conf"))
	for _, want := range []string{"sort-key rastos", "version 1", "linux " + blobs["linux"], "initrd " + blobs["initrd"],
		"rootflags=subvol=/@rastos/nodes/1/root", " ro ", "rastos.deploy=1", "console=ttyS0"} {
		if !regexp.MustCompile(`(?m)` + strings.ReplaceAll(regexp.QuoteMeta(want), " ", `\s+`)).MatchString(entry) {
			b.t.Errorf("the boot entry has no %q:\n%s", want, entry)
		}
	}
	if loader := b.text(filepath.Join(out, "loader/loader.conf")); strings.Contains(loader, "default") {
		b.t.Errorf("loader.conf pins a default:\n%s", loader)
	}
}

// subvolumes are those of DESIGN.md and no others.
func (b *built) subvolumes() {
	var paths []string
	for line := range strings.Lines(b.run("btrfs", "subvolume", "list", b.top)) {
		paths = append(paths, strings.Fields(line)[8])
	}
	slices.Sort(paths)
	want := []string{"@cache", "@containers", "@home", "@local", "@log", "@root", "@rastos/deploy/1/etc.0", "@rastos/nodes/1/root", "@srv", "@swap", "@var"}
	slices.Sort(want)
	if !slices.Equal(paths, want) {
		b.t.Errorf("subvolumes %v, want %v", paths, want)
	}
	for path, flags := range map[string]string{"@rastos/nodes/1/root": "ro=true", "@rastos/deploy/1/etc.0": "ro=false", "@var": "ro=false"} {
		if out := b.run("btrfs", "property", "get", "-ts", filepath.Join(b.top, path), "ro"); strings.TrimSpace(out) != flags {
			b.t.Errorf("%s: %s", path, out)
		}
	}
	if out := b.run("btrfs", "subvolume", "get-default", b.top); !strings.Contains(out, "ID 5 ") {
		b.t.Errorf("the default subvolume is %s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(b.top, "@rastos/work/*")); len(left) != 0 {
		b.t.Errorf("work is left: %v", left)
	}
	for _, d := range []string{"dev", "proc", "sys", "run", "tmp", "efi", "etc", "var", "home", "root", "srv", "usr/local", "swap"} {
		if info, err := os.Lstat(filepath.Join(b.node, d)); err != nil || !info.IsDir() {
			b.t.Errorf("the sealed node has no mount point /%s: %v", d, err)
		}
	}
	for _, at := range []string{b.node, filepath.Join(b.top, "@var/..")} {
		if target, err := os.Readlink(filepath.Join(at, "var/lib/pacman/local")); err == nil && target != "../../../usr/lib/rastos/pacman/local" {
			b.t.Errorf("%s: the database link leads to %s", at, target)
		}
	}
	if target, err := os.Readlink(filepath.Join(b.top, "@var/lib/pacman/local")); err != nil || target != "../../../usr/lib/rastos/pacman/local" {
		b.t.Errorf("@var's database link leads to %q, %v", target, err)
	}
	if info, err := os.Stat(filepath.Join(b.top, "@swap/swapfile")); err != nil || info.Size() != 64<<20 || info.Mode().Perm() != 0o600 {
		b.t.Errorf("the swap file: %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(b.top, "@root")); err != nil || info.Mode().Perm() != 0o700 {
		b.t.Errorf("/root: %v, %v", info, err)
	}
}

// records are the JSON files of node, deployment and counters.
func (b *built) records() {
	var node struct {
		Number   int
		UUID     string
		Reason   string
		Manifest string
		Packages string
		Count    int `json:"package_count"`
		Kernel   string
	}
	b.must(json.Unmarshal([]byte(b.text(filepath.Join(b.top, "@rastos/nodes/1/node.json"))), &node))
	manifest := b.text(b.path("rastos.toml"))
	sum := sha256.Sum256([]byte(manifest))
	entries, err := filepath.Glob(filepath.Join(b.node, "usr/lib/rastos/pacman/local/*-*"))
	b.must(err)
	if node.Number != 1 || len(node.UUID) != 36 || node.Reason != "image build" || node.Manifest != hex.EncodeToString(sum[:]) ||
		node.Count != len(entries) || node.Count < 50 || len(node.Packages) != 64 {
		b.t.Errorf("node.json: %+v, %d packages", node, len(entries))
	}
	if _, err := os.Stat(filepath.Join(b.node, "usr/lib/modules", node.Kernel, "modules.dep")); err != nil {
		b.t.Error(err)
	}
	var deploy struct {
		Number, Node           int
		Etc, State, Options    string
		Kernel, Initrd, Reason string
	}
	b.must(json.Unmarshal([]byte(b.text(filepath.Join(b.top, "@rastos/deploy/1/deploy.json"))), &deploy))
	if deploy.Number != 1 || deploy.Node != 1 || deploy.Etc != "etc.0" || deploy.State != "armed" || len(deploy.Kernel) != 64 || len(deploy.Initrd) != 64 {
		b.t.Errorf("deploy.json: %+v", deploy)
	}
	var state struct{ Node, Deployment int }
	b.must(json.Unmarshal([]byte(b.text(filepath.Join(b.top, "@rastos/state.json"))), &state))
	if state.Node != 1 || state.Deployment != 1 {
		b.t.Errorf("state.json: %+v", state)
	}
}

// mayDiffer are the backup files that the manifest itself changes.
func mayDiffer() []string {
	return []string{"etc/fstab", "etc/group", "etc/gshadow", "etc/hosts", "etc/locale.conf", "etc/machine-id", "etc/pacman.conf",
		"etc/passwd", "etc/shadow", "etc/subgid", "etc/subuid"}
}

// pacman finds its database and every file as the packages have them.
func (b *built) pacman() {
	pacman := func(args ...string) string {
		return b.run(append([]string{"pacman", "--root", b.node, "--dbpath", filepath.Join(b.node, "var/lib/pacman")}, args...)...)
	}
	if out := pacman("-Dk"); !strings.Contains(out, "No database errors") {
		b.t.Errorf("-Dk: %s", out)
	}
	complaint := regexp.MustCompile(`(?m)^(error|warning): .*$`)
	for _, args := range []string{"-Qi", "-Ql", "-Q"} {
		if c := complaint.FindString(pacman(args)); c != "" {
			b.t.Errorf("%s: %s", args, c)
		}
	}
	backup := regexp.MustCompile(`^backup file: \S+: ` + regexp.QuoteMeta(b.node) + `/(\S+) \(`)
	for line := range strings.Lines(pacman("-Qkk")) {
		m := backup.FindStringSubmatch(line)
		switch {
		case strings.HasSuffix(line, " 0 altered files\n"):
		case m != nil && slices.Contains(mayDiffer(), m[1]):
		default:
			b.t.Errorf("-Qkk: %s", line)
		}
	}
}

// modes compares owners, modes and capabilities with the archives: what is
// lost there shows as a program that no longer works for others than root.
func (b *built) modes() {
	dir, _ := testkit.NeedRepo(b.t)
	special := 0
	archives, err := filepath.Glob(filepath.Join(dir, "*.pkg.tar.zst"))
	b.must(err)
	for _, archive := range archives {
		p, err := pkgfile.LoadInfo(archive)
		b.must(err)
		if _, err := os.Stat(filepath.Join(b.node, "usr/lib/rastos/pacman/local", p.Entry())); err != nil {
			continue
		}
		f, err := os.Open(archive)
		b.must(err)
		r, err := pkgfile.NewReader(f, pkgfile.Limits{})
		b.must(err)
		for {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			b.must(err)
			if strings.HasPrefix(h.Name, ".") || h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
				continue
			}
			special += b.mode(p.Name, h)
		}
		_ = r.Close()
		_ = f.Close()
	}
	if special < 5 {
		b.t.Errorf("only %d files with special bits: the test looks at the wrong thing", special)
	}
}

// mode compares one entry; it counts those with set-id or sticky bits.
func (b *built) mode(pkg string, h *tar.Header) int {
	info, err := os.Lstat(filepath.Join(b.node, h.Name))
	if err != nil {
		b.t.Errorf("%s: %v", pkg, err)
		return 0
	}
	st := info.Sys().(*syscall.Stat_t)
	if got, want := int64(st.Mode&0o7777), h.Mode&0o7777; got != want || int(st.Uid) != h.Uid || int(st.Gid) != h.Gid {
		b.t.Errorf("%s: /%s has mode %04o %d:%d, the archive %04o %d:%d", pkg, h.Name, got, st.Uid, st.Gid, want, h.Uid, h.Gid)
	}
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, "SCHILY.xattr.")
		if !ok {
			continue
		}
		buf := make([]byte, 1024)
		n, err := syscall.Getxattr(filepath.Join(b.node, h.Name), name, buf)
		if err != nil || !bytes.Equal(buf[:n], []byte(value)) {
			b.t.Errorf("%s: /%s lost %s: %v", pkg, h.Name, name, err)
		}
	}
	if h.Mode&0o7000 != 0 {
		return 1
	}
	return 0
}
