// SPDX-License-Identifier: GPL-3.0-or-later

package disk

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/rastos/rastos/internal/disk/fat32"
)

// region is a partition inside of a disk or image; nothing reaches over its ends.
type region struct {
	f           *os.File
	start, size int64
}

func (r region) ReadAt(p []byte, off int64) (int, error) {
	return io.NewSectionReader(r.f, r.start, r.size).ReadAt(p, off)
}

func (r region) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > r.size || int64(len(p)) > r.size-off {
		return 0, fmt.Errorf("write %d bytes at %d of a partition of %d: %w", len(p), off, r.size, syscall.ENOSPC)
	}
	return r.f.WriteAt(p, r.start+off)
}

func (r region) Sync() error { return r.f.Sync() }

// FormatESP makes an empty FAT32 file system in a partition and opens it.
// serial is its UUID for Linux (XXXX-XXXX); now gives the times of files.
func FormatESP(f *os.File, p Partition, label string, serial uint32, now func() time.Time) (*fat32.FS, error) {
	dev := region{f, p.Start, p.Size}
	err := fat32.Format(dev, p.Size, fat32.Options{
		Label: label, Serial: serial, HiddenSectors: uint32(p.Start / sectorSize), Time: now(),
	})
	if err != nil {
		return nil, fmt.Errorf("format the EFI system partition of %s: %w", f.Name(), err)
	}
	return OpenESP(f, p, now)
}

// OpenESP opens the FAT32 file system in a partition. Nobody else may have it
// mounted for writing.
func OpenESP(f *os.File, p Partition, now func() time.Time) (*fat32.FS, error) {
	esp, err := fat32.Open(region{f, p.Start, p.Size}, p.Size, now)
	if err != nil {
		return nil, fmt.Errorf("open the EFI system partition of %s: %w", f.Name(), err)
	}
	return esp, nil
}

// Dir is what DirESP needs of a mounted file system (host/fsroot has it).
// WriteFile is atomic and durable; Rename replaces files.
type Dir interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	Remove(name string) error
	Rename(old, new string) error
	ReadDir(name string) ([]fs.DirEntry, error)
	MkdirAll(name string, perm fs.FileMode) error
	Sync() error
}

// DirESP is a mounted EFI system partition.
type DirESP struct {
	dir  Dir
	free func() (int64, error)
}

// NewDirESP gives the mounted partition dir; free tells its room in bytes.
func NewDirESP(dir Dir, free func() (int64, error)) *DirESP { return &DirESP{dir, free} }

// tidy resolves dots by their text, as the user-space backend does: FAT has
// no links that would make a difference.
func tidy(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// ReadFile reads a file.
func (d *DirESP) ReadFile(name string) ([]byte, error) { return d.dir.ReadFile(tidy(name)) }

// WriteFile makes or replaces a file, at once and durably.
func (d *DirESP) WriteFile(name string, data []byte) error {
	return d.dir.WriteFile(tidy(name), data, 0o644)
}

// Remove removes a file or an empty directory.
func (d *DirESP) Remove(name string) error { return d.dir.Remove(tidy(name)) }

// Rename gives another name; a file of that name is replaced. FAT's rename is
// not atomic: a power cut may leave both names or, from other systems, neither.
func (d *DirESP) Rename(old, new string) error { return d.dir.Rename(tidy(old), tidy(new)) }

// ReadDir lists a directory, sorted by name.
func (d *DirESP) ReadDir(name string) ([]fs.FileInfo, error) {
	list, err := d.dir.ReadDir(tidy(name))
	if err != nil {
		return nil, err
	}
	out := make([]fs.FileInfo, 0, len(list))
	for _, e := range list {
		in, err := e.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
}

// MkdirAll makes a directory and its parents.
func (d *DirESP) MkdirAll(name string) error { return d.dir.MkdirAll(tidy(name), 0o755) }

// Free is the room in bytes.
func (d *DirESP) Free() (int64, error) { return d.free() }

// Sync writes everything out.
func (d *DirESP) Sync() error { return d.dir.Sync() }
