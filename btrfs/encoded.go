// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Encoded is compressed data on its way into a file, as a send stream has it.
type Encoded struct {
	Data        []byte // compressed
	Offset      int64  // in the file
	Length      uint64 // bytes of the file that it becomes
	Unencoded   uint64 // bytes that Data decodes to
	Skip        uint64 // how many of these come before the first one that counts
	Compression uint32 // as BTRFS_ENCODED_IO_COMPRESSION_…
	Encryption  uint32
}

type encodedArgs struct {
	iov         *unix.Iovec
	iovCount    uint64
	offset      int64
	_           uint64 // flags
	length      uint64
	unencoded   uint64
	skip        uint64
	compression uint32
	encryption  uint32
	_           [64]byte
}

// WriteEncoded writes compressed data as it is. The kernel does not look whether
// it can be decoded, and refuses (EINVAL, ENOTTY) what the file system's sectors
// or the kernel's age forbid: then decode and write it.
func WriteEncoded(f *os.File, e Encoded) error {
	if len(e.Data) == 0 {
		return unix.EINVAL
	}
	iov := unix.Iovec{Base: &e.Data[0]}
	iov.SetLen(len(e.Data))
	args := encodedArgs{
		iov: &iov, iovCount: 1, offset: e.Offset, length: e.Length,
		unencoded: e.Unencoded, skip: e.Skip, compression: e.Compression, encryption: e.Encryption,
	}
	// The call returns the number of bytes, which is no error.
	err := ioctl(f, iocWrite, 64, &args)
	runtime.KeepAlive(&iov)
	return err
}
