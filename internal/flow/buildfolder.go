// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rastos/rastos/internal/report"
)

// formats are the image formats that a build can write.
func formats() []string { return []string{"raw", "qcow2"} }

// claim takes the image's name and a working folder for this build alone, and
// clears away what killed builds left of both.
func (b *build) claim(context.Context) error {
	if err := b.outputFolder(filepath.Dir(b.r.Output)); err != nil {
		return fmt.Errorf("make the image's folder: %w", err)
	}
	release, err := b.Hold(filepath.Join(filepath.Dir(b.r.Output), "."+filepath.Base(b.r.Output)+".lock"))
	if err != nil {
		return fmt.Errorf("build %s: %w", b.r.Output, err)
	}
	b.scope.Defer("release "+b.r.Output, func(context.Context) error { release(); return nil })
	for _, f := range b.mf.Disk.Formats {
		path := b.r.Output + "." + f
		if _, err := os.Lstat(path); err == nil && !b.r.Force {
			return &existsError{path}
		}
	}
	for _, f := range formats() {
		if err := os.Remove(b.r.Output + "." + f + ".partial"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := b.collectFolders(); err != nil {
		return err
	}
	return b.workFolder()
}

// outputFolder makes the folder that the image goes into; one that was not
// there before is not there after a failure either.
func (b *build) outputFolder(dir string) error {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		_, err := os.Stat(d)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, d)
	}
	b.scope.Defer("remove empty folders", func(context.Context) error {
		for _, d := range missing {
			if os.Remove(d) != nil {
				break // an image is in it
			}
		}
		return nil
	})
	return os.MkdirAll(dir, 0o755)
}

const (
	folderPrefix = "rastos-build-"
	folderLock   = "lock"
	folderTop    = "top" // where the image's file system is mounted
)

// workFolder makes a folder and locks it for as long as the build runs.
func (b *build) workFolder() error {
	for {
		dir, err := os.MkdirTemp(b.r.WorkDir, folderPrefix)
		if errors.Is(err, fs.ErrNotExist) {
			return report.WithHint(fmt.Errorf("make a working folder: %w", err), "make %s, or set work_dir in the settings", b.r.WorkDir)
		}
		if err != nil {
			return fmt.Errorf("make a working folder: %w", err)
		}
		release, err := b.Hold(filepath.Join(dir, folderLock))
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) || exitCodeOf(err) == lockedCode {
				continue // another build collected it before it was locked
			}
			return errors.Join(err, os.RemoveAll(dir))
		}
		b.dir = dir
		b.scope.Defer("remove the working folder", func(context.Context) error {
			defer release()
			return os.RemoveAll(dir)
		})
		return nil
	}
}

// collectFolders removes the working folders of builds that were killed: those
// whose lock nobody holds.
func (b *build) collectFolders() error {
	dirs, err := filepath.Glob(filepath.Join(b.r.WorkDir, folderPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if !b.ownFolder(dir) {
			continue
		}
		release, err := b.Hold(filepath.Join(dir, folderLock))
		if err != nil {
			continue // it is in use, or just gone
		}
		// Nothing of a build apart is mounted here; if something is, it must not
		// be emptied with the folder.
		err = b.Mounts.Release(filepath.Join(dir, folderTop))
		if err == nil {
			err = os.RemoveAll(dir)
		}
		release()
		if err != nil {
			return fmt.Errorf("remove what a killed build left: %w", err)
		}
		report.Notef(b.sink, "removed %s, which a killed build left", dir)
	}
	return nil
}

// ownFolder tells whether dir is a folder that only this user could have made
// as it is: the folder above is often everybody's.
func (b *build) ownFolder(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == b.Geteuid()
}

const lockedCode = 10

// exitCodeOf is the class that an error gives itself, or 0.
func exitCodeOf(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 0
}
