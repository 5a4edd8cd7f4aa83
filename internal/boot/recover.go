// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Wanted is an entry that must be on the partition. Name is what it is called
// if it has to be made anew; one that is there keeps its counter, which the
// loader and Bless own.
type Wanted struct {
	Name  Name
	Entry Entry
}

// Fix is one thing that recovery has to do, or has done.
type Fix struct {
	Op   FixOp
	Path string
	Why  string

	wanted Wanted
}

// FixOp is what a fix does.
type FixOp string

// The fixes.
const (
	FixWrite  FixOp = "write"  // an entry that is missing, damaged or different
	FixRemove FixOp = "remove" // a leftover of a write or a rename
)

// PlanRecovery compares the partition with what must be there. Only entries
// whose base name is wanted, and leftovers of our own writes, are touched.
func PlanRecovery(esp ESP, wanted []Wanted) ([]Fix, error) {
	list, err := ListEntries(esp)
	if err != nil {
		return nil, err
	}
	found := map[string]Listed{}
	for _, l := range list {
		found[strings.ToLower(l.Name.Base)] = l
	}
	var fixes []Fix
	for _, w := range wanted {
		more, err := planEntry(w, found[strings.ToLower(w.Name.Base)])
		if err != nil {
			return nil, err
		}
		fixes = append(fixes, more...)
	}
	leftovers, err := planLeftovers(esp)
	return append(fixes, leftovers...), err
}

func planEntry(w Wanted, l Listed) ([]Fix, error) {
	want, err := EncodeEntry(w.Entry)
	if err != nil {
		return nil, err
	}
	write := func(name Name, why string) []Fix {
		return []Fix{{
			Op: FixWrite, Path: path.Join(EntriesDir, name.String()), Why: why,
			wanted: Wanted{Name: name, Entry: w.Entry},
		}}
	}
	if len(l.Files) == 0 {
		return write(w.Name, "the entry is missing"), nil
	}
	if l.Files[0].Err != nil {
		// Its name may be as damaged as its content: keep the wanted one.
		return write(w.Name, "the entry is damaged"), nil
	}
	if got, err := EncodeEntry(l.Entry); err != nil || !bytes.Equal(got, want) {
		return write(l.Name, "the entry says something else"), nil
	}
	var fixes []Fix
	for _, f := range l.Files[1:] {
		fixes = append(fixes, Fix{Op: FixRemove, Path: f.Path, Why: "a second name of " + l.Name.String()})
	}
	return fixes, nil
}

func planLeftovers(esp ESP) ([]Fix, error) {
	infos, err := esp.ReadDir(EntriesDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list boot entries: %w", err)
	}
	var fixes []Fix
	for _, info := range infos {
		_, ours := cutSuffixFold(info.Name(), tmpSuffix)
		if (ours || strings.HasPrefix(info.Name(), tmpPrefix)) && !info.IsDir() {
			fixes = append(fixes, Fix{Op: FixRemove, Path: path.Join(EntriesDir, info.Name()), Why: "it was being written"})
		}
	}
	return fixes, nil
}

// Recover makes the wanted entries whole and returns what it did. It may be cut
// at any point and run again. An entry whose blobs are damaged or gone is not
// written; its error is returned after everything else was done.
func Recover(esp ESP, wanted []Wanted) ([]Fix, error) {
	fixes, err := PlanRecovery(esp, wanted)
	if err != nil {
		return nil, fmt.Errorf("recover boot entries: %w", err)
	}
	var done []Fix
	var errs []error
	for _, f := range fixes {
		switch f.Op {
		case FixWrite:
			err = writeNamed(esp, f.wanted.Entry, f.wanted.Name)
		case FixRemove:
			if err = esp.Remove(f.Path); errors.Is(err, fs.ErrNotExist) {
				err = nil // WriteEntry has used the leftover's name
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("recover %s: %w", f.Path, err))
			continue
		}
		done = append(done, f)
	}
	if len(done) > 0 {
		errs = append(errs, esp.Sync())
	}
	return done, errors.Join(errs...)
}
