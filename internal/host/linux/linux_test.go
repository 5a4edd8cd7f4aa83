// SPDX-License-Identifier: GPL-3.0-or-later

package linux_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/host/linux"
	"github.com/rastos/rastos/internal/testkit"
)

func TestLockExcludesAndEndsWithUnlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := linux.TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = linux.TryLock(path)
	var held *linux.LockedError
	if !errors.As(err, &held) || held.PID != os.Getpid() || held.ExitCode() != 10 {
		t.Errorf("a second lock: %v", err)
	}
	if _, err := linux.TryLockShared(path); !errors.As(err, &held) {
		t.Errorf("a shared lock beside an exclusive one: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := linux.WaitLock(ctx, path); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &held) {
		t.Errorf("waiting: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
	if err := l.Unlock(); err != nil {
		t.Errorf("a second unlock: %v", err)
	}
	a, err := linux.TryLockShared(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Unlock()
	b, err := linux.TryLockShared(path)
	if err != nil {
		t.Fatal(err)
	}
	b.Unlock()
}

func TestALockIsOnTheFileThatHasTheName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 2 {
		l, err := linux.TryLock(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.Remove(), l.Remove()); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
	}
	// Many take and remove it at once: never do two hold it.
	var inside atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				l, err := linux.TryLock(path)
				if err != nil {
					continue
				}
				if inside.Add(1) != 1 {
					t.Error("two hold one lock")
				}
				inside.Add(-1)
				if err := l.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestCopyKeepsContentsAndHoles(t *testing.T) {
	dirs := map[string]string{"here": t.TempDir()}
	if os.Getenv("RASTOS_TEST_INTEGRATION") == "1" {
		dirs["btrfs"] = testkit.BtrfsDisk(t, 128)
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			src, err := os.Create(filepath.Join(dir, "src"))
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			const size = 8 << 20
			if err := src.Truncate(size); err != nil {
				t.Fatal(err)
			}
			mark := bytes.Repeat([]byte("0123456789abcdef"), 4096)
			if _, err := src.WriteAt(mark, 3<<20); err != nil {
				t.Fatal(err)
			}
			dst, err := os.Create(filepath.Join(dir, "dst"))
			if err != nil {
				t.Fatal(err)
			}
			defer dst.Close()
			if err := linux.CopyFile(dst, src); err != nil {
				t.Fatal(err)
			}
			want, _ := os.ReadFile(src.Name())
			got, _ := os.ReadFile(dst.Name())
			if !bytes.Equal(want, got) {
				t.Error("the copy differs")
			}
			start, end, ok, err := linux.NextData(dst, 0)
			if err != nil || !ok || start == 0 || end == size {
				t.Errorf("the first data of the copy is %d to %d, %v, %v", start, end, ok, err)
			}
		})
	}
}

func TestPunchedHolesReadAsZeros(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(bytes.Repeat([]byte{1}, 64<<10)); err != nil {
		t.Fatal(err)
	}
	if err := linux.PunchHole(f, 4096, 8192); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(f.Name())
	for i, b := range got {
		if hole := i >= 4096 && i < 4096+8192; hole == (b != 0) {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
}

func TestPublishReplaces(t *testing.T) {
	dir := t.TempDir()
	tmp, path := filepath.Join(dir, ".new"), filepath.Join(dir, "file")
	for p, text := range map[string]string{tmp: "new", path: "old"} {
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := linux.Publish(tmp, path); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "new" {
		t.Errorf("it says %q", got)
	}
	if err := linux.Publish(tmp, path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("publishing what is not there: %v", err)
	}
}

func TestKernelAndSpace(t *testing.T) {
	k, err := linux.Uname()
	if err != nil || k.Release == "" || k.Machine == "" {
		t.Errorf("%+v, %v", k, err)
	}
	if has, err := linux.HasFilesystem("proc"); err != nil || !has {
		t.Errorf("proc: %v, %v", has, err)
	}
	if has, err := linux.HasFilesystem("nosuchfs"); err != nil || has {
		t.Errorf("nosuchfs: %v, %v", has, err)
	}
	s, err := linux.FreeSpace(t.TempDir())
	if err != nil || s.Total <= 0 || s.Available > s.Free || s.Free > s.Total {
		t.Errorf("%+v, %v", s, err)
	}
}
