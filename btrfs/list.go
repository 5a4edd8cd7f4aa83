// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// Trees, object ids and item types of btrfs_tree.h.
const (
	treeOfRoots     = 1
	treeOfRootDirs  = 6 // objectid of the directory that names the default
	firstFree       = 256
	lastFree        = math.MaxUint64 - 255
	dirItemType     = 84
	rootItemType    = 132
	rootBackRefType = 144
)

type searchKey struct {
	treeID                   uint64
	minObjectID, maxObjectID uint64
	minOffset, maxOffset     uint64
	_, maxTransID            uint64 // the first is the least transaction
	minType, maxType         uint32
	items                    uint32
	_                        uint32
	_                        [4]uint64
}

const searchBuffer = 4096 - 104

type searchArgs struct {
	key searchKey
	buf [searchBuffer]byte
}

// item is one entry of a tree. data is only valid during the visit.
type item struct {
	objectID, offset uint64
	kind             uint32
	data             []byte
}

// search visits the items of a tree whose objectid and type are in range.
func search(f *os.File, tree, minObject, maxObject uint64, minType, maxType uint32, visit func(item) error) error {
	args := searchArgs{key: searchKey{
		treeID: tree, minObjectID: minObject, maxObjectID: maxObject,
		maxOffset: math.MaxUint64, maxTransID: math.MaxUint64, minType: minType, maxType: maxType,
	}}
	for {
		args.key.items = 4096
		if err := ioctl(f, iocRead|iocWrite, 17, &args); err != nil {
			return fmt.Errorf("search tree %d: %w", tree, err)
		}
		if args.key.items == 0 {
			return nil
		}
		last, err := visitItems(args.buf[:], int(args.key.items), minType, maxType, visit)
		if err != nil {
			return err
		}
		if !args.key.next(last) {
			return nil
		}
	}
}

var errShortItem = errors.New("btrfs: the kernel returned a truncated item")

// visitItems decodes the buffer of a search. The kernel filters by the whole
// key range, so that types in between other objects come along: they are left out.
func visitItems(buf []byte, n int, minType, maxType uint32, visit func(item) error) (last item, err error) {
	const header = 32
	for range n {
		if len(buf) < header {
			return last, errShortItem
		}
		last = item{
			objectID: binary.NativeEndian.Uint64(buf[8:]),
			offset:   binary.NativeEndian.Uint64(buf[16:]),
			kind:     binary.NativeEndian.Uint32(buf[24:]),
		}
		size := binary.NativeEndian.Uint32(buf[28:])
		buf = buf[header:]
		if uint64(size) > uint64(len(buf)) {
			return last, errShortItem
		}
		last.data, buf = buf[:size], buf[size:]
		if last.kind < minType || last.kind > maxType {
			continue
		}
		if err := visit(last); err != nil {
			return last, err
		}
	}
	return last, nil
}

// List describes all subvolumes of the file system that holds path, the top
// level included, sorted by path. It reads the tree of roots: one call for about
// eight subvolumes, no matter how many files they hold. One that is deleted but
// not cleaned up yet is left out.
func List(path string) ([]Subvolume, error) {
	f, err := open(path)
	if err != nil {
		return nil, fail("list the subvolumes of", path, err)
	}
	defer f.Close()
	list, err := list(f)
	return list, fail("list the subvolumes of", path, err)
}

func list(f *os.File) ([]Subvolume, error) {
	found := map[uint64]*Subvolume{TopLevel: {ID: TopLevel}}
	err := search(f, treeOfRoots, TopLevel, lastFree, rootItemType, rootBackRefType, func(it item) error {
		if it.objectID != TopLevel && it.objectID < firstFree {
			return nil // the trees of btrfs itself
		}
		s := found[it.objectID]
		if s == nil {
			s = &Subvolume{ID: it.objectID}
			found[it.objectID] = s
		}
		switch it.kind {
		case rootItemType:
			return s.decodeRootItem(it.data)
		case rootBackRefType:
			s.ParentID = it.offset
			return s.decodeRootRef(it.data)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p := paths{f: f, all: found}
	out := make([]Subvolume, 0, len(found))
	for _, s := range found {
		if s.ID != TopLevel && s.ParentID == 0 {
			continue // deleted
		}
		if s.Path, err = p.of(s, len(found)); err != nil {
			return nil, err
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Subvolume) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// decodeRootItem reads struct btrfs_root_item (packed, little endian).
func (s *Subvolume) decodeRootItem(b []byte) error {
	const (
		generation = 160
		flags      = 208
		uuids      = 247 // generation_v2 is at 239
		times      = uuids + 3*16
		size       = times + 4*8 + 4*12
	)
	if len(b) < flags+8 {
		return errShortItem
	}
	le := binary.LittleEndian
	s.Generation = le.Uint64(b[generation:])
	s.ReadOnly = le.Uint64(b[flags:])&itemReadOnly != 0
	if len(b) < size {
		return nil // written by a kernel older than 3.6: no UUIDs
	}
	copy(s.UUID[:], b[uuids:])
	copy(s.ParentUUID[:], b[uuids+16:])
	copy(s.ReceivedUUID[:], b[uuids+32:])
	s.OriginGeneration = le.Uint64(b[times+8:])
	for i, t := range []*time.Time{&s.Changed, &s.Created, &s.Sent, &s.Received} {
		at := b[times+32+12*i:]
		*t = timespec{sec: le.Uint64(at), nsec: le.Uint32(at[8:])}.time()
	}
	return nil
}

// decodeRootRef reads struct btrfs_root_ref with the name after it.
func (s *Subvolume) decodeRootRef(b []byte) error {
	if len(b) < 18 {
		return errShortItem
	}
	s.DirID = binary.LittleEndian.Uint64(b)
	n := int(binary.LittleEndian.Uint16(b[16:]))
	if len(b) < 18+n {
		return errShortItem
	}
	s.Name = string(b[18 : 18+n])
	return nil
}

// paths works out the paths of subvolumes from their parents'.
type paths struct {
	f   *os.File
	all map[uint64]*Subvolume
}

func (p paths) of(s *Subvolume, depth int) (string, error) {
	if s.ID == TopLevel || s.Path != "" {
		return s.Path, nil
	}
	up := p.all[s.ParentID]
	if up == nil || depth == 0 {
		return "", fmt.Errorf("btrfs: subvolume %d names the parent %d, which is not there", s.ID, s.ParentID)
	}
	base, err := p.of(up, depth-1)
	if err != nil {
		return "", err
	}
	dir, err := lookup(p.f, s.ParentID, s.DirID)
	if err != nil {
		return "", fmt.Errorf("find the directory of subvolume %d: %w", s.ID, err)
	}
	if base != "" {
		base += "/"
	}
	return base + dir + s.Name, nil
}

type lookupArgs struct {
	treeID, objectID uint64
	name             [4080]byte
}

// lookup is the path of a directory inside its subvolume: "" or "a/b/".
func lookup(f *os.File, tree, inode uint64) (string, error) {
	args := lookupArgs{treeID: tree, objectID: inode}
	if err := ioctl(f, iocRead|iocWrite, 18, &args); err != nil {
		return "", err
	}
	return cString(args.name[:]), nil
}

// DefaultSubvolume is the id of the subvolume that a mount without subvol=
// shows. rastOS lets it decide nothing; it must only never be deleted.
func DefaultSubvolume(path string) (uint64, error) {
	const op = "read the default subvolume of"
	f, err := open(path)
	if err != nil {
		return 0, fail(op, path, err)
	}
	defer f.Close()
	id := uint64(TopLevel)
	err = search(f, treeOfRoots, treeOfRootDirs, treeOfRootDirs, dirItemType, dirItemType, func(it item) error {
		// struct btrfs_dir_item: key (17 bytes), transid, data_len, name_len, type, name
		const fixed = 30
		if len(it.data) < fixed {
			return errShortItem
		}
		n := int(binary.LittleEndian.Uint16(it.data[27:]))
		if len(it.data) >= fixed+n && string(it.data[fixed:fixed+n]) == "default" {
			id = binary.LittleEndian.Uint64(it.data)
		}
		return nil
	})
	return id, fail(op, path, err)
}

// SetDefaultSubvolume changes it to the subvolume whose root is path.
func SetDefaultSubvolume(path string) error {
	const op = "set the default subvolume to"
	f, err := openSubvolume(path)
	if err != nil {
		return fail(op, path, err)
	}
	defer f.Close()
	info, err := describeOpen(f)
	if err != nil {
		return fail(op, path, err)
	}
	return fail(op, path, ioctl(f, iocWrite, 19, &info.ID))
}
