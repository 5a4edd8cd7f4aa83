// SPDX-License-Identifier: GPL-3.0-or-later

package disk

import (
	"fmt"
	"os"
	"strings"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

// WriteTable writes the partition table of a layout, both copies and the
// protective MBR. Every GUID of the layout must be set.
func WriteTable(f *os.File, l Layout) error {
	t := &gpt.Table{LogicalSectorSize: sectorSize, PhysicalSectorSize: sectorSize, GUID: strings.ToUpper(l.GUID), ProtectiveMBR: true}
	if l.GUID == "" {
		return fmt.Errorf("write the partition table of %s: the disk has no GUID", f.Name())
	}
	for i, p := range l.Partitions {
		if p.GUID == "" || p.Type == "" {
			return fmt.Errorf("write the partition table of %s: partition %q has no GUID or no type", f.Name(), p.Name)
		}
		t.Partitions = append(t.Partitions, &gpt.Partition{
			Index: i + 1, Name: p.Name, Type: gpt.Type(strings.ToUpper(p.Type)), GUID: strings.ToUpper(p.GUID),
			Start: uint64(p.Start / sectorSize), End: uint64(p.End()/sectorSize) - 1, Size: uint64(p.Size), Attributes: p.Attributes,
		})
	}
	if err := t.Write(f, l.Size); err != nil {
		return fmt.Errorf("write the partition table of %s: %w", f.Name(), err)
	}
	return nil
}

// ReadTable reads the partition table of a disk or an image.
func ReadTable(f *os.File) (Layout, error) {
	t, err := gpt.Read(file.New(f, true), sectorSize, sectorSize)
	if err != nil {
		return Layout{}, fmt.Errorf("read the partition table of %s: %w", f.Name(), err)
	}
	size, err := f.Seek(0, 2)
	if err != nil {
		return Layout{}, err
	}
	l := Layout{Size: size, GUID: strings.ToLower(t.GUID)}
	for _, p := range t.Partitions {
		if p.Type == gpt.Unused || p.End < p.Start {
			continue
		}
		part := Partition{
			Name: p.Name, Type: strings.ToLower(string(p.Type)), GUID: strings.ToLower(p.GUID),
			Start: int64(p.Start) * sectorSize, Size: int64(p.End-p.Start+1) * sectorSize, Attributes: p.Attributes,
		}
		if p.End >= uint64(size)/sectorSize {
			return Layout{}, fmt.Errorf("read the partition table of %s: partition %q ends after the disk; the image is truncated", f.Name(), p.Name)
		}
		l.Partitions = append(l.Partitions, part)
	}
	return l, nil
}
