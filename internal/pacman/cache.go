// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/rastos/rastos/alpm/fetch"
)

// fetching makes a fetcher show itself as pacman does. All downloads of a
// command are by one, which remembers the hosts that failed.
func (s *session) fetching(f *fetch.Fetcher) *fetch.Fetcher {
	if s.fetcher != nil {
		return s.fetcher
	}
	s.fetcher = f
	f.UserAgent, f.StopEarly = s.Getenv("HTTP_USER_AGENT"), true
	if f.Program != nil {
		f.Program.Run = s.RunProgram
	}
	return f
}

// writable tells whether a directory can be written to.
func writable(dir string) bool {
	info, err := os.Stat(dir)
	const write = 2 // W_OK
	return err == nil && info.IsDir() && syscall.Access(dir, write) == nil
}

// cacheDir is the cache that downloads would go to as things are.
func (s *session) cacheDir() string {
	for _, dir := range s.conf.CacheDirs {
		if writable(dir) {
			return dir
		}
	}
	return s.conf.CacheDirs[0]
}

// makeCache returns the first cache that can be written to; one that is not
// there is made.
func (s *session) makeCache() string {
	for _, dir := range s.conf.CacheDirs {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			s.warnf("no %s cache exists, creating...", dir)
			if os.MkdirAll(dir, 0o755) != nil {
				continue
			}
		}
		if writable(dir) {
			return dir
		}
	}
	dir := s.Getenv("TMPDIR")
	if dir == "" {
		dir = "/tmp"
	}
	dir = slashed(dir)
	s.warnf("couldn't find or create package cache, using %s instead", dir)
	return dir
}
