// SPDX-License-Identifier: GPL-3.0-or-later

package disk_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/boot"
	bootesp "github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/disk"
	"github.com/rastos/rastos/internal/disk/esptest"
	"github.com/rastos/rastos/internal/disk/fat32"
	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/host/linux"
	"github.com/rastos/rastos/internal/host/loop"
	"github.com/rastos/rastos/internal/testkit"
)

var ids = disk.IDs{
	Disk: "aaaaaaaa-1111-2222-3333-444444444444",
	ESP:  "bbbbbbbb-1111-2222-3333-444444444444",
	Root: "cccccccc-1111-2222-3333-444444444444",
}

func clock() time.Time { return time.Date(2024, 5, 6, 7, 8, 10, 0, time.UTC) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tool(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(testkit.NeedTool(t, argv[0]), argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// built makes an image with a table and an ESP in it.
func built(t *testing.T) (string, disk.Layout) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	l, err := disk.System(1<<30, 64<<20, "x86_64", ids)
	must(t, err)
	im, err := disk.Create(path, l.Size)
	must(t, err)
	defer im.Discard()
	must(t, disk.WriteTable(im.File, l))
	esp, err := disk.FormatESP(im.File, l.Partitions[0], "ESP", 0xcafe0001, clock)
	must(t, err)
	must(t, esp.MkdirAll("EFI/BOOT"))
	must(t, esp.WriteFile("EFI/BOOT/BOOTX64.EFI", bytes.Repeat([]byte("MZ"), 50_000)))
	must(t, im.Publish(true))
	return path, l
}

func TestSgdiskFindsNoFaultInTheTable(t *testing.T) {
	path, l := built(t)
	if out := tool(t, "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk -v:\n%s", out)
	}
	for number, want := range map[string][]string{
		"1": {"C12A7328-F81F-11D2-BA4B-00A0C93EC93B", strings.ToUpper(ids.ESP), "First sector: 2048", "Partition size: 131072", "'esp'"},
		"2": {"4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", strings.ToUpper(ids.Root), "'rastos'"},
	} {
		out := tool(t, "sgdisk", "-i", number, path)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("partition %s has no %q:\n%s", number, w, out)
			}
		}
	}
	if out := tool(t, "sgdisk", "-p", path); !strings.Contains(out, strings.ToUpper(ids.Disk)) {
		t.Errorf("sgdisk -p:\n%s", out)
	}
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	got, err := disk.ReadTable(f)
	must(t, err)
	if got.GUID != l.GUID || got.Size != l.Size || len(got.Partitions) != 2 || got.Partitions[0] != l.Partitions[0] || got.Partitions[1] != l.Partitions[1] {
		t.Errorf("read\n%+v, wrote\n%+v", got, l)
	}
}

func TestTheESPOfAnImageIsCleanAndOpensAgain(t *testing.T) {
	path, l := built(t)
	part, err := l.Find(strings.ToUpper(disk.TypeESP))
	must(t, err)
	// fsck.fat knows no offset: give it the partition alone.
	alone := filepath.Join(t.TempDir(), "esp.img")
	tool(t, "dd", "if="+path, "of="+alone, "bs=1M", "skip=1", "count=64", "status=none")
	tool(t, "fsck.fat", "-n", alone)
	if out := tool(t, "mdir", "-b", "-i", path+"@@1M", "::EFI/BOOT"); !strings.Contains(out, "BOOTX64.EFI") {
		t.Errorf("mdir:\n%s", out)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	esp, err := disk.OpenESP(f, part, clock)
	must(t, err)
	if data, err := esp.ReadFile("EFI/BOOT/BOOTX64.EFI"); err != nil || len(data) != 100_000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := disk.OpenESP(f, l.Partitions[1], clock); !errors.Is(err, fat32.ErrNotFAT32) {
		t.Errorf("the system partition as an ESP: %v", err)
	}
}

func TestReadTableRefusesWhatIsNoDiskOrTruncated(t *testing.T) {
	path, _ := built(t)
	must(t, os.Truncate(path, 100<<20))
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	if l, err := disk.ReadTable(f); err == nil {
		t.Errorf("a truncated image: %+v", l)
	}
	empty, err := os.Create(filepath.Join(t.TempDir(), "zeros"))
	must(t, err)
	defer empty.Close()
	must(t, empty.Truncate(64<<20))
	if l, err := disk.ReadTable(empty); err == nil {
		t.Errorf("an empty file: %+v", l)
	}
}

func TestArrangeAlignsAndKeepsInside(t *testing.T) {
	l, err := disk.System(2<<30, 100<<20+1, "x86_64", ids)
	must(t, err)
	at := int64(disk.Align)
	for _, p := range l.Partitions {
		if p.Start != at || p.Start%disk.Align != 0 || p.Size%disk.Align != 0 || p.Size <= 0 {
			t.Errorf("%+v after %d", p, at)
		}
		at = p.End()
	}
	if room := l.Size - at; room < 33*512 || room > disk.Align+33*512 {
		t.Errorf("%d bytes are left behind the last partition", room)
	}
	for name, err := range map[string]error{
		"too small":   second(disk.System(300<<20, 100<<20, "x86_64", ids)),
		"esp larger":  second(disk.System(1<<30, 2<<30, "x86_64", ids)),
		"empty":       second(disk.System(0, 0, "x86_64", ids)),
		"odd":         second(disk.Arrange(1<<30+1, "x", nil, 0)),
		"two rests":   second(disk.Arrange(1<<30, "x", []disk.Partition{{}, {}}, 0)),
		"negative":    second(disk.Arrange(1<<30, "x", []disk.Partition{{Size: -1}}, 0)),
		"overflowing": second(disk.Arrange(1<<30, "x", []disk.Partition{{Size: 1<<63 - 1}}, 0)),
	} {
		if err == nil {
			t.Errorf("%s was arranged", name)
		}
	}
	var small *disk.TooSmallError
	if _, err := disk.System(300<<20, 100<<20, "x86_64", ids); !errors.As(err, &small) || small.Hint() == "" {
		t.Errorf("%v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAnImageAppearsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "disk.img")
	must(t, os.WriteFile(path, []byte("old"), 0o644))
	im, err := disk.Create(path, 1<<20)
	must(t, err)
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Error("the target changed before Publish")
	}
	must(t, im.Discard())
	must(t, im.Discard())
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
	_, err = disk.Create(path, 1<<20) // as if killed
	must(t, err)
	im, err = disk.Create(path, 1<<20)
	must(t, err)
	defer im.Discard()
	must(t, im.Publish(false))
	must(t, im.Discard())
	if st, err := os.Stat(path); err != nil || st.Size() != 1<<20 {
		t.Errorf("%v, %v", st, err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
}

func TestSparsifyGivesRoomBackAndChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	data := make([]byte, 3<<20+1000)
	copy(data[1<<20:], bytes.Repeat([]byte{1}, 70_000))
	data[len(data)-1] = 2
	must(t, os.WriteFile(path, data, 0o644))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	saved, err := disk.Sparsify(f, linux.PunchHole)
	must(t, err)
	if saved < 2<<20 {
		t.Errorf("%d bytes came back", saved)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, data) {
		t.Error("the contents changed")
	}
	again, err := disk.Sparsify(f, linux.PunchHole)
	must(t, err)
	if again != 0 {
		t.Errorf("%d bytes came back a second time", again)
	}
}

// dirESP is a directory as an ESP; where the kernel has no vfat, that is all
// that can be tested here.
func dirESP(t *testing.T) *disk.DirESP {
	t.Helper()
	dir := t.TempDir()
	r, err := fsroot.Open(dir)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return disk.NewDirESP(r, func() (int64, error) {
		s, err := linux.FreeSpace(dir)
		return s.Available, err
	})
}

func TestDirESPContract(t *testing.T) {
	esptest.Run(t, esptest.Suite{Open: func(t *testing.T) esptest.ESP { return dirESP(t) }, PlainDirectory: true})
}

func TestTheContractOfBootHoldsInUserSpace(t *testing.T) {
	bootesp.Run(t, func(t *testing.T) boot.ESP {
		f, err := os.Create(filepath.Join(t.TempDir(), "esp"))
		must(t, err)
		t.Cleanup(func() { f.Close() })
		must(t, f.Truncate(50<<20))
		esp, err := disk.FormatESP(f, disk.Partition{Start: 1 << 20, Size: 40 << 20}, "ESP", 1, clock)
		must(t, err)
		return esp
	})
}

type programs struct{ t *testing.T }

func (p programs) Output(_ context.Context, argv ...string) ([]byte, error) {
	return exec.Command(testkit.NeedTool(p.t, argv[0]), argv[1:]...).CombinedOutput()
}

func TestMakeBtrfsOnAPartitionKeepsInsideOfIt(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedBtrfs(t)
	path, l := built(t)
	root := l.Partitions[1]
	dev, err := loop.Attach(path, root.Start, root.Size)
	must(t, err)
	defer dev.Detach()
	uuid := "dddddddd-1111-2222-3333-444444444444"
	must(t, disk.MakeBtrfs(t.Context(), programs{t}, dev.Path, disk.Btrfs{Label: "rastos", UUID: uuid}))
	show := tool(t, "btrfs", "filesystem", "show", dev.Path)
	if !strings.Contains(show, uuid) || !strings.Contains(show, "'rastos'") {
		t.Errorf("btrfs filesystem show:\n%s", show)
	}
	must(t, dev.Detach())
	tool(t, "sgdisk", "-v", path)
}
