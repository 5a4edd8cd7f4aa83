// SPDX-License-Identifier: GPL-3.0-or-later

package cutdisk

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/rastos/rastos/internal/testkit"
)

// Disks are the disks of one machine.
type Disks struct {
	t      testing.TB
	dir    string // of their contents
	mount  string // where the machine finds them
	server *fuse.Server

	mu     sync.Mutex
	disks  []*disk
	record bool
	log    []event
}

// disk is one of them.
type disk struct {
	name   string
	file   *os.File // what the machine reads
	size   int64
	sector int64 // what is written whole or not at all
	base   string
}

// event is a write, or a flush where data is nil.
type event struct {
	disk int
	off  int64
	data []byte
}

// Need asks for what New needs.
func Need(t testing.TB) {
	t.Helper()
	testkit.NeedRoot(t)
	testkit.NeedKernelFS(t, "fuse")
}

// New makes a machine without disks.
func New(t testing.TB) *Disks {
	t.Helper()
	Need(t)
	dir, err := os.MkdirTemp(testkit.DiskFolder(2<<30), "rastos-test-cut-")
	if err != nil {
		t.Fatal(err)
	}
	d := &Disks{t: t, dir: dir, mount: filepath.Join(dir, "disks")}
	if err := os.Mkdir(d.mount, 0o755); err != nil {
		t.Fatal(err)
	}
	d.server, err = fuse.NewServer(newFiles(d), d.mount, &fuse.MountOptions{
		DirectMountStrict: true, FsName: "rastos-test-cut", MaxWrite: 1 << 20, DisableXAttrs: true, Logger: nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	go d.server.Serve()
	t.Cleanup(d.close)
	if err := d.server.WaitMount(); err != nil {
		t.Fatal(err)
	}
	return d
}

// patience is for whoever still looks at a loop device: the kernel lets go of its
// file only then.
const patience = 30 * time.Second

// close may come only after everything that works with the disks has ended.
func (d *Disks) close() {
	err := d.server.Unmount()
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); err = d.server.Unmount() {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		d.t.Errorf("unmount the disks: %v", err)
		return
	}
	for _, one := range d.disks {
		one.file.Close()
	}
	if err := os.RemoveAll(d.dir); err != nil {
		d.t.Error(err)
	}
}

// Add makes a disk of the content of an image, and tells where the machine finds
// it. Sectors are what a write comes in: a cut divides none.
func (d *Disks) Add(name, image string, sector int64) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := copySparse(path, image); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.disks = append(d.disks, &disk{name: name, file: f, size: info.Size(), sector: sector})
	return filepath.Join(d.mount, name)
}

// Folder is a fresh one for the images of a cut, where the disks are.
func (d *Disks) Folder() string {
	d.t.Helper()
	dir, err := os.MkdirTemp(d.dir, "cut-")
	if err != nil {
		d.t.Fatal(err)
	}
	return dir
}

// Record begins to remember. What is on the disks by now counts as flushed.
func (d *Disks) Record() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.disks {
		one.base = filepath.Join(d.dir, one.name+".base")
		if err := copySparse(one.base, one.file.Name()); err != nil {
			d.t.Fatal(err)
		}
	}
	d.record, d.log = true, nil
}

// Stop ends it.
func (d *Disks) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record = false
}

// Now is how many writes and flushes there were: a moment, as Cut takes it.
func (d *Disks) Now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// BeforeFlush is the last moment before the next flush from one on: then the most
// is unflushed.
func (d *Disks) BeforeFlush(at int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	for at < len(d.log) && d.log[at].data != nil {
		at++
	}
	return at
}

func (d *Disks) read(number int, p []byte, off int64) (int, error) {
	n, err := d.disks[number].file.ReadAt(p, off)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (d *Disks) write(number int, p []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.disks[number]
	if off < 0 || off+int64(len(p)) > one.size {
		return fmt.Errorf("write behind the end of disk %s", one.name)
	}
	if _, err := one.file.WriteAt(p, off); err != nil {
		return err
	}
	if d.record {
		d.log = append(d.log, event{disk: number, off: off, data: append([]byte{}, p...)})
	}
	return nil
}

func (d *Disks) flush(number int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.record {
		d.log = append(d.log, event{disk: number})
	}
}
