// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/disk"
	"github.com/rastos/rastos/qcow2"
)

// openImageESP opens the ESP inside an image, for reading. What has to be
// unpacked for that goes into dir.
func openImageESP(ctx context.Context, path, format, dir string) (boot.ESP, func() error, error) {
	f, err := openRaw(ctx, path, format, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", path, err)
	}
	layout, err := disk.ReadTable(f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	part, err := layout.Find(disk.TypeESP)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	esp, err := disk.OpenESP(f, part, time.Now)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return esp, f.Close, nil
}

// openRaw opens the disk that an image holds; that of a qcow2 is a sparse copy
// in dir.
func openRaw(ctx context.Context, path, format, dir string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil || format == "raw" {
		return f, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	im, err := qcow2.Open(f, info.Size(), nil)
	if err != nil {
		return nil, err
	}
	raw, err := os.Create(filepath.Join(dir, "disk.raw"))
	if err != nil {
		return nil, err
	}
	if err := qcow2.Extract(ctx, im, raw); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return raw, nil
}

// newestEntry picks what the boot loader would: the newest entry that has not
// used up its tries, else the newest.
func newestEntry(esp boot.ESP) (boot.Entry, error) {
	list, err := boot.ListEntries(esp)
	if err != nil {
		return boot.Entry{}, err
	}
	var best *boot.Listed
	for i := range list {
		l := &list[i]
		if l.Entry.SortKey != "rastos" || len(l.Entry.Initrd) == 0 {
			continue
		}
		if best == nil || better(l, best) {
			best = l
		}
	}
	if best == nil {
		return boot.Entry{}, errors.New("the image has no boot entry of rastOS")
	}
	return best.Entry, nil
}

func better(a, b *boot.Listed) bool {
	if a.Name.Bad() != b.Name.Bad() {
		return b.Name.Bad()
	}
	return number(a.Entry.Version) > number(b.Entry.Version)
}

func number(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// diskUsage is what a sparse file takes, in bytes.
func diskUsage(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512, nil
	}
	return info.Size(), nil
}
