// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Field is one line of an entry.
type Field struct{ Key, Value string }

// Entry is a type 1 entry. Values hold no line break and no space at either end.
type Entry struct {
	Title     string
	Version   string
	SortKey   string
	MachineID string
	Linux     string   // path from the partition's root: /rastos/<sha256>/linux
	Initrd    []string // the same, in order
	Options   string   // the kernel's command line; several lines are joined by a space
	Extra     []Field  // other keys, in the order of the file
}

// maxEntry is far beyond any real entry; what is larger is none.
const maxEntry = 64 << 10

// EncodeEntry writes an entry as the loader reads it.
func EncodeEntry(e Entry) ([]byte, error) {
	fields := []Field{
		{"title", e.Title}, {"version", e.Version}, {"sort-key", e.SortKey},
		{"machine-id", e.MachineID}, {"linux", e.Linux},
	}
	for _, path := range e.Initrd {
		if path == "" {
			return nil, fmt.Errorf("encode boot entry: an empty initrd")
		}
		fields = append(fields, Field{"initrd", path})
	}
	fields = append(fields, Field{"options", e.Options})
	var b bytes.Buffer
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		if err := checkValue(f); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%-10s %s\n", f.Key, f.Value)
	}
	for _, f := range e.Extra {
		if err := checkExtra(f); err != nil {
			return nil, err
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-10s %s", f.Key, f.Value), " ") + "\n")
	}
	if b.Len() > maxEntry {
		return nil, fmt.Errorf("encode boot entry: %d bytes, more than %d", b.Len(), maxEntry)
	}
	return b.Bytes(), nil
}

func checkValue(f Field) error {
	// The loader trims what TrimSpace does not: stay with plain text.
	if f.Value != trim(f.Value) || strings.ContainsAny(f.Value, "\n\r\x00") || !utf8.ValidString(f.Value) {
		return fmt.Errorf("encode boot entry: %s: %q cannot be written on one line", f.Key, f.Value)
	}
	return nil
}

func checkExtra(f Field) error {
	if f.Key == "" || f.Key != trim(f.Key) || strings.ContainsAny(f.Key, " \t\n\r\x00") ||
		f.Key[0] == '#' || isKnown(f.Key) || !utf8.ValidString(f.Key) {
		return fmt.Errorf("encode boot entry: %q is no key of another field", f.Key)
	}
	return checkValue(f)
}

func isKnown(key string) bool {
	switch key {
	case "title", "version", "sort-key", "machine-id", "linux", "initrd", "options":
		return true
	}
	return false
}

func trim(s string) string { return strings.Trim(s, " \t") }

// DecodeEntry reads an entry. Unknown keys are kept, comments and empty lines
// are not; of a key that may be there once the last one counts.
func DecodeEntry(data []byte) (Entry, error) {
	if len(data) > maxEntry {
		return Entry{}, fmt.Errorf("decode boot entry: %d bytes, more than %d", len(data), maxEntry)
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return Entry{}, fmt.Errorf("decode boot entry: no text")
	}
	var e Entry
	var options []string
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxEntry+1)
	for lines.Scan() {
		line := trim(strings.ReplaceAll(lines.Text(), "\r", ""))
		if line == "" || line[0] == '#' {
			continue
		}
		key, value := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			key, value = line[:i], trim(line[i:])
		}
		switch {
		case value == "" && isKnown(key):
		case key == "initrd":
			e.Initrd = append(e.Initrd, value)
		case key == "options":
			options = append(options, value)
		default:
			e.set(key, value)
		}
	}
	if err := lines.Err(); err != nil {
		return Entry{}, fmt.Errorf("decode boot entry: %w", err)
	}
	e.Options = strings.Join(options, " ")
	return e, nil
}

// set stores a field that occurs once, or an unknown one.
func (e *Entry) set(key, value string) {
	switch key {
	case "title":
		e.Title = value
	case "version":
		e.Version = value
	case "sort-key":
		e.SortKey = value
	case "machine-id":
		e.MachineID = value
	case "linux":
		e.Linux = value
	default:
		e.Extra = append(e.Extra, Field{key, value})
	}
}
