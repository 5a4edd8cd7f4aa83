// SPDX-License-Identifier: GPL-3.0-or-later

// Package loadoption writes the firmware's own boot options: the EFI variables
// Boot0000 to BootFFFF, each a program to start, and BootOrder.
//
// A boot loader that cannot load the kernel of the entry that it chose gives up
// and returns to the firmware, which then starts the next boot option. With as
// many options for the one loader as an entry has tries, the loader comes again,
// with one try less each time, until it chooses another entry.
//
// Format: UEFI specification, sections 3.1.3 (load options) and 10.3.5 (device
// paths of a hard disk and a file).
package loadoption

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// global is the vendor of the variables that the UEFI specification defines.
const global = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

// active lets the firmware start the option by itself.
const active = 1

// attributes: kept without power, and readable before and after boot services end.
const attributes = 7

// Partition says where the loader's partition lies on its disk.
type Partition struct {
	Number      uint32
	Start, Size uint64 // in blocks of the disk
	UUID        string // of its entry in the GPT
}

// Encode makes a boot option for a file on a partition. Path has slashes.
func Encode(title string, p Partition, path string) ([]byte, error) {
	id, err := guid(p.UUID)
	if err != nil {
		return nil, err
	}
	var paths bytes.Buffer
	put := func(b *bytes.Buffer, values ...any) {
		for _, v := range values {
			_ = binary.Write(b, binary.LittleEndian, v) // into memory, of fixed sizes
		}
	}
	const gpt, byGUID = uint8(2), uint8(2)
	put(&paths, uint8(4), uint8(1), uint16(42), p.Number, p.Start, p.Size, id, gpt, byGUID)
	name := wide(`\` + strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", `\`))
	put(&paths, uint8(4), uint8(4), uint16(4+2*len(name)), name)
	put(&paths, uint8(0x7f), uint8(0xff), uint16(4))
	var out bytes.Buffer
	put(&out, uint32(active), uint16(paths.Len()), wide(title))
	out.Write(paths.Bytes())
	return out.Bytes(), nil
}

func wide(s string) []uint16 { return append(utf16.Encode([]rune(s)), 0) }

// guid is the binary form, whose first three groups are little-endian.
func guid(text string) ([16]byte, error) {
	var out [16]byte
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != len(out) {
		return out, fmt.Errorf("%q is no UUID", text)
	}
	copy(out[:], raw)
	slices.Reverse(out[0:4])
	slices.Reverse(out[4:6])
	slices.Reverse(out[6:8])
	return out, nil
}

// Variable is one EFI variable as Linux's efivarfs takes it.
type Variable struct {
	Name string
	Data []byte // four bytes of attributes, and the value
}

func variable(name string, value []byte) Variable {
	return Variable{Name: name + global, Data: append([]byte{attributes, 0, 0, 0}, value...)}
}

// Plan says which variables to write, in order, so that the firmware has all
// options and tries them after the one that it booted now: what a person put
// before that stays before. An option is known by its bytes; what is there
// already is left alone, and where nothing is missing the plan is empty.
func Plan(efivars fs.FS, options [][]byte) ([]Variable, error) {
	have, err := read(efivars)
	if err != nil {
		return nil, err
	}
	order, err := numbers(efivars, "BootOrder")
	if err != nil {
		return nil, err
	}
	before := slices.Clone(order)
	var plan []Variable
	var ours []uint16
	for _, o := range options {
		n, ok := find(have, o)
		if !ok {
			if n, ok = unused(have); !ok {
				return nil, errors.New("the firmware has no number left for a boot option")
			}
			have[n] = o
			plan = append(plan, variable(fmt.Sprintf("Boot%04X", n), o))
		}
		ours = append(ours, n)
	}
	missing := slices.DeleteFunc(slices.Clone(ours), func(n uint16) bool { return slices.Contains(order, n) })
	order = slices.Insert(order, place(efivars, order), missing...)
	if slices.Equal(order, before) {
		return plan, nil
	}
	var value bytes.Buffer
	for _, n := range order {
		value.Write(binary.LittleEndian.AppendUint16(nil, n))
	}
	return append(plan, variable("BootOrder", value.Bytes())), nil
}

// place is the index in the order behind the option that was booted.
func place(efivars fs.FS, order []uint16) int {
	current, err := numbers(efivars, "BootCurrent")
	if err != nil || len(current) != 1 {
		return 0
	}
	return slices.Index(order, current[0]) + 1
}

// read is all boot options by number.
func read(efivars fs.FS) (map[uint16][]byte, error) {
	files, err := fs.Glob(efivars, "Boot[0-9A-F][0-9A-F][0-9A-F][0-9A-F]"+global)
	if err != nil {
		return nil, err
	}
	out := map[uint16][]byte{}
	for _, f := range files {
		n, err := strconv.ParseUint(f[4:8], 16, 16)
		if err != nil {
			return nil, err
		}
		if out[uint16(n)], err = value(efivars, f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func find(have map[uint16][]byte, option []byte) (uint16, bool) {
	for n, o := range have {
		if bytes.Equal(o, option) {
			return n, true
		}
	}
	return 0, false
}

func unused(have map[uint16][]byte) (uint16, bool) {
	for n := range 1 << 16 {
		if _, taken := have[uint16(n)]; !taken {
			return uint16(n), true
		}
	}
	return 0, false
}

// numbers reads a variable that is a list of numbers; none is an empty one.
func numbers(efivars fs.FS, name string) ([]uint16, error) {
	data, err := value(efivars, name+global)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(data)%2 != 0 {
		return nil, fmt.Errorf("EFI variable %s: %d bytes are no list of numbers", name, len(data))
	}
	var out []uint16
	for ; len(data) > 0; data = data[2:] {
		out = append(out, binary.LittleEndian.Uint16(data))
	}
	return out, nil
}

// value is a variable without its attributes.
func value(efivars fs.FS, file string) ([]byte, error) {
	data, err := fs.ReadFile(efivars, file)
	if err != nil {
		return nil, fmt.Errorf("read the EFI variable %s: %w", file, err)
	}
	if len(data) < 4 {
		return nil, fmt.Errorf("EFI variable %s: %d bytes are no variable", file, len(data))
	}
	return data[4:], nil
}
