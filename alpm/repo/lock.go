// SPDX-License-Identifier: GPL-3.0-or-later

package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// lockMark ends the content of a lock file of ours. repo-add writes its
// process id alone, and takes the mere file for the lock; so do we, but ours
// is also held by flock, so that one whose owner was killed can be told.
const lockMark = "rastos"

type lockedError struct{ path, owner string }

func (e *lockedError) Error() string {
	if e.owner == "" {
		return fmt.Sprintf("%v: %s exists", ErrLocked, e.path)
	}
	return fmt.Sprintf("%v: %s is held by process %s", ErrLocked, e.path, e.owner)
}

func (e *lockedError) Unwrap() error { return ErrLocked }

func (e *lockedError) Hint() string {
	return "wait for the other program; if none is running, delete " + e.path
}

func lock(path string) (unlock func(), err error) {
	for range 3 { // its owner may be on the way out
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			return own(path, f)
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create lock file: %w", err)
		}
		abandoned, err := clearAbandoned(path)
		if err != nil {
			return nil, err
		}
		if !abandoned {
			return nil, &lockedError{path, owner(path)}
		}
	}
	return nil, &lockedError{path, owner(path)}
}

func own(path string, f *os.File) (func(), error) {
	held := flock.New(path)
	ok, err := held.TryLock()
	if err == nil && !ok {
		err = &lockedError{path: path}
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "%d %s\n", os.Getpid(), lockMark)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	release := func() {
		_ = os.Remove(path) // first, so that nobody finds it unlocked
		_ = held.Close()
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("write lock file: %w", err)
	}
	return release, nil
}

// clearAbandoned removes a lock file of ours that nobody holds, and tells
// whether it is worth trying again.
func clearAbandoned(path string) (bool, error) {
	held := flock.New(path, flock.SetFlag(os.O_RDONLY))
	ok, err := held.TryLock()
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("try lock file: %w", err)
	}
	if !ok {
		return false, nil
	}
	defer held.Close()
	// One that was just made has no mark yet: its owner holds it before that.
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read lock file: %w", err)
	}
	if !strings.HasSuffix(strings.TrimSpace(string(data)), " "+lockMark) {
		return false, nil
	}
	// What is locked may have been replaced since it was opened.
	mine, err := held.Stat()
	if err != nil {
		return false, fmt.Errorf("look at lock file: %w", err)
	}
	now, err := os.Stat(path)
	if err == nil && os.SameFile(mine, now) {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("remove abandoned lock file: %w", err)
	}
	return true, nil
}

// owner is the process id in a lock file, if there is one.
func owner(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	if _, err := strconv.Atoi(word); err != nil {
		return ""
	}
	return word
}
