// SPDX-License-Identifier: GPL-3.0-or-later

package extract

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotRegular is a file to be read that is none, or no longer.
var ErrNotRegular = errors.New("not a regular file")

// Look looks at the files of a root and changes nothing. Paths lead where they
// lead on the running system and never out of the root, as for a package that
// is written; the last name of a path is never followed. Lists of files are
// sorted, so the directories of the path before are kept open. A Look is for
// one goroutine; a Root may have many.
type Look struct {
	r    *Root
	open []lookDir // each below the one before
}

type lookDir struct {
	path string // "" is the root
	fd   int
}

// Stat is what Look tells of a file.
type Stat struct {
	Mode     uint32 // with the bits of the type, as in stat(2)
	UID, GID int
	Size     int64 // bytes
	Sec      int64 // modification time, seconds since 1970
}

// IsDir tells whether it is a directory.
func (s Stat) IsDir() bool { return s.Mode&unix.S_IFMT == unix.S_IFDIR }

// IsRegular tells whether it is a regular file.
func (s Stat) IsRegular() bool { return s.Mode&unix.S_IFMT == unix.S_IFREG }

// IsSymlink tells whether it is a symbolic link.
func (s Stat) IsSymlink() bool { return s.Mode&unix.S_IFMT == unix.S_IFLNK }

// Perm is the permission bits, with setuid, setgid and sticky.
func (s Stat) Perm() uint32 { return s.Mode & 0o7777 }

// Look begins to look at the root, which must stay open for as long.
func (r *Root) Look() *Look { return &Look{r: r} }

// Close closes the directories that are kept open.
func (l *Look) Close() {
	l.keep(0)
}

// keep closes all but the first n directories.
func (l *Look) keep(n int) {
	for _, d := range l.open[n:] {
		unix.Close(d.fd)
	}
	l.open = l.open[:n]
}

// Lstat tells what is at a path, whose trailing slash means nothing. Errors
// are the kernel's own, such as syscall.ENOENT.
func (l *Look) Lstat(path string) (Stat, error) {
	fd, base, err := l.parent(path)
	if err != nil {
		return Stat{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Stat{}, err
	}
	return newStat(&st), nil
}

func newStat(st *unix.Stat_t) Stat {
	return Stat{Mode: st.Mode, UID: int(st.Uid), GID: int(st.Gid), Size: st.Size, Sec: st.Mtim.Sec}
}

// Readlink returns where a symbolic link leads, as it says.
func (l *Look) Readlink(path string) (string, error) {
	fd, base, err := l.parent(path)
	if err != nil {
		return "", err
	}
	target := make([]byte, maxPath+1)
	n, err := unix.Readlinkat(fd, base, target)
	if err != nil {
		return "", err
	}
	return string(target[:n]), nil
}

// Copy gives the content of a regular file to w, piece by piece, each as large
// as buf at most. Nothing else is ever opened for reading: no device, no FIFO.
func (l *Look) Copy(w io.Writer, path string, buf []byte) error {
	dir, base, err := l.parent(path)
	if err != nil {
		return err
	}
	fd, err := openAt(dir, base, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if !newStat(&st).IsRegular() {
		return ErrNotRegular
	}
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return nil
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// parent returns the open directory that a path is in, and its last name.
func (l *Look) parent(path string) (fd int, base string, err error) {
	dir, base := split(strings.TrimRight(path, "/"))
	if base == "" || base == "." || base == ".." {
		return -1, "", unix.EINVAL // these name no entry of a directory
	}
	if dir == "" {
		return l.r.fd, base, nil
	}
	n := len(l.open)
	for n > 0 && !isAt(dir, l.open[n-1].path) {
		n--
	}
	l.keep(n)
	if n > 0 && l.open[n-1].path == dir {
		return l.open[n-1].fd, base, nil
	}
	// From the root, not from the directory above: that may be reached through
	// a link, and what is up from there is for the kernel to say.
	fd, err = openIn(l.r.fd, dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return -1, "", err
	}
	l.open = append(l.open, lookDir{dir, fd})
	return fd, base, nil
}

// isAt tells whether a path is a directory or below it.
func isAt(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/')
}
