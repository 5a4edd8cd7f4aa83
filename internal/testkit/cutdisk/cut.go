// SPDX-License-Identifier: GPL-3.0-or-later

package cutdisk

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Cuts makes up power cuts of what was recorded, each at the same moment as the
// one before or later.
type Cuts struct {
	d    *Disks
	at   int        // events that are in the images
	wet  []event    // of those, what no flush has followed
	base []*os.File // what is flushed, by disk
}

// Cuts begins at the beginning.
func (d *Disks) Cuts() *Cuts {
	d.t.Helper()
	c := &Cuts{d: d}
	for _, one := range d.disks {
		path := one.base + ".flushed"
		if err := copySparse(path, one.base); err != nil {
			d.t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			d.t.Fatal(err)
		}
		d.t.Cleanup(func() { f.Close() })
		c.base = append(c.base, f)
	}
	return c
}

// Unflushed is how many sectors the cut before could lose.
func (c *Cuts) Unflushed() (n int) {
	for _, e := range c.wet {
		n += len(e.sectors(c.d.disks[e.disk].sector))
	}
	return n
}

// Cut is the power cut after so many events: it writes into dir an image for each
// disk, of its name. Each unflushed sector is on it by the chance of kept, in any
// of the states that it had since.
func (c *Cuts) Cut(dir string, at int, kept float64, rng *rand.Rand) error {
	if err := c.advance(at); err != nil {
		return err
	}
	for i, one := range c.d.disks {
		path := filepath.Join(dir, one.name)
		if err := copySparse(path, c.base[i].Name()); err != nil {
			return err
		}
		if err := c.evaporate(path, i, kept, rng); err != nil {
			return err
		}
	}
	return nil
}

// advance brings the images to a moment.
func (c *Cuts) advance(at int) error {
	if at < c.at || at > len(c.d.log) {
		return errors.New("there is no such moment any more")
	}
	for ; c.at < at; c.at++ {
		e := c.d.log[c.at]
		if e.data != nil {
			c.wet = append(c.wet, e)
			continue
		}
		for _, w := range c.wet {
			if w.disk != e.disk {
				continue
			}
			if _, err := c.base[w.disk].WriteAt(w.data, w.off); err != nil {
				return err
			}
		}
		c.wet = slices.DeleteFunc(c.wet, func(w event) bool { return w.disk == e.disk })
	}
	return nil
}

// evaporate writes what the volatile cache of a disk had written back by itself.
func (c *Cuts) evaporate(path string, number int, kept float64, rng *rand.Rand) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	states := map[int64][][]byte{}
	var order []int64
	for _, e := range c.wet {
		if e.disk != number {
			continue
		}
		for _, s := range e.sectors(c.d.disks[number].sector) {
			if states[s.off] == nil {
				order = append(order, s.off)
			}
			states[s.off] = append(states[s.off], s.data)
		}
	}
	for _, off := range order {
		if rng.Float64() >= kept {
			continue
		}
		all := states[off]
		state := all[len(all)-1]
		if kept < 1 {
			state = all[rng.IntN(len(all))]
		}
		if _, err := f.WriteAt(state, off); err != nil {
			return err
		}
	}
	return f.Close()
}

// sectors divides a write.
func (e event) sectors(size int64) (out []event) {
	for off, data := e.off, e.data; len(data) > 0; {
		n := min(int64(len(data)), size-off%size)
		out = append(out, event{disk: e.disk, off: off, data: data[:n]})
		off, data = off+n, data[n:]
	}
	return out
}

// seekData finds the next byte that is no hole.
const (
	seekData = 3
	seekHole = 4
)

// copySparse copies a file and leaves its holes.
func copySparse(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := out.Truncate(info.Size()); err != nil {
		return err
	}
	for at := int64(0); ; {
		begin, err := in.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return out.Close()
		}
		if err != nil {
			return err
		}
		if at, err = in.Seek(begin, seekHole); err != nil {
			return err
		}
		if _, err := out.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := in.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, at-begin); err != nil {
			return err
		}
	}
}
