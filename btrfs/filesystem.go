// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"os"
	"unsafe"
)

// Filesystem describes a mounted file system.
type Filesystem struct {
	UUID       UUID
	Label      string
	Generation uint64 // of the last transaction; 0 from kernels before 5.10
	Devices    uint64
	NodeSize   uint32 // bytes
	SectorSize uint32 // bytes
}

type fsInfoArgs struct {
	maxID, devices       uint64
	fsid                 UUID
	nodeSize, sectorSize uint32
	_                    uint32 // clone alignment
	_, _                 uint16 // checksum type and size
	flags                uint64
	generation           uint64
	_                    UUID // of the metadata
	_                    [944]byte
}

// FSInfo describes the file system that holds path.
func FSInfo(path string) (Filesystem, error) {
	const op = "read the btrfs file system of"
	f, err := open(path)
	if err != nil {
		return Filesystem{}, fail(op, path, err)
	}
	defer f.Close()
	info, err := fsInfo(f)
	return info, fail(op, path, err)
}

func fsInfo(f *os.File) (Filesystem, error) {
	a := fsInfoArgs{flags: 1 << 1} // ask for the generation
	if err := ioctl(f, iocRead, 31, &a); err != nil {
		return Filesystem{}, err
	}
	var label [256]byte
	if err := ioctl(f, iocRead, 49, &label); err != nil {
		return Filesystem{}, err
	}
	return Filesystem{
		UUID: a.fsid, Label: cString(label[:]), Generation: a.generation,
		Devices: a.devices, NodeSize: a.nodeSize, SectorSize: a.sectorSize,
	}, nil
}

// Kinds and profiles of block groups.
const (
	Data     = 1 << 0
	System   = 1 << 1
	Metadata = 1 << 2

	RAID0   = 1 << 3
	RAID1   = 1 << 4
	DUP     = 1 << 5
	RAID10  = 1 << 6
	RAID5   = 1 << 7
	RAID6   = 1 << 8
	RAID1C3 = 1 << 9
	RAID1C4 = 1 << 10

	globalReserve = 1 << 49
)

// Space is the room of one kind of block group, in bytes of contents (a copy
// on a second device, or DUP, is not counted).
type Space struct {
	Flags uint64 // a kind and a profile
	Total uint64 // allocated from the devices
	Used  uint64
}

// Copies is how often the profile writes each byte (1 for the parity profiles,
// whose overhead depends on the number of devices).
func (s Space) Copies() uint64 {
	switch {
	case s.Flags&(RAID1|DUP|RAID10) != 0:
		return 2
	case s.Flags&RAID1C3 != 0:
		return 3
	case s.Flags&RAID1C4 != 0:
		return 4
	}
	return 1
}

// SpaceInfo lists the block groups by kind and profile, the global reserve left out.
func SpaceInfo(path string) ([]Space, error) {
	f, err := open(path)
	if err != nil {
		return nil, fail("read the space of", path, err)
	}
	defer f.Close()
	list, err := spaceInfo(f)
	return list, fail("read the space of", path, err)
}

type spaceArgs struct {
	slots, total uint64
	spaces       [64]Space // kinds times profiles are 30 at most
}

func spaceInfo(f *os.File) ([]Space, error) {
	a := spaceArgs{}
	a.slots = uint64(len(a.spaces))
	// The request number counts the two leading words only.
	if err := rawIoctl(f, request(iocRead|iocWrite, 20, 16), unsafe.Pointer(&a)); err != nil {
		return nil, err
	}
	var out []Space
	for _, s := range a.spaces[:min(a.total, a.slots)] {
		if s.Flags&globalReserve == 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// Use is the room of a whole file system in bytes.
type Use struct {
	Size        uint64 // of all devices
	Allocated   uint64 // given to block groups, copies included
	Used        uint64 // written, copies included
	DataUsed    uint64
	MetadataOf  uint64 // allocated for metadata, one copy
	MetadataUse uint64
	// Free is an estimate of the data that can still be written: what the data
	// block groups have left, and what is not allocated divided by the number
	// of copies of data.
	Free uint64
}

type devInfoArgs struct {
	devID uint64
	_     UUID
	_     uint64 // used
	total uint64
	_     [379]uint64
	_     [1024]byte // path
}

// Usage adds up the room of the file system that holds path.
func Usage(path string) (Use, error) {
	const op = "read the space of"
	f, err := open(path)
	if err != nil {
		return Use{}, fail(op, path, err)
	}
	defer f.Close()
	spaces, err := spaceInfo(f)
	if err != nil {
		return Use{}, fail(op, path, err)
	}
	size, err := deviceSize(f)
	if err != nil {
		return Use{}, fail(op, path, err)
	}
	return addUp(size, spaces), nil
}

func deviceSize(f *os.File) (uint64, error) {
	fs := fsInfoArgs{}
	if err := ioctl(f, iocRead, 31, &fs); err != nil {
		return 0, err
	}
	var size uint64
	for id := uint64(1); id <= fs.maxID; id++ {
		d := devInfoArgs{devID: id}
		err := ioctl(f, iocRead|iocWrite, 30, &d)
		if isNoDevice(err) {
			continue // ids of removed devices stay unused
		}
		if err != nil {
			return 0, err
		}
		size += d.total
	}
	return size, nil
}

func addUp(size uint64, spaces []Space) Use {
	u := Use{Size: size}
	copies := uint64(1)
	for _, s := range spaces {
		u.Allocated += s.Total * s.Copies()
		u.Used += s.Used * s.Copies()
		if s.Flags&Data != 0 {
			copies = s.Copies()
			u.DataUsed += s.Used
			u.Free += s.Total - min(s.Used, s.Total)
		}
		if s.Flags&Metadata != 0 {
			u.MetadataOf += s.Total
			u.MetadataUse += s.Used
		}
	}
	if size > u.Allocated {
		u.Free += (size - u.Allocated) / copies
	}
	return u
}
