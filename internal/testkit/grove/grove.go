// SPDX-License-Identifier: GPL-3.0-or-later

// Package grove grows trees of files by chance and changes them, in all the ways
// that a file system knows and a copy can get wrong: hard links, renames over
// each other, holes, reflinks, devices, attributes, odd names. Walk reads a tree
// the slow and plain way, to hold against whatever read it cleverly.
package grove

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Grove changes one tree.
type Grove struct {
	t    testing.TB
	rnd  *rand.Rand
	root string
	made int
}

// New grows by a seed, so that what failed can be grown again.
func New(t testing.TB, root string, seed uint64) *Grove {
	return &Grove{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), root: root}
}

// Plant fills an empty tree with about n things.
func (g *Grove) Plant(n int) {
	for range n {
		g.make()
	}
}

// Change does n things to what is there.
func (g *Grove) Change(n int) {
	for range n {
		steps := []func(){
			g.make, g.make, g.make, g.rewrite, g.rewrite, g.same, g.truncate, g.remove, g.remove, g.rename, g.rename, g.rename,
			g.swap, g.link, g.chmod, g.chown, g.xattr, g.times, g.punch, g.clone, g.retype, g.grow,
		}
		steps[g.rnd.IntN(len(steps))]()
	}
}

func (g *Grove) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatalf("grow a tree: %v", err)
	}
}

// all lists what is there, without the root.
func (g *Grove) all(want func(fs.FileInfo) bool) (out []string) {
	g.must(filepath.WalkDir(g.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == g.root {
			return err
		}
		info, err := d.Info()
		if err == nil && want(info) {
			out = append(out, p)
		}
		return err
	}))
	return out
}

func anything(fs.FileInfo) bool    { return true }
func regular(i fs.FileInfo) bool   { return i.Mode().IsRegular() }
func directory(i fs.FileInfo) bool { return i.IsDir() }

// one picks something that is there; "" where nothing is.
func (g *Grove) one(want func(fs.FileInfo) bool) string {
	list := g.all(want)
	if len(list) == 0 {
		return ""
	}
	return list[g.rnd.IntN(len(list))]
}

// fresh is a name that is free, in some directory.
func (g *Grove) fresh() string {
	dirs := append(g.all(directory), g.root)
	odd := []string{"", " with space", "ü", "\n", "\\", strings.Repeat("long", 40), "'\"", "\xff"}[g.rnd.IntN(16)%8]
	dir := dirs[g.rnd.IntN(len(dirs))]
	for {
		g.made++ // another grove may have planted here before
		p := filepath.Join(dir, fmt.Sprintf("%d%s", g.made, odd))
		if _, err := os.Lstat(p); err != nil {
			return p
		}
	}
}

func (g *Grove) bytes(n int) []byte {
	out := make([]byte, n)
	word := byte(g.rnd.Uint32())
	for i := range out {
		if i%7 == 0 {
			word = byte(g.rnd.Uint32())
		}
		out[i] = word
	}
	return out
}

func (g *Grove) size() int {
	return []int{0, 1, 100, 4096, 5000, 70000, 200000, 400000}[g.rnd.IntN(8)]
}

func (g *Grove) make() {
	p := g.fresh()
	switch g.rnd.IntN(14) {
	case 0, 1, 2:
		g.must(os.Mkdir(p, 0o755))
	case 3:
		g.must(os.Symlink(fmt.Sprintf("../target-%d", g.rnd.IntN(9)), p))
	case 4:
		g.must(unix.Mkfifo(p, 0o640))
	case 5:
		g.must(unix.Mknod(p, unix.S_IFCHR|0o620, int(unix.Mkdev(1, uint32(g.rnd.IntN(9))))))
	case 6:
		g.must(unix.Mknod(p, unix.S_IFSOCK|0o600, 0))
	default:
		g.must(os.WriteFile(p, g.bytes(g.size()), 0o644))
		if g.rnd.IntN(4) == 0 {
			g.must(os.Chmod(p, []fs.FileMode{0o755 | fs.ModeSetuid, 0o600, 0o2755, 0o444}[g.rnd.IntN(4)]))
		}
	}
}

func (g *Grove) rewrite() {
	if p := g.one(regular); p != "" {
		f, err := os.OpenFile(p, os.O_RDWR, 0)
		g.must(err)
		_, err = f.WriteAt(g.bytes(1+g.rnd.IntN(9000)), int64(g.rnd.IntN(100000)))
		g.must(err)
		g.must(f.Close())
	}
}

// same writes what is there already: in place, or to a new file of that name.
func (g *Grove) same() {
	p := g.one(regular)
	if p == "" {
		return
	}
	data, err := os.ReadFile(p)
	g.must(err)
	if g.rnd.IntN(2) == 0 {
		g.must(os.WriteFile(p, data, 0o644))
		return
	}
	var st unix.Stat_t
	g.must(unix.Lstat(p, &st))
	g.must(os.WriteFile(p+".new", data, 0o644))
	g.must(os.Chown(p+".new", int(st.Uid), int(st.Gid)))
	g.must(unix.Chmod(p+".new", st.Mode&0o7777))
	g.must(os.Rename(p+".new", p))
}

func (g *Grove) truncate() {
	if p := g.one(regular); p != "" {
		g.must(os.Truncate(p, int64(g.rnd.IntN(60000))))
	}
}

func (g *Grove) grow() {
	if p := g.one(regular); p != "" {
		g.must(os.Truncate(p, int64(500000+g.rnd.IntN(60000))))
	}
}

func (g *Grove) remove() {
	if p := g.one(anything); p != "" {
		g.must(os.RemoveAll(p))
	}
}

func (g *Grove) rename() {
	from, to := g.one(anything), g.fresh()
	if from == "" || strings.HasPrefix(to, from+"/") {
		return
	}
	if over := g.one(regular); over != "" && g.rnd.IntN(3) == 0 {
		if info, err := os.Lstat(from); err == nil && !info.IsDir() {
			to = over
		}
	}
	g.must(os.Rename(from, to))
}

// swap exchanges two names.
func (g *Grove) swap() {
	a, b := g.one(anything), g.one(anything)
	if a == "" || a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/") {
		return
	}
	g.must(unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE))
}

func (g *Grove) link() {
	if p := g.one(regular); p != "" {
		g.must(os.Link(p, g.fresh()))
	}
}

func (g *Grove) chmod() {
	p := g.one(func(i fs.FileInfo) bool { return i.Mode()&fs.ModeSymlink == 0 })
	if p != "" {
		g.must(unix.Chmod(p, uint32([]int{0o700, 0o4755, 0o644, 0o1777}[g.rnd.IntN(4)])))
	}
}

func (g *Grove) chown() {
	if p := g.one(anything); p != "" {
		g.must(os.Lchown(p, g.rnd.IntN(3)*1000, g.rnd.IntN(3)*1000))
	}
}

func (g *Grove) xattr() {
	p := g.one(func(i fs.FileInfo) bool { return i.Mode().IsRegular() || i.IsDir() })
	if p == "" {
		return
	}
	if g.rnd.IntN(3) == 0 {
		if err := unix.Lremovexattr(p, "user.grove"); err != unix.ENODATA {
			g.must(err)
		}
		return
	}
	g.must(unix.Lsetxattr(p, "user.grove", g.bytes(g.rnd.IntN(300)), 0))
	if info, err := os.Lstat(p); err == nil && info.Mode().IsRegular() && g.rnd.IntN(3) == 0 {
		// cap_net_raw+ep, as setcap writes it
		g.must(unix.Lsetxattr(p, "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	}
}

func (g *Grove) times() {
	if p := g.one(regular); p != "" {
		at := time.Unix(int64(g.rnd.IntN(1<<30)), int64(g.rnd.IntN(1e9)))
		g.must(os.Chtimes(p, at, at))
	}
}

func (g *Grove) punch() {
	if p := g.one(regular); p != "" {
		f, err := os.OpenFile(p, os.O_RDWR, 0)
		g.must(err)
		g.must(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 4096, 8192))
		g.must(f.Close())
	}
}

func (g *Grove) clone() {
	p := g.one(regular)
	if p == "" {
		return
	}
	src, err := os.Open(p)
	g.must(err)
	defer src.Close()
	dst, err := os.OpenFile(g.fresh(), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	g.must(err)
	g.must(unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())))
	g.must(dst.Close())
}

// retype puts something else where something was.
func (g *Grove) retype() {
	if p := g.one(anything); p != "" {
		g.must(os.RemoveAll(p))
		if g.rnd.IntN(2) == 0 {
			g.must(os.Mkdir(p, 0o755))
		} else {
			g.must(os.Symlink("elsewhere", p))
		}
	}
}

// File is all that counts of a name in a tree.
type File struct {
	Mode     uint32 // with the type, as the kernel has it
	UID, GID uint32
	Size     int64
	Dev      uint64
	Mtime    string // but for directories' and links'
	Target   string
	SHA256   string
	Links    string // its other names
	Xattrs   string
}

// Walk reads a tree, name by name and byte by byte.
func Walk(t testing.TB, root string) map[string]File {
	t.Helper()
	out, names := map[string]File{}, map[uint64][]string{}
	inode := map[string]uint64{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		f, ino, err := look(p)
		out[rel], inode[rel] = f, ino
		names[ino] = append(names[ino], rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for rel, f := range out {
		if all := names[inode[rel]]; len(all) > 1 {
			f.Links = fmt.Sprintf("%q", all)
			out[rel] = f
		}
	}
	return out
}

func look(p string) (File, uint64, error) {
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return File{}, 0, err
	}
	f := File{Mode: st.Mode, UID: st.Uid, GID: st.Gid}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		f.Target, err = os.Readlink(p)
	case unix.S_IFREG:
		var data []byte
		data, err = os.ReadFile(p)
		sum := sha256.Sum256(data)
		f.SHA256, f.Size = hex.EncodeToString(sum[:8]), st.Size
		f.Mtime = time.Unix(st.Mtim.Unix()).UTC().String()
	case unix.S_IFCHR, unix.S_IFBLK:
		f.Dev = st.Rdev
	}
	if err == nil {
		f.Xattrs, err = xattrs(p)
	}
	return f, st.Ino, err
}

func xattrs(p string) (string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(p, buf)
	if err != nil || n == 0 {
		return "", err
	}
	var out strings.Builder
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		value := make([]byte, 64<<10)
		m, err := unix.Lgetxattr(p, name, value)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s=%x\n", name, value[:m])
	}
	return out.String(), nil
}
