// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// full is so little room, in bytes, that a sparse image cannot have grown.
const full = 1 << 20

// fullError is a failure whose cause is a full disk of the host: the image's
// own file system only sees a device that does not work any more.
type fullError struct {
	dir string
	err error
}

func (e *fullError) Error() string {
	return fmt.Sprintf("too little room in %s: %v", e.dir, e.err)
}
func (e *fullError) Unwrap() error { return e.err }
func (e *fullError) Hint() string {
	return "make room there, or build elsewhere with --output and work_dir in the settings"
}
func (e *fullError) ExitCode() int { return 7 }

// smallError is an image whose own file system is full.
type smallError struct{ err error }

func (e *smallError) Error() string { return fmt.Sprintf("the image is too small: %v", e.err) }
func (e *smallError) Unwrap() error { return e.err }
func (e *smallError) Hint() string  { return "make size in [disk] larger" }
func (e *smallError) ExitCode() int { return 7 }

// explain finds the lack of room behind a failure: of the host's disk, or in
// the image. The files of the build are still there when it is called.
func (b *build) explain(ctx context.Context, err error) error {
	var cache *fetch.SpaceError
	var told *fullError
	var counted *trans.SpaceError
	if errors.As(err, &counted) && counted.Download {
		return err
	}
	if err == nil || ctx.Err() != nil || b.image == nil || errors.As(err, &cache) || errors.As(err, &told) {
		return err
	}
	for _, dir := range []string{b.imageDir(), filepath.Dir(b.r.Output)} {
		if at, spaceErr := b.Space.FileSystem(dir); spaceErr == nil && at.Free < full {
			return &fullError{dir, err}
		}
	}
	if b.mounted && (counted != nil || errors.Is(err, syscall.ENOSPC)) {
		return &smallError{err}
	}
	return err
}

// imageDir is the folder whose disk the image grows on.
func (b *build) imageDir() string {
	if dir := filepath.Dir(b.image.Name()); dir != b.dir {
		return dir
	}
	return b.r.WorkDir
}

// compressed is how much smaller than its files a compressed file system may
// turn out at best.
const compressed = 5

// room compares what will be installed with what the host has for the image,
// before anything is downloaded. Where it cannot fit, it says so; where it may
// not, explain does later.
func (b *build) room(p *trans.Plan) error {
	at, err := b.Space.FileSystem(b.imageDir())
	if err != nil {
		return err
	}
	need := p.Sizes.Installed
	if c := b.mf.Disk.Compress; c != "" && c != "none" {
		need /= compressed
	}
	if at.Free >= need {
		return nil
	}
	return &fullError{b.imageDir(), fmt.Errorf("the image needs %s at least, and %s are free", report.Size(need), report.Size(at.Free))}
}
