// SPDX-License-Identifier: GPL-3.0-or-later

package btrfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SendOptions says what a send stream holds. Package btrfs/stream reads it.
type SendOptions struct {
	// Parent is a read-only subvolume: the stream tells how to come from it.
	Parent string
	// Clones are read-only subvolumes that the receiver has too, beside Parent:
	// what they hold is cloned there and not sent.
	Clones []string
	// NoData leaves out what files contain, and tells only where it changed.
	NoData bool
	// Version of the protocol; 0: 1, which every reader knows.
	Version int
	// Compressed sends data as it is compressed on the disk. It needs version 2.
	Compressed bool
}

// Flags of struct btrfs_ioctl_send_args.
const (
	sendNoData     = 1 << 0
	sendVersion    = 1 << 3
	sendCompressed = 1 << 4
)

type sendArgs struct {
	fd         int64
	cloneCount uint64
	clones     *uint64
	parent     uint64
	flags      uint64
	version    uint32
	_          [28]byte
}

// StreamVersion is the newest version of the send protocol that the running
// kernel writes.
func StreamVersion() int {
	text, err := os.ReadFile("/sys/fs/btrfs/features/send_stream_version")
	v, convErr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || convErr != nil {
		return 1 // before Linux 5.10 there was no other
	}
	return v
}

// Send writes the send stream of the read-only subvolume at path. It returns
// when all is written, when w fails, or when ctx ends.
func Send(ctx context.Context, w io.Writer, path string, o SendOptions) error {
	return fail("send subvolume", path, send(ctx, w, path, o))
}

func send(ctx context.Context, w io.Writer, path string, o SendOptions) error {
	f, err := openSubvolume(path)
	if err != nil {
		return err
	}
	defer f.Close()
	args, err := o.args()
	if err != nil {
		return err
	}
	r, pipe, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	// A stream is written in pieces of up to 128 KiB; the usual pipe holds half.
	_, _ = unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, 1<<20)
	args.fd = int64(pipe.Fd())

	kernel := make(chan error, 1)
	go func() {
		err := sendUninterrupted(f, args)
		pipe.Close() // the reader sees the end
		kernel <- err
	}()
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	_, err = io.Copy(w, r)
	r.Close() // the kernel, if it still writes, sees that nobody reads
	sent := <-kernel
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	return sent
}

func (o SendOptions) args() (*sendArgs, error) {
	args := &sendArgs{}
	if o.NoData {
		args.flags |= sendNoData
	}
	if o.Compressed && o.Version < 2 {
		return nil, errors.New("compressed data needs version 2 of the protocol")
	}
	if o.Compressed {
		args.flags |= sendCompressed
	}
	if o.Version > 1 {
		args.flags |= sendVersion
		args.version = uint32(o.Version)
	}
	var ids []uint64
	for _, p := range o.Clones {
		id, err := ID(p)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if o.Parent != "" {
		id, err := ID(o.Parent)
		if err != nil {
			return nil, err
		}
		args.parent = id
		// The kernel adds it to the places that it clones from only if told so.
		ids = append(ids, id)
	}
	if len(ids) > 0 {
		args.clones, args.cloneCount = &ids[0], uint64(len(ids))
	}
	return args, nil
}

// sendUninterrupted calls the kernel on a thread that takes no signal. One that
// arrives while the pipe is full would end the call, and where its handler asks
// for a restart (Go's does) begin it anew: the stream would hold a part twice.
func sendUninterrupted(f *os.File, args *sendArgs) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return fmt.Errorf("block signals: %w", err)
	}
	err := ioctlOnce(f, request(iocWrite, 38, unsafe.Sizeof(*args)), unsafe.Pointer(args))
	return errors.Join(err, unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil))
}

type receivedArgs struct {
	uuid    UUID
	sentGen uint64
	_       uint64 // generation of the receipt, filled by the kernel
	_, _    timespec
	_       uint64 // flags
	_       [16]uint64
}

// SetReceived records of which subvolume a writable one is a copy, so that
// streams which build on that one are understood here. A read-only snapshot of
// it keeps the record.
func SetReceived(path string, uuid UUID, generation uint64) error {
	f, err := openSubvolume(path)
	if err != nil {
		return fail("record the origin of", path, err)
	}
	defer f.Close()
	args := receivedArgs{uuid: uuid, sentGen: generation}
	return fail("record the origin of", path, ioctl(f, iocRead|iocWrite, 37, &args))
}
