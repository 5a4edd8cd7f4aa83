// SPDX-License-Identifier: GPL-3.0-or-later

package loop_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rastos/rastos/internal/host/loop"
	"github.com/rastos/rastos/internal/testkit"
)

func image(t *testing.T, size int) string {
	t.Helper()
	testkit.Integration(t)
	testkit.NeedRoot(t)
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		held, err := loop.Holders()
		if err != nil {
			t.Error(err)
		}
		for dev, file := range held {
			if file == path {
				t.Errorf("%s is still attached to %s", dev, file)
			}
		}
	})
	return path
}

func TestAttachPartOfAFile(t *testing.T) {
	path := image(t, 3<<20)
	dev, err := loop.AttachWith(path, 1<<20, 1<<20, loop.Options{DirectIO: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Detach()
	f, err := os.OpenFile(dev.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if end, err := f.Seek(0, 2); err != nil || end != 1<<20 {
		t.Errorf("the device has %d bytes, %v", end, err)
	}
	mark := bytes.Repeat([]byte("mark"), 1024)
	if _, err := f.WriteAt(mark, 4096); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := dev.Flush(); err != nil {
		t.Error(err)
	}
	if err := dev.Detach(); err != nil {
		t.Error(err)
	}
	if err := dev.Detach(); err != nil {
		t.Errorf("a second detach: %v", err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.Index(got, mark); i != 1<<20+4096 || bytes.Count(got, []byte{0}) != len(got)-len(mark) {
		t.Errorf("the mark is at %d of the file", i)
	}
}

func TestReadOnlyDeviceRefusesWrites(t *testing.T) {
	path := image(t, 1<<20)
	dev, err := loop.AttachWith(path, 0, 0, loop.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Detach()
	if f, err := os.OpenFile(dev.Path, os.O_RDWR, 0); err == nil {
		if _, err := f.Write(make([]byte, 512)); err == nil && f.Sync() == nil {
			t.Error("a read-only device took a write")
		}
		f.Close()
	}
}

func TestManyAtOnceGetDifferentDevices(t *testing.T) {
	path := image(t, 4<<20)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for i := range 12 {
		wg.Go(func() {
			dev, err := loop.Attach(path, int64(i)<<18, 1<<18)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			if seen[dev.Path] {
				t.Errorf("%s was handed out twice", dev.Path)
			}
			seen[dev.Path] = true
			mu.Unlock()
			t.Cleanup(func() { dev.Detach() })
		})
	}
	wg.Wait()
}

func TestRangesOutsideOfTheFileAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]int64{{4096, 0}, {0, 8192}, {512, 4096}, {100, 0}, {0, 100}, {-512, 0}, {512, 1<<63 - 512}} {
		dev, err := loop.Attach(path, r[0], r[1])
		if err == nil {
			dev.Detach()
			t.Errorf("offset %d, size %d was attached", r[0], r[1])
		}
		var e *loop.Error
		if !errors.As(err, &e) {
			t.Errorf("offset %d, size %d: %v", r[0], r[1], err)
		}
	}
}
