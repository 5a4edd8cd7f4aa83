// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
	"syscall"
)

// A spool is the partial file, with the digest of what is in it so far.
type spool struct {
	file  *os.File
	path  string
	hash  hash.Hash
	size  int64
	limit int64 // 0: none
}

// openSpool opens the partial file at path. With keep, what is there already
// stays and is hashed; anything longer than limit cannot be a piece of the
// file, and goes.
func openSpool(path string, keep bool, limit int64) (*spool, error) {
	flags := os.O_RDWR | os.O_CREATE | syscall.O_NOFOLLOW
	if !keep {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return nil, local(path, err)
	}
	s := &spool{file: file, path: path, hash: sha256.New(), limit: limit}
	if !keep {
		return s, nil
	}
	if s.size, err = io.Copy(s.hash, file); err != nil {
		file.Close()
		return nil, local(path, err)
	}
	if limit > 0 && s.size > limit {
		if err := s.reset(); err != nil {
			file.Close()
			return nil, err
		}
	}
	return s, nil
}

// reset empties the spool.
func (s *spool) reset() error {
	if err := s.file.Truncate(0); err != nil {
		return local(s.path, err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return local(s.path, err)
	}
	s.hash.Reset()
	s.size = 0
	return nil
}

// errTooLarge is a body that goes on after the largest size accepted.
type errTooLarge struct{ limit int64 }

func (e errTooLarge) Error() string {
	return fmt.Sprintf("the file is larger than the %d bytes that are accepted", e.limit)
}

// Write appends to the file and the digest.
func (s *spool) Write(p []byte) (int, error) {
	if s.limit > 0 && s.size+int64(len(p)) > s.limit {
		return 0, errTooLarge{s.limit}
	}
	n, err := s.file.Write(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	if err != nil {
		return n, local(s.path, err)
	}
	return n, nil
}
