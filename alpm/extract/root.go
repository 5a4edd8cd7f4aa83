// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"container/list"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxOpenDirs bounds the cache of directory descriptors, well below the 1024
// descriptors that a process may be limited to.
const maxOpenDirs = 256

// bufferSize is one write: few system calls, and still in the processor's cache.
const bufferSize = 256 << 10

// Options of a Root.
type Options struct {
	// Durable flushes every file before it gets its name, and the directories
	// at the end of each package. A throw-away root does without.
	Durable bool
	// LateTimes leaves the times of new directories to SettleTimes alone: one
	// round over all of them instead of one more after each package.
	LateTimes bool
}

// Root is a system tree that packages are extracted into. It may be used by
// several goroutines at once.
type Root struct {
	dir  string
	fd   int
	opt  Options
	uid  int
	gid  int
	mask uint32

	buffers sync.Pool
	temp    atomic.Uint64

	mu    sync.Mutex
	dirs  map[string]*dir
	idle  list.List            // *dir with no user, oldest first
	times map[string]time.Time // directories that were made here → the latest time that a package gives them
}

// dir is an open directory of the root.
type dir struct {
	path   string
	fd     int
	mode   uint32 // permission bits
	uid    int
	gid    int
	users  int
	idleAt *list.Element
}

// OpenRoot opens a directory as the root of packages.
func OpenRoot(path string) (*Root, error) { return OpenRootWith(path, Options{}) }

// OpenRootWith is OpenRoot with options.
func OpenRootWith(path string, opt Options) (*Root, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root %s: %w", path, err)
	}
	probe, err := openIn(fd, ".", unix.O_PATH)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open root %s: %w", path, &KernelError{Err: err})
	}
	unix.Close(probe)
	r := &Root{
		dir: path, fd: fd, opt: opt, uid: os.Geteuid(), gid: os.Getegid(), mask: processUmask(),
		dirs: map[string]*dir{}, times: map[string]time.Time{},
	}
	r.buffers.New = func() any { b := make([]byte, bufferSize); return &b }
	return r, nil
}

// Close closes all descriptors. No Package may be running.
func (r *Root) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.dirs {
		unix.Close(d.fd)
	}
	r.dirs = map[string]*dir{}
	r.idle.Init()
	if err := unix.Close(r.fd); err != nil {
		return fmt.Errorf("close root %s: %w", r.dir, err)
	}
	return nil
}

// SettleTimes gives every directory that was made through this Root the latest
// time that any package has for it. Package does the same for its own
// directories unless LateTimes leaves it to here; what other packages put into
// them afterwards changes them again, so that this makes the outcome
// independent of the order. Call it when all packages are in, before hooks run
// (caches of fonts and icons record the time of directories).
func (r *Root) SettleTimes() error {
	r.mu.Lock()
	times := make(map[string]time.Time, len(r.times))
	for p, t := range r.times {
		times[p] = t
	}
	r.mu.Unlock()
	for p, t := range times {
		if err := r.setDirTime(p, t); err != nil {
			return err
		}
	}
	return nil
}

// setDirTime opens what is not open past the cache: there it would push out
// what is still of use.
func (r *Root) setDirTime(path string, t time.Time) error {
	if d := r.cached(path); d != nil {
		defer r.release(d)
		return fail("set time", path, setTimes(d.fd, t))
	}
	fd, err := openIn(r.fd, path, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil // removed since
	}
	if err != nil {
		return fail("open directory", path, err)
	}
	defer unix.Close(fd)
	return fail("set time", path, setTimes(fd, t))
}

// cached returns an open directory, in use, or nil.
func (r *Root) cached(path string) *dir {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.dirs[path]
	if d != nil {
		r.use(d)
	}
	return d
}

// acquire returns an open directory of the root; release gives it back.
func (r *Root) acquire(path string) (*dir, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acquireLocked(path)
}

func (r *Root) acquireLocked(path string) (*dir, error) {
	if d := r.dirs[path]; d != nil {
		r.use(d)
		return d, nil
	}
	fd, err := openIn(r.fd, path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return r.remember(path, fd, st.Mode&0o7777, int(st.Uid), int(st.Gid)), nil
}

func (r *Root) use(d *dir) {
	if d.idleAt != nil {
		r.idle.Remove(d.idleAt)
		d.idleAt = nil
	}
	d.users++
}

// remember adds an open directory to the cache, in use.
func (r *Root) remember(path string, fd int, mode uint32, uid, gid int) *dir {
	if len(r.dirs) >= maxOpenDirs {
		if e := r.idle.Front(); e != nil {
			r.forgetLocked(e.Value.(*dir))
		}
	}
	d := &dir{path: path, fd: fd, mode: mode, uid: uid, gid: gid, users: 1}
	r.dirs[path] = d
	return d
}

func (r *Root) release(d *dir) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.users--
	if d.users > 0 {
		return
	}
	if r.dirs[d.path] != d { // forgotten meanwhile
		unix.Close(d.fd)
		return
	}
	d.idleAt = r.idle.PushBack(d)
}

// forget drops a directory from the cache: what it names was removed.
func (r *Root) forget(d *dir) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dirs[d.path] == d {
		r.forgetLocked(d)
	}
}

func (r *Root) forgetLocked(d *dir) {
	delete(r.dirs, d.path)
	if d.idleAt != nil {
		r.idle.Remove(d.idleAt)
		d.idleAt = nil
	}
	if d.users == 0 {
		unix.Close(d.fd)
	}
}

// tempName is a name that no package has, for what gets its real name by rename.
func (r *Root) tempName() string {
	return fmt.Sprintf(".rastos-%d-%d", os.Getpid(), r.temp.Add(1))
}

// ownerDiffers tells whether a new inode in d needs a chown.
func (r *Root) ownerDiffers(d *dir, uid, gid int) bool {
	if r.uid != 0 {
		return false
	}
	// A setgid directory (or a mount with grpid) hands its group down.
	return uid != r.uid || gid != r.gid || d.gid != r.gid
}
