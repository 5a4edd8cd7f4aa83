// SPDX-License-Identifier: GPL-3.0-or-later

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// partialSuffix marks a file that is being built.
const partialSuffix = ".partial"

// Image is an image file that is being built. It lies beside its target under
// another name, so that the target is the old file or the whole new one.
type Image struct {
	*os.File
	target string
	done   bool
}

// Create makes a sparse file of size bytes that will become path. A leftover of
// a killed build of the same target is replaced: the caller keeps two builds of
// one target apart by a lock.
func Create(path string, size int64) (*Image, error) {
	tmp := path + partialSuffix
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	im := &Image{File: f, target: path}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, im.Discard())
	}
	return im, nil
}

// Publish gives the image its name, replacing what had it. With durable it
// survives a power cut right after; without, the kernel writes it out in its
// own time, and a cut may leave a torn file of that name.
func (im *Image) Publish(durable bool) error {
	if durable {
		if err := im.Sync(); err != nil {
			return errors.Join(err, im.Discard())
		}
	}
	if err := os.Rename(im.Name(), im.target); err != nil {
		return errors.Join(err, im.Discard())
	}
	im.done = true
	if err := im.Close(); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	dir, err := os.Open(filepath.Dir(im.target))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Discard removes the unfinished file. After Publish it does nothing, so that
// it can be deferred.
func (im *Image) Discard() error {
	if im.done {
		return nil
	}
	im.done = true
	return errors.Join(os.Remove(im.Name()), im.Close())
}

// whence values of lseek(2) that package io does not name.
const (
	seekData = 3
	seekHole = 4
)

// DataRanges calls fn for each range of a file that is not a hole.
func DataRanges(f *os.File, fn func(start, end int64) error) error {
	for at := int64(0); ; {
		start, err := f.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return nil
		}
		if err != nil {
			return err
		}
		end, err := f.Seek(start, seekHole)
		if err != nil {
			return err
		}
		if err := fn(start, end); err != nil {
			return err
		}
		at = end
	}
}

// Sparsify gives back the room of what only holds zeros, in pieces of 64 KiB.
// punch makes the hole (host/linux has it). It returns the bytes given back.
func Sparsify(f *os.File, punch func(f *os.File, offset, size int64) error) (int64, error) {
	const piece = 64 << 10
	buf := make([]byte, piece)
	var saved int64
	err := DataRanges(f, func(start, end int64) error {
		from := int64(-1) // of the zeros at hand
		for at := (start + piece - 1) / piece * piece; at < end; at += piece {
			part := buf[:min(piece, end-at)]
			if _, err := f.ReadAt(part, at); err != nil {
				return err
			}
			if isZero(part) {
				if from < 0 {
					from = at
				}
				continue
			}
			if from >= 0 {
				if err := punch(f, from, at-from); err != nil {
					return err
				}
				saved, from = saved+at-from, -1
			}
		}
		if from < 0 {
			return nil
		}
		saved += end - from
		return punch(f, from, end-from)
	})
	if err != nil {
		return saved, fmt.Errorf("make %s sparse: %w", f.Name(), err)
	}
	return saved, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
