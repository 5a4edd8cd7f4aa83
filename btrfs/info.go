// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"encoding/hex"
	"os"
	"time"
)

// TopLevel is the id of the subvolume that every file system starts with.
const TopLevel = 5

// itemReadOnly is the read-only bit in a root item and in what the kernel says of
// it (BTRFS_ROOT_SUBVOL_RDONLY): bit 0, while the flags ioctl uses bit 1.
const itemReadOnly = 1 << 0

// UUID is the name of a subvolume or file system for machines. All zero: none.
type UUID [16]byte

// IsZero tells whether there is none.
func (u UUID) IsZero() bool { return u == UUID{} }

// String writes the usual form with hyphens.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// MarshalText makes the usual form the one in JSON.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Subvolume is what the kernel knows of a subvolume.
type Subvolume struct {
	ID       uint64
	ParentID uint64 // the subvolume whose tree holds it; 0: the top level or a deleted one
	DirID    uint64 // inode of the directory that holds it, in that tree
	Name     string // last component of Path; empty for the top level
	// Path is relative to the top level, without a leading slash; filled by
	// List, empty in the answers of Info and Containing.
	Path string

	// Generation grows with every change below the subvolume: together with
	// the UUID it keys everything that is computed from the contents.
	Generation       uint64
	OriginGeneration uint64 // when it was created
	ReadOnly         bool

	UUID         UUID
	ParentUUID   UUID // the subvolume that this is a snapshot of
	ReceivedUUID UUID // the subvolume that this was received from

	Changed  time.Time
	Created  time.Time
	Sent     time.Time // zero unless received
	Received time.Time // zero unless received
}

type timespec struct {
	sec  uint64
	nsec uint32
}

func (t timespec) time() time.Time {
	if t.sec == 0 && t.nsec == 0 {
		return time.Time{}
	}
	return time.Unix(int64(t.sec), int64(t.nsec))
}

type subvolInfoArgs struct {
	treeid       uint64
	name         [256]byte
	parentID     uint64
	dirid        uint64
	generation   uint64
	flags        uint64
	uuid         UUID
	parentUUID   UUID
	receivedUUID UUID
	_            uint64 // ctransid
	otransid     uint64
	_            uint64 // stransid
	_            uint64 // rtransid
	ctime        timespec
	otime        timespec
	stime        timespec
	rtime        timespec
	_            [8]uint64
}

// Info describes the subvolume whose root is path; any other directory is
// ErrNotSubvolume. It needs no privilege.
func Info(path string) (Subvolume, error) { return describe(path, openSubvolume) }

// Containing describes the subvolume that holds path, any directory in it.
func Containing(path string) (Subvolume, error) { return describe(path, open) }

// ID is the number of the subvolume whose root is path.
func ID(path string) (uint64, error) {
	info, err := Info(path)
	return info.ID, err
}

func describe(path string, open func(string) (*os.File, error)) (Subvolume, error) {
	f, err := open(path)
	if err != nil {
		return Subvolume{}, fail("read subvolume", path, err)
	}
	defer f.Close()
	info, err := describeOpen(f)
	return info, fail("read subvolume", path, err)
}

func describeOpen(f *os.File) (Subvolume, error) {
	var a subvolInfoArgs
	if err := ioctl(f, iocRead, 60, &a); err != nil {
		return Subvolume{}, err
	}
	return Subvolume{
		ID: a.treeid, ParentID: a.parentID, DirID: a.dirid, Name: cString(a.name[:]),
		Generation: a.generation, OriginGeneration: a.otransid,
		ReadOnly: a.flags&itemReadOnly != 0,
		UUID:     a.uuid, ParentUUID: a.parentUUID, ReceivedUUID: a.receivedUUID,
		Changed: a.ctime.time(), Created: a.otime.time(), Sent: a.stime.time(), Received: a.rtime.time(),
	}, nil
}
