// SPDX-License-Identifier: GPL-3.0-or-later

// Package loop makes block devices of files, or of parts of files such as one
// partition of a disk image, by the kernel's loop driver (loop(4); no losetup
// program). Devices free themselves when the last user is gone, so that a
// killed rastos leaves none behind. It needs Linux 5.8 (LOOP_CONFIGURE).
package loop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Options say how a file becomes a device. Zero values are the usual ones.
type Options struct {
	ReadOnly bool
	// DirectIO bypasses the page cache of the file, where its file system
	// allows that; elsewhere it changes nothing.
	DirectIO bool
	// Partitions makes the kernel scan for partitions (/dev/loop0p1).
	Partitions bool
	// BlockSize is the logical block size in bytes; 0 means 512.
	BlockSize int
}

// Device is an attached loop device.
type Device struct {
	Path string // "/dev/loop0"
	f    *os.File
}

// Error is a device that could not be attached.
type Error struct {
	File string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("attach %s to a loop device: %v", e.File, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is the class: a right or the driver is missing.
func (e *Error) ExitCode() int {
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return 8
	case errors.Is(e.Err, ErrNoLoop):
		return 9
	}
	return 1
}

// Hint says what to do, where that is known.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, fs.ErrPermission) && os.Geteuid() != 0:
		return "run as root"
	case errors.Is(e.Err, fs.ErrPermission):
		return "the container around us forbids loop devices; run it with --privileged"
	case errors.Is(e.Err, ErrNoLoop):
		return "load the loop driver (modprobe loop); in a container, pass /dev/loop-control and the loop devices in"
	}
	return ""
}

// ErrNoLoop is a kernel, or a container, without a usable loop driver.
var ErrNoLoop = errors.New("no loop device is to be had")

// attempts bounds the races for a free device with other processes.
const attempts = 100

// Attach makes a block device of size bytes of file from offset on; size 0
// means up to the end.
func Attach(file string, offset, size int64) (*Device, error) {
	return AttachWith(file, offset, size, Options{})
}

// AttachWith is Attach with options.
func AttachWith(file string, offset, size int64, o Options) (*Device, error) {
	mode := os.O_RDWR
	if o.ReadOnly {
		mode = os.O_RDONLY
	}
	backing, err := os.OpenFile(file, mode, 0)
	if err != nil {
		return nil, err
	}
	defer backing.Close() // the kernel keeps its own reference
	if err := checkRange(backing, offset, size); err != nil {
		return nil, &Error{file, err}
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		return nil, &Error{file, fmt.Errorf("%w: %w", ErrNoLoop, err)}
	}
	if err != nil {
		return nil, &Error{file, err}
	}
	defer control.Close()
	config := configuration(backing, offset, size, o)
	for try := range attempts {
		d, err := attachFree(control, mode, config)
		if err == nil {
			return d, nil
		}
		if !isRace(err) || try == attempts-1 {
			return nil, &Error{file, err}
		}
		time.Sleep(time.Duration(1+try%8) * time.Millisecond)
	}
	panic("unreachable")
}

func checkRange(f *os.File, offset, size int64) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if offset < 0 || size < 0 || offset%512 != 0 || size%512 != 0 {
		return fmt.Errorf("offset %d and size %d must be multiples of 512", offset, size)
	}
	if st.Mode().IsRegular() && (offset >= st.Size() || size > st.Size()-offset) {
		return fmt.Errorf("%d bytes at %d lie outside of its %d bytes", size, offset, st.Size())
	}
	return nil
}

func configuration(backing *os.File, offset, size int64, o Options) *unix.LoopConfig {
	c := &unix.LoopConfig{Fd: uint32(backing.Fd()), Size: uint32(o.BlockSize)}
	c.Info.Offset, c.Info.Sizelimit = uint64(offset), uint64(size)
	c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	if o.ReadOnly {
		c.Info.Flags |= unix.LO_FLAGS_READ_ONLY
	}
	if o.Partitions {
		c.Info.Flags |= unix.LO_FLAGS_PARTSCAN
	}
	if o.DirectIO {
		c.Info.Flags |= unix.LO_FLAGS_DIRECT_IO
	}
	copy(c.Info.File_name[:len(c.Info.File_name)-1], backing.Name()) // for losetup -l
	return c
}

// isRace tells errors that another process caused by taking or removing the
// same device at the same time.
func isRace(err error) bool {
	return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EAGAIN)
}

func attachFree(control *os.File, mode int, config *unix.LoopConfig) (*Device, error) {
	n, err := getFree(control)
	if err != nil {
		return nil, err
	}
	f, err := openDevice(n, mode)
	if err != nil {
		return nil, err
	}
	if err := retry(func() error { return unix.IoctlLoopConfigure(int(f.Fd()), config) }); err != nil {
		f.Close()
		return nil, fmt.Errorf("configure /dev/loop%d: %w", n, err)
	}
	return &Device{Path: f.Name(), f: f}, nil
}

func getFree(control *os.File) (int, error) {
	var n int
	err := retry(func() (err error) {
		n, err = unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		return err
	})
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOTTY) {
		return 0, fmt.Errorf("%w: %w", ErrNoLoop, err)
	}
	return n, err
}

// openDevice opens /dev/loopN. Where /dev is not the kernel's own (a
// container), a device above the first few has no node yet: it is made.
func openDevice(n, mode int) (*os.File, error) {
	path := "/dev/loop" + strconv.Itoa(n)
	f, err := os.OpenFile(path, mode, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	text, err := os.ReadFile("/sys/block/loop" + strconv.Itoa(n) + "/dev")
	if err != nil {
		return nil, fmt.Errorf("%w: there is no %s", ErrNoLoop, path)
	}
	major, minor, ok := strings.Cut(strings.TrimSpace(string(text)), ":")
	ma, err1 := strconv.ParseUint(major, 10, 32)
	mi, err2 := strconv.ParseUint(minor, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%w: %s has the device number %q", ErrNoLoop, path, text)
	}
	err = unix.Mknod(path, unix.S_IFBLK|0o660, int(unix.Mkdev(uint32(ma), uint32(mi))))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	return os.OpenFile(path, mode, 0)
}

// Flush writes what the device still buffers into the file and makes it durable there.
func (d *Device) Flush() error { return d.f.Sync() }

// Detach frees the device. While it is mounted it lives on and frees itself
// with the last unmount. A second call does nothing.
func (d *Device) Detach() error {
	if d.f == nil {
		return nil
	}
	f := d.f
	d.f = nil
	// Autoclear would do it at Close, later and in the background; asked for
	// here, it has happened when Close returns, unless somebody else uses it.
	err := retry(func() error { return unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0) })
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EBUSY) {
		err = nil
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("detach %s: %w", d.Path, err)
	}
	return nil
}

// Holders lists the files that loop devices are attached to, by device path:
// what a test or `doctor` compares before and after.
func Holders() (map[string]string, error) {
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "loop") {
			continue
		}
		if file, err := os.ReadFile("/sys/block/" + e.Name() + "/loop/backing_file"); err == nil {
			out["/dev/"+e.Name()] = strings.TrimSuffix(string(file), "\n")
		}
	}
	return out, nil
}

func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
