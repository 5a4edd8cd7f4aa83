// SPDX-License-Identifier: GPL-3.0-or-later

package cutdisk

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// files is the FUSE file system: a folder with a file for each disk. The kernel
// keeps what it has read; it writes through, and asks for a flush where a loop
// device is told to flush.
type files struct {
	fuse.RawFileSystem
	d *Disks
}

func newFiles(d *Disks) *files { return &files{fuse.NewDefaultRawFileSystem(), d} }

// firstFile is the inode of the first disk; the folder's is fuse.FUSE_ROOT_ID.
const firstFile = fuse.FUSE_ROOT_ID + 1

const forever = time.Hour

func (f *files) disk(inode uint64) (int, bool) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n := int(inode) - firstFile
	return n, n >= 0 && n < len(f.d.disks)
}

func (f *files) attr(inode uint64, a *fuse.Attr) fuse.Status {
	if inode == fuse.FUSE_ROOT_ID {
		a.Ino, a.Mode, a.Nlink = inode, syscall.S_IFDIR|0o755, 2
		return fuse.OK
	}
	n, ok := f.disk(inode)
	if !ok {
		return fuse.ENOENT
	}
	a.Ino, a.Mode, a.Nlink, a.Size, a.Blksize = inode, syscall.S_IFREG|0o600, 1, uint64(f.d.disks[n].size), 4096
	return fuse.OK
}

// Lookup finds a disk by its name.
func (f *files) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	f.d.mu.Lock()
	inode := uint64(0)
	for i, one := range f.d.disks {
		if one.name == name {
			inode = uint64(i) + firstFile
		}
	}
	f.d.mu.Unlock()
	if h.NodeId != fuse.FUSE_ROOT_ID || inode == 0 {
		return fuse.ENOENT
	}
	out.NodeId = inode
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
	return f.attr(inode, &out.Attr)
}

// GetAttr is the size of a disk.
func (f *files) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	out.SetTimeout(forever)
	return f.attr(in.NodeId, &out.Attr)
}

// SetAttr changes nothing: a disk has its size.
func (f *files) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	out.SetTimeout(forever)
	return f.attr(in.NodeId, &out.Attr)
}

// Open opens a disk.
func (f *files) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if _, ok := f.disk(in.NodeId); !ok {
		return fuse.ENOENT
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

// Read reads.
func (f *files) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	number, ok := f.disk(in.NodeId)
	if !ok {
		return nil, fuse.ENOENT
	}
	n, err := f.d.read(number, buf, int64(in.Offset))
	if err != nil {
		return nil, fuse.EIO
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// Write writes into the volatile cache.
func (f *files) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	number, ok := f.disk(in.NodeId)
	if !ok {
		return 0, fuse.ENOENT
	}
	if err := f.d.write(number, data, int64(in.Offset)); err != nil {
		return 0, fuse.EIO
	}
	return uint32(len(data)), fuse.OK
}

// Fsync empties the volatile cache.
func (f *files) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	number, ok := f.disk(in.NodeId)
	if !ok {
		return fuse.ENOENT
	}
	f.d.flush(number)
	return fuse.OK
}

// Flush comes when a descriptor is closed, which flushes no disk.
func (f *files) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }
