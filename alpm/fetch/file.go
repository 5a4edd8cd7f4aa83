// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

// fromFile takes the file from a directory of this machine. A package that
// only we can change is linked, anything else copied: what was verified must
// not change under us afterwards.
func (d *download) fromFile(ctx context.Context, raw string, u *url.URL) error {
	if u.Host != "" && u.Host != "localhost" {
		return fmt.Errorf("%s names another machine; write file:///…", raw)
	}
	path := filepath.FromSlash(u.Path)
	src, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return &NoFileError{Path: path}
	}
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	if d.req.Size > 0 && info.Size() > d.req.Size {
		return errTooLarge{d.req.Size}
	}
	if d.req.IfModifiedSince && sameFile(d.res.Path, info) {
		d.res.Status, d.res.URL = Unchanged, raw
		return nil
	}
	if linked, err := d.link(path, info, raw); linked || err != nil {
		return err
	}
	return d.copyFile(ctx, src, info, raw)
}

// sameFile compares size and time stamp. Not "is not newer": a repository that
// went back to an older state is to be followed.
func sameFile(dest string, src os.FileInfo) bool {
	have, err := os.Stat(dest)
	return err == nil && have.Size() == src.Size() && have.ModTime().Equal(src.ModTime())
}

// link makes Dest a hard link. It reports false, to have the file copied,
// where that is not possible or not wise.
func (d *download) link(path string, info os.FileInfo, raw string) (bool, error) {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || d.req.SHA256 == "" || d.req.IfModifiedSince || info.Mode().Perm()&0o022 != 0 || int(owner.Uid) != os.Geteuid() {
		return false, nil
	}
	if err := os.Remove(d.part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, local(d.part, err)
	}
	if err := os.Link(path, d.part); err != nil {
		return false, nil // another file system
	}
	sum, size, err := hashFile(d.part)
	if err == nil {
		err = d.checkSum(sum, size)
	}
	if err == nil {
		err = os.Rename(d.part, d.res.Path)
	}
	// rename does nothing, and leaves both names, if they are one file already
	os.Remove(d.part)
	if err != nil {
		return false, err
	}
	d.res.Status, d.res.URL, d.res.SHA256, d.res.Size = Downloaded, raw, sum, size
	return true, nil
}

func (d *download) copyFile(ctx context.Context, src io.Reader, info os.FileInfo, raw string) error {
	s, err := openSpool(d.part, false, d.req.Size)
	if err != nil {
		return err
	}
	defer s.file.Close()
	started := d.event(Started)
	started.URL, started.Total = raw, info.Size()
	d.f.emit(started)
	if _, err := io.Copy(s, &contextReader{ctx, src}); err != nil {
		return d.broken(s, err)
	}
	return d.conclude(s, raw, info.ModTime(), false)
}

// A contextReader stops a long copy when the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
