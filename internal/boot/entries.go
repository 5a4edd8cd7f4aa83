// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// File is one file of an entry on the partition.
type File struct {
	Name  Name
	Path  string
	Entry Entry
	Err   error // the file cannot be read or is no entry
}

// Listed is one entry as it is found. After a power cut in a rename it may have
// two files; Name says how it counts then.
type Listed struct {
	Name  Name
	Entry Entry
	Files []File // at least one; the one that counts first
}

// ListEntries returns all entries, ours and others', ordered by base name. A
// partition without entries is no error; a file that is damaged is listed with
// its error.
func ListEntries(esp ESP) ([]Listed, error) {
	infos, err := esp.ReadDir(EntriesDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list boot entries: %w", err)
	}
	byBase := map[string][]File{}
	for _, info := range infos {
		name, ok := ParseName(info.Name())
		if !ok || info.IsDir() {
			continue
		}
		f := readEntry(esp, path.Join(EntriesDir, info.Name()))
		f.Name = name
		key := strings.ToLower(name.Base)
		byBase[key] = append(byBase[key], f)
	}
	list := make([]Listed, 0, len(byBase))
	for _, files := range byBase {
		sort.Slice(files, func(i, j int) bool { return counts(files[i], files[j]) })
		list = append(list, Listed{Name: files[0].Name, Entry: files[0].Entry, Files: files})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name.Base < list[j].Name.Base })
	return list, nil
}

func readEntry(esp ESP, name string) File {
	f := File{Path: name}
	data, err := esp.ReadFile(name)
	if err == nil {
		f.Entry, err = DecodeEntry(data)
	}
	if err == nil && f.Entry.Linux == "" && !hasKey(f.Entry, "efi", "uki") {
		err = errors.New("it names nothing to boot")
	}
	if err != nil {
		f.Err = fmt.Errorf("boot entry %s: %w", name, err)
	}
	return f
}

func hasKey(e Entry, keys ...string) bool {
	for _, f := range e.Extra {
		for _, key := range keys {
			if f.Key == key {
				return true
			}
		}
	}
	return false
}

// counts says which of two files of one entry stands for it: a whole one before
// a damaged one; then the one without a counter, since only Bless makes it; then
// the one with fewer tries left, since tries are never given back by accident.
func counts(a, b File) bool {
	switch {
	case (a.Err == nil) != (b.Err == nil):
		return a.Err == nil
	case a.Name.Counted != b.Name.Counted:
		return !a.Name.Counted
	case a.Name.Left != b.Name.Left:
		return a.Name.Left < b.Name.Left
	case a.Name.Done != b.Name.Done:
		return a.Name.Done > b.Name.Done
	}
	return a.Path < b.Path
}

// find returns the entry called base, or an error that is fs.ErrNotExist.
func find(esp ESP, base string) (Listed, error) {
	list, err := ListEntries(esp)
	if err != nil {
		return Listed{}, err
	}
	for _, l := range list {
		if strings.EqualFold(l.Name.Base, base) {
			return l, nil
		}
	}
	return Listed{}, fmt.Errorf("boot entry %s: %w", base, fs.ErrNotExist)
}

// WriteEntry makes an entry with tries left, or with 0 a good one that is not
// counted. Another entry of that base is replaced.
func WriteEntry(esp ESP, e Entry, base string, tries int) error {
	name := Good(base)
	if tries > 0 {
		name = Armed(base, tries)
	}
	return writeNamed(esp, e, name)
}

// writeNamed re-hashes the blobs that the entry names, writes under a name that
// the loader does not read, renames, and syncs. Other files of the same entry
// are removed after that.
func writeNamed(esp ESP, e Entry, name Name) error {
	if back, ok := ParseName(name.String()); !ok || back != name {
		return fmt.Errorf("write boot entry: %q is no name of one", name.String())
	}
	data, err := EncodeEntry(e)
	if err != nil {
		return err
	}
	for _, blob := range append([]string{e.Linux}, e.Initrd...) {
		if err := Verify(esp, blob); err != nil {
			return fmt.Errorf("write boot entry %s: %w", name, err)
		}
	}
	if err := replaceEntry(esp, name, data); err != nil {
		return fmt.Errorf("write boot entry %s: %w", name, err)
	}
	return settle(esp, name)
}

func replaceEntry(esp ESP, name Name, data []byte) error {
	if err := esp.MkdirAll(EntriesDir); err != nil {
		return err
	}
	tmp := path.Join(EntriesDir, name.Base+tmpSuffix)
	if err := esp.WriteFile(tmp, data); err != nil {
		return err
	}
	back, err := esp.ReadFile(tmp)
	if err != nil {
		return err
	}
	if !bytes.Equal(back, data) {
		return fmt.Errorf("%s does not read back as it was written", tmp)
	}
	if err := esp.Sync(); err != nil {
		return err
	}
	if err := esp.Rename(tmp, path.Join(EntriesDir, name.String())); err != nil {
		return err
	}
	return esp.Sync()
}

// tmpSuffix ends the names of files that are being written.
const tmpSuffix = ".tmp"

// tmpPrefix begins those of the temporary files that a mounted partition's
// WriteFile (host/fsroot) makes on its own.
const tmpPrefix = ".rastos-tmp-"

// settle leaves only one file of an entry.
func settle(esp ESP, name Name) error {
	l, err := find(esp, name.Base)
	if err != nil {
		return err
	}
	removed := false
	for _, f := range l.Files {
		if strings.EqualFold(path.Base(f.Path), name.String()) {
			continue
		}
		if err := esp.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the old name of boot entry %s: %w", name, err)
		}
		removed = true
	}
	if removed {
		return esp.Sync()
	}
	return nil
}

// rename gives an entry another counter.
func rename(esp ESP, base string, to func(Name) Name) error {
	l, err := find(esp, base)
	if err != nil {
		return err
	}
	name := to(l.Name)
	if l.Files[0].Err != nil {
		return l.Files[0].Err
	}
	from, target := l.Files[0].Path, path.Join(EntriesDir, name.String())
	if !strings.EqualFold(from, target) {
		if err := esp.Rename(from, target); err != nil {
			return fmt.Errorf("rename boot entry %s to %s: %w", from, name, err)
		}
		if err := esp.Sync(); err != nil {
			return fmt.Errorf("rename boot entry %s to %s: %w", from, name, err)
		}
	}
	return settle(esp, name)
}

// Arm gives an entry new tries.
func Arm(esp ESP, base string, tries int) error {
	return rename(esp, base, func(n Name) Name { return Armed(n.Base, tries) })
}

// Bless makes an entry good: it has no counter any more.
func Bless(esp ESP, base string) error {
	return rename(esp, base, func(n Name) Name { return Good(n.Base) })
}

// MarkBad uses up the tries of an entry, so that the loader puts it last.
func MarkBad(esp ESP, base string) error {
	return rename(esp, base, func(n Name) Name {
		return Name{Base: n.Base, Counted: true, Done: max(n.Done, n.Left+n.Done)}
	})
}

// RemoveEntry removes all files of an entry. One that is not there is no error.
// Its blobs stay until Collect.
func RemoveEntry(esp ESP, base string) error {
	l, err := find(esp, base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range l.Files {
		if err := esp.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove boot entry %s: %w", base, err)
		}
	}
	return esp.Sync()
}
