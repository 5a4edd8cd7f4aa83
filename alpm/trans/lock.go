// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// lockName is the file that libalpm creates with O_EXCL.
const lockName = "db.lck"

// dbLock is the held lock of a database.
//
// The file is there exactly while somebody works, which is what pacman looks
// at. Ours holds the pid and is flocked besides: the kernel drops that when
// its holder dies, however it dies, so that the lock of a killed transaction
// is told from a live one and taken over. pacman's is empty and never taken
// over.
type dbLock struct {
	path  string
	flock *flock.Flock
	lent  *dbLock // the caller's: not ours to release
	keep  bool    // the file stays: a transaction is unfinished
}

// A Lock is the database's lock, held over several calls: from before the
// questions of a transaction to its end.
type Lock struct {
	lock      *dbLock
	recovered *Recovered
}

// Recovered says what became of an interrupted transaction that was found when
// the lock was taken; nil: there was none. What was read from the tree or its
// database before that may no longer be so.
func (l *Lock) Recovered() *Recovered { return l.recovered }

// Acquire takes the lock of the Env's database, or returns a *LockError, and
// finishes or takes back what an interrupted transaction left, for which it
// needs all of the Env that Run does. The lock is passed on as Env.Held.
func Acquire(ctx context.Context, env Env, events Events) (*Lock, error) {
	env.Held = nil
	lock, rec, err := lockAndRecover(ctx, &env, serial(events))
	if err != nil {
		return nil, err
	}
	return &Lock{lock, rec}, nil
}

// Release gives the lock back. A second time does nothing.
func (l *Lock) Release() {
	if l.lock != nil {
		l.lock.release()
	}
	l.lock = nil
}

// lockTries bounds the races with others that release or take over.
const lockTries = 10

// acquire takes the lock and finishes what its last holder was cut off from.
func acquire(ctx context.Context, env *Env, events Events) (*dbLock, error) {
	if env.Held != nil {
		return &dbLock{lent: env.Held.lock}, nil
	}
	lock, _, err := lockAndRecover(ctx, env, serial(events))
	return lock, err
}

func lockAndRecover(ctx context.Context, env *Env, tell Events) (*dbLock, *Recovered, error) {
	lock, err := lockOnly(env, tell)
	if err != nil {
		return nil, nil, err
	}
	rec, err := recoverJournal(ctx, env, tell)
	if err != nil {
		lock.releaseAfter(err)
		return nil, nil, err
	}
	return lock, rec, nil
}

func lockOnly(env *Env, events Events) (*dbLock, error) {
	if err := os.MkdirAll(env.DBPath, 0o755); err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	path := filepath.Join(env.DBPath, lockName)
	for range lockTries {
		lock, err := create(path)
		// Not there: whoever has the lock swept our temporary file away.
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("lock the database: %w", err)
		}
		if err != nil {
			lock, err = takeOver(path, events)
		}
		if err != nil {
			return nil, err
		}
		if lock != nil {
			sweep(path)
			return lock, nil
		}
	}
	return nil, &LockError{Path: path}
}

// create makes the lock under another name, flocked and with our pid in it,
// and links it to its own: link(2) fails if it is there, as O_EXCL does, and
// nobody ever sees it half made.
func create(path string) (*dbLock, error) {
	temp, err := os.CreateTemp(filepath.Dir(path), lockName+"-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(holder())
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if err == nil {
		err = temp.Sync() // one that a power cut left empty would look like pacman's
	}
	if cerr := temp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	fl := flock.New(temp.Name(), flock.SetFlag(os.O_RDWR))
	ok, err := fl.TryLock()
	if err == nil && !ok {
		err = errors.New("somebody else locked our temporary file")
	}
	if err != nil {
		return nil, err
	}
	if err := os.Link(temp.Name(), path); err != nil {
		_ = fl.Close()
		return nil, err
	}
	return &dbLock{path: path, flock: fl}, nil
}

// sweep removes what others left that were killed while they made a lock.
func sweep(path string) {
	left, _ := filepath.Glob(path + "-*")
	for _, name := range left {
		_ = os.Remove(name)
	}
}

// takeOver takes the lock of one of ours that died. It returns nil and no
// error when the lock has changed meanwhile, and a *LockError when it is held.
func takeOver(path string, events Events) (*dbLock, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	pid := 0
	if err == nil {
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if pid <= 0 {
		return nil, foreign(path)
	}
	fl := flock.New(path, flock.SetFlag(os.O_RDWR))
	ok, err := fl.TryLock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || !ok {
		return nil, &LockError{Path: path, PID: pid, Program: programName(pid)}
	}
	mine, err := fl.Stat()
	there, err2 := os.Stat(path)
	if err != nil || err2 != nil || !os.SameFile(mine, there) {
		_ = fl.Close()
		return nil, nil
	}
	if err := rewrite(path, holder()); err != nil {
		_ = fl.Close()
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	if events != nil {
		events(Event{Kind: EventWarning, Path: path, Text: fmt.Sprintf("a transaction was interrupted (pid %d); its lock is taken over", pid)})
	}
	return &dbLock{path: path, flock: fl}, nil
}

// foreign tells of a lock that is not ours. pacman's says nothing, but pacman
// has it open as long as it runs.
func foreign(path string) *LockError {
	e := &LockError{Path: path}
	there, err := os.Stat(path)
	if err != nil {
		return e
	}
	open, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range open {
		if info, err := os.Stat(fd); err == nil && os.SameFile(info, there) {
			e.PID, _ = strconv.Atoi(strings.Split(fd, "/")[2])
			e.Program = programName(e.PID)
			return e
		}
	}
	e.Left = len(open) > 0 && os.Geteuid() == 0
	return e
}

// holder is what a lock of ours holds: the pid, as long as any, so that it is
// replaced without a moment in which the file is empty.
func holder() string { return fmt.Sprintf("%-10d\n", os.Getpid()) }

func rewrite(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func programName(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "another program"
	}
	return strings.TrimSpace(string(name))
}

// release removes the file first: whoever waits for the flock then finds that
// what it locked is no longer the lock.
func (l *dbLock) release() {
	if l.lent != nil {
		return
	}
	if !l.keep {
		_ = os.Remove(l.path)
	}
	_ = l.flock.Close()
}

// releaseAfter releases the lock, but for its file where the transaction is
// not finished: that keeps pacman, which knows no journal, from half a root.
// The next of ours takes it over.
func (l *dbLock) releaseAfter(err error) {
	var unfinished *UnfinishedError
	if errors.As(err, &unfinished) {
		if l.lent != nil {
			l.lent.keep = true
		}
		l.keep = true
	}
	l.release()
}
