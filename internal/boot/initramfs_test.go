// SPDX-License-Identifier: GPL-3.0-or-later

package boot_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/cpio"
	"github.com/rastos/rastos/internal/boot/modlist"
	"github.com/rastos/rastos/internal/testkit"
)

// fakeModule is the smallest ELF file with a section .modinfo.
func fakeModule(fields ...string) []byte {
	info := strings.Join(fields, "\x00") + "\x00"
	names := "\x00.modinfo\x00.shstrtab\x00"
	le := binary.LittleEndian
	var b []byte
	b = append(b, "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	b = le.AppendUint16(b, 1)  // relocatable
	b = le.AppendUint16(b, 62) // x86-64
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint64(b, uint64(64+len(info)+len(names)))
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 0, 0, 64, 3, 2} {
		b = le.AppendUint16(b, v)
	}
	b = append(b, info...)
	b = append(b, names...)
	section := func(name, kind uint32, off, size int) {
		b = le.AppendUint32(b, name)
		b = le.AppendUint32(b, kind)
		for _, v := range []uint64{0, 0, uint64(off), uint64(size), 0, 1, 0} {
			b = le.AppendUint64(b, v)
		}
	}
	section(0, 0, 0, 0)
	section(1, 1, 64, len(info))
	section(10, 3, 64+len(info), len(names))
	// sh_link and sh_info are one 64-bit field above; the layout is the same.
	return b
}

func compressed(t *testing.T, how string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch how {
	case "gz":
		w = gzip.NewWriter(&b)
	case "zst":
		w, err = zstd.NewWriter(&b)
	}
	must(t, err)
	_, err = w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func fakeKernel(t *testing.T) fstest.MapFS {
	t.Helper()
	file := func(data []byte) *fstest.MapFile { return &fstest.MapFile{Data: data} }
	return fstest.MapFS{
		"modules.builtin":         file([]byte("kernel/fs/fat/vfat.ko\nkernel/lib/built-in-dep.ko\n")),
		"modules.dep":             file([]byte("garbage that must not matter")),
		"kernel/fs/btrfs.ko.zst":  file(compressed(t, "zst", fakeModule("depends=xor,raid6-pq,built_in_dep", "softdep=pre: crypto-crc32c pre: soft post: never"))),
		"kernel/lib/xor.ko.gz":    file(compressed(t, "gz", fakeModule("depends="))),
		"kernel/lib/raid6-pq.ko":  file(fakeModule("depends=xor")),
		"kernel/lib/soft.ko":      file(fakeModule("name=soft")),
		"kernel/drivers/nvme.ko":  file(fakeModule("depends=nvme-core", "alias=pci:v*d*sv*sd*bc01sc08i02*", "alias=fs-x")),
		"kernel/drivers/core.ko":  file(fakeModule("depends=")),
		"updates/nvme-core.ko":    file(fakeModule("depends=core", "x=updated")),
		"kernel/d/nvme-core.ko":   file(fakeModule("depends=", "x=old")),
		"kernel/d/broken.ko":      file([]byte("no ELF")),
		"kernel/d/needsbad.ko":    file(fakeModule("depends=nonesuch")),
		"kernel/d/circle-a.ko":    file(fakeModule("depends=circle_b")),
		"kernel/d/circle-b.ko":    file(fakeModule("depends=circle-a")),
		"kernel/d/unused.ko":      file(fakeModule("depends=")),
		"build/not-a-module.ko.c": file(nil),
	}
}

func build(t *testing.T, spec boot.InitramfsSpec) (boot.InitramfsManifest, map[string]cpio.Entry) {
	t.Helper()
	var b bytes.Buffer
	m, err := boot.WriteInitramfs(&b, spec)
	must(t, err)
	if m.Size != int64(b.Len()) || m.SHA256 != boot.Sum(b.Bytes()) {
		t.Errorf("the manifest says %d bytes, %s", m.Size, m.SHA256)
	}
	z, err := zstd.NewReader(&b)
	must(t, err)
	defer z.Close()
	files := map[string]cpio.Entry{}
	for r := cpio.NewReader(z); ; {
		e, err := r.Next()
		if err == io.EOF {
			return m, files
		}
		must(t, err)
		if i := strings.LastIndexByte(e.Name, '/'); i > 0 {
			if _, before := files[e.Name[:i]]; !before {
				t.Errorf("%s comes before its folder", e.Name)
			}
		}
		files[e.Name] = e
	}
}

func TestInitramfsHoldsWhatIsNeeded(t *testing.T) {
	m, files := build(t, boot.InitramfsSpec{
		Init: []byte("init"), Release: "6.1-test", Modules: fakeKernel(t),
		Wanted: []string{"btrfs", "vfat", "overlay"}, Hardware: []string{"nvme"},
		Files: []boot.InitramfsFile{{Path: "etc/extra", Mode: 0o600, Data: []byte("x")}},
	})
	if want := []string{"xor", "raid6_pq", "soft", "btrfs", "core", "nvme_core", "nvme"}; !slices.Equal(m.Modules, want) {
		t.Errorf("modules %v, want %v", m.Modules, want)
	}
	if !slices.Equal(m.Missing, []string{"overlay"}) {
		t.Errorf("missing %v", m.Missing)
	}
	if e := files["init"]; e.Mode != cpio.Regular|0o755 || string(e.Data) != "init" {
		t.Errorf("init: %+v", e)
	}
	if e := files["dev/console"]; e.Mode != cpio.CharDev|0o600 || e.Major != 5 || e.Minor != 1 {
		t.Errorf("console: %+v", e)
	}
	if e := files["lib/modules/kernel/lib/xor.ko"]; !bytes.HasPrefix(e.Data, []byte("\x7fELF")) {
		t.Error("a compressed module was not unpacked")
	}
	if e := files["lib/modules/updates/nvme-core.ko"]; !bytes.Contains(e.Data, []byte("x=updated")) {
		t.Error("updates/ does not come first")
	}
	if _, there := files["lib/modules/kernel/d/unused.ko"]; there {
		t.Error("an unused module is there")
	}
	list, err := modlist.Decode(files[modlist.Path].Data)
	must(t, err)
	var always []string
	for _, mod := range list.Modules {
		if mod.Always {
			always = append(always, mod.Name)
		}
		if mod.Name == "nvme" && (!slices.Equal(mod.Needs, []string{"core", "nvme_core"}) || len(mod.Aliases) != 1) {
			t.Errorf("nvme: %+v", mod)
		}
	}
	if !slices.Equal(always, []string{"btrfs"}) || list.Release != "6.1-test" {
		t.Errorf("always %v, release %s", always, list.Release)
	}
}

func TestInitramfsIsReproducible(t *testing.T) {
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		_, err := boot.WriteInitramfs(w, boot.InitramfsSpec{Init: bytes.Repeat([]byte("init"), 1<<18), Modules: fakeKernel(t)})
		must(t, err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two builds differ")
	}
}

func TestInitramfsRefusals(t *testing.T) {
	var missing *boot.MissingModuleError
	for name, c := range map[string]struct {
		change  func(*boot.InitramfsSpec)
		missing bool
	}{
		"a required module is not there":  {func(s *boot.InitramfsSpec) { s.Required = []string{"zfs"} }, true},
		"what a required one needs":       {func(s *boot.InitramfsSpec) { s.Required = []string{"needsbad"} }, true},
		"a module that is no ELF file":    {func(s *boot.InitramfsSpec) { s.Wanted = []string{"broken"} }, false},
		"modules that need each other":    {func(s *boot.InitramfsSpec) { s.Wanted = []string{"circle_a"} }, false},
		"no init":                         {func(s *boot.InitramfsSpec) { s.Init = nil }, false},
		"a file that is there already":    {func(s *boot.InitramfsSpec) { s.Files = []boot.InitramfsFile{{Path: "init"}} }, false},
		"a file outside of the initramfs": {func(s *boot.InitramfsSpec) { s.Files = []boot.InitramfsFile{{Path: "../x"}} }, false},
	} {
		spec := boot.InitramfsSpec{Init: []byte("i"), Modules: fakeKernel(t)}
		c.change(&spec)
		_, err := boot.WriteInitramfs(io.Discard, spec)
		if err == nil || errors.As(err, &missing) != c.missing {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestKernelWithoutModules(t *testing.T) {
	m, _ := build(t, boot.InitramfsSpec{Init: []byte("i")})
	if len(m.Modules) != 0 || len(m.Missing) != 0 {
		t.Errorf("manifest %+v", m)
	}
}

// TestRealKernel resolves the modules of a distribution's kernel.
func TestRealKernel(t *testing.T) {
	testkit.Integration(t)
	k := testkit.NeedKernel(t)
	m, files := build(t, boot.InitramfsSpec{Init: []byte("i"), Release: k.Version, Modules: os.DirFS(k.Modules)})
	t.Logf("%s: %d modules, %d KiB; missing %v; modules %v", k.Version, len(m.Modules), m.Size>>10, m.Missing, m.Modules)
	if _, err := modlist.Decode(files[modlist.Path].Data); err != nil {
		t.Error(err)
	}
}
