// SPDX-License-Identifier: GPL-3.0-or-later

package disk

import (
	"errors"
	"fmt"
	"strings"
)

const (
	sectorSize = 512
	// Align is what every partition begins and ends at: the erase block of old
	// flash, and a multiple of every page.
	Align = 1 << 20
	// The table at the end of the disk takes 33 sectors; partitions end before.
	tail = 33 * sectorSize
)

// Partition types.
const (
	TypeESP       = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	TypeRootX86   = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
	TypeRootARM64 = "b921b045-1df0-41c3-af44-4c6f280d3fae"
	TypeSwap      = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
	TypeLinux     = "0fc63daf-8483-4772-8e79-3d69d8477de4"
)

// Partition is one partition of a layout.
type Partition struct {
	Name  string `json:"name"` // up to 36 characters
	Type  string `json:"type"` // GUID, lower case
	GUID  string `json:"guid"` // of this very partition (PARTUUID)
	Start int64  `json:"start"`
	Size  int64  `json:"size"`
	// Attributes are the 64 bits of UEFI and of the type.
	Attributes uint64 `json:"attributes,omitempty"`
}

// End is the first byte after the partition.
func (p Partition) End() int64 { return p.Start + p.Size }

// Layout is a disk with its partitions, in the order of the table.
type Layout struct {
	Size       int64       `json:"size"`
	GUID       string      `json:"guid"`
	Partitions []Partition `json:"partitions"`
}

// Find returns the first partition of a type.
func (l Layout) Find(partType string) (Partition, error) {
	for _, p := range l.Partitions {
		if strings.EqualFold(p.Type, partType) {
			return p, nil
		}
	}
	return Partition{}, fmt.Errorf("no partition of the type %s: %w", partType, ErrNoPartition)
}

// ErrNoPartition is a disk without the partition that was looked for.
var ErrNoPartition = errors.New("the disk has no such partition")

// TooSmallError is a disk without room for its partitions.
type TooSmallError struct{ Size, Need int64 }

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("a disk of %d MiB has no room for these partitions, which need %d MiB", e.Size>>20, (e.Need+Align-1)>>20)
}

// ExitCode is the class: the size comes from the manifest.
func (e *TooSmallError) ExitCode() int { return 3 }

// Hint says what to change.
func (e *TooSmallError) Hint() string { return "give [disk] a larger size, or a smaller esp" }

// Arrange places partitions one after the other on a disk of size bytes. Sizes
// are rounded up to whole MiB; one partition may have the size 0 and gets what
// the others leave, which must be minRest bytes at least.
func Arrange(size int64, guid string, partitions []Partition, minRest int64) (Layout, error) {
	if size%sectorSize != 0 {
		return Layout{}, fmt.Errorf("the size %d of the disk is no multiple of %d", size, sectorSize)
	}
	l := Layout{Size: size, GUID: guid, Partitions: make([]Partition, len(partitions))}
	copy(l.Partitions, partitions)
	usable := (size-tail)/Align*Align - Align // the table takes the first MiB
	rest, used := -1, int64(0)
	for i, p := range l.Partitions {
		switch {
		case p.Size < 0 || len([]rune(p.Name)) > 36:
			return Layout{}, fmt.Errorf("partition %q has a size of %d or a name of more than 36 characters", p.Name, p.Size)
		case p.Size == 0 && rest >= 0:
			return Layout{}, fmt.Errorf("partitions %q and %q both want the rest of the disk", l.Partitions[rest].Name, p.Name)
		case p.Size == 0:
			rest = i
			continue
		case p.Size > size:
			return Layout{}, &TooSmallError{Size: size, Need: p.Size}
		}
		l.Partitions[i].Size = (p.Size + Align - 1) / Align * Align
		used += l.Partitions[i].Size
	}
	if rest < 0 {
		minRest = 0
	}
	if used+max(minRest, 0) > usable || rest >= 0 && used >= usable {
		return Layout{}, &TooSmallError{Size: size, Need: used + max(minRest, Align) + 2*Align}
	}
	at := int64(Align)
	for i := range l.Partitions {
		if i == rest {
			l.Partitions[i].Size = usable - used
		}
		l.Partitions[i].Start = at
		at += l.Partitions[i].Size
	}
	return l, nil
}

// IDs are the identities of a system disk.
type IDs struct{ Disk, ESP, Root string }

// System is the layout of a rastOS disk: the ESP and the system, which takes
// the rest. arch is that of the manifest ("x86_64", "aarch64").
func System(size, esp int64, arch string, ids IDs) (Layout, error) {
	root := TypeRootX86
	if arch == "aarch64" {
		root = TypeRootARM64
	}
	const minRoot = 256 << 20 // btrfs with DUP metadata and something in it
	return Arrange(size, ids.Disk, []Partition{
		{Name: "esp", Type: TypeESP, GUID: ids.ESP, Size: esp},
		{Name: "rastos", Type: root, GUID: ids.Root},
	}, minRoot)
}
