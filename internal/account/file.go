// SPDX-License-Identifier: GPL-3.0-or-later

package account

import (
	"bytes"
	"strconv"
	"strings"
)

// A Kind is one of the account files, by its name below /etc.
type Kind string

// The account files.
const (
	Passwd  Kind = "passwd"
	Group   Kind = "group"
	Shadow  Kind = "shadow"
	GShadow Kind = "gshadow"
	Subuid  Kind = "subuid"
	Subgid  Kind = "subgid"
)

// Kinds are all account files, in the order in which they are written: a
// number is reserved before it is used.
var Kinds = []Kind{Group, GShadow, Passwd, Shadow, Subuid, Subgid}

// A shape says what the fields of a kind are.
type shape struct {
	names   []string // of the fields
	number  int      // the field that numbers the entry, or 0
	members []int    // fields that are sets, separated by commas
	many    bool     // a name may have several lines
}

var shapes = map[Kind]shape{
	Passwd:  {names: []string{"name", "password", "uid", "gid", "comment", "home", "shell"}, number: 2},
	Group:   {names: []string{"name", "password", "gid", "members"}, number: 2, members: []int{3}},
	Shadow:  {names: []string{"name", "password", "last change", "minimum age", "maximum age", "warning", "inactivity", "expiry", "reserved"}},
	GShadow: {names: []string{"name", "password", "administrators", "members"}, members: []int{2, 3}},
	Subuid:  {names: []string{"name", "start", "count"}, many: true},
	Subgid:  {names: []string{"name", "start", "count"}, many: true},
}

// Fields of passwd and group that are used by name.
const (
	fieldPassword = 1
	fieldUID      = 2
	fieldGID      = 3 // of passwd; a group has its own at fieldUID
	fieldComment  = 4
	fieldHome     = 5
	fieldShell    = 6
	fieldMembers  = 3
)

// An Entry is the fields of one line; the first one is its name.
type Entry []string

// Name is the user or group that the entry is about.
func (e Entry) Name() string { return e[0] }

// Number is the value of a numeric field.
func (e Entry) Number(field int) (int, bool) {
	n, err := strconv.Atoi(e[field])
	return n, err == nil && n >= 0
}

func (e Entry) clone() Entry { return append(Entry(nil), e...) }

func (e Entry) equal(other Entry) bool {
	if len(e) != len(other) {
		return false
	}
	for i := range e {
		if e[i] != other[i] {
			return false
		}
	}
	return true
}

// A File is one account file. Lines that are no entries (comments, blank ones,
// NIS, mistakes) are kept where they are.
type File struct {
	kind  Kind
	lines []line
	open  bool // the last line has no newline
}

// A line is an entry, or something to keep.
type line struct {
	entry Entry // nil for a line that is only kept
	raw   string
}

// Decode reads an account file. It accepts anything: what it does not
// understand, it keeps.
func Decode(kind Kind, data []byte) *File {
	f := &File{kind: kind}
	if len(data) == 0 {
		return f
	}
	f.open = !bytes.HasSuffix(data, []byte("\n"))
	text := strings.TrimSuffix(string(data), "\n")
	for _, raw := range strings.Split(text, "\n") {
		f.lines = append(f.lines, line{entry: parseEntry(kind, raw), raw: raw})
	}
	return f
}

// parseEntry returns the fields of a well-formed line, else nil.
func parseEntry(kind Kind, raw string) Entry {
	s := shapes[kind]
	fields := strings.Split(raw, ":")
	if len(fields) != len(s.names) || fields[0] == "" || strings.ContainsAny(fields[0][:1], "#+-") {
		return nil
	}
	e := Entry(fields)
	if s.number > 0 {
		if _, ok := e.Number(s.number); !ok {
			return nil
		}
	}
	return e
}

// Encode writes the file. What was not changed has the bytes it was read with.
func (f *File) Encode() []byte {
	var out bytes.Buffer
	for i, l := range f.lines {
		out.WriteString(l.raw)
		if i < len(f.lines)-1 || !f.open {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// Entries are all entries in order.
func (f *File) Entries() []Entry {
	var out []Entry
	for _, l := range f.lines {
		if l.entry != nil {
			out = append(out, l.entry.clone())
		}
	}
	return out
}

// Get returns the first entry of a name: it is the one that counts.
func (f *File) Get(name string) (Entry, bool) {
	for _, l := range f.lines {
		if l.entry != nil && l.entry.Name() == name {
			return l.entry.clone(), true
		}
	}
	return nil, false
}

// Set replaces the first entry of that name, or adds one: before the NIS lines
// at the end, if there are any, for those end a search.
func (f *File) Set(e Entry) {
	for i, l := range f.lines {
		if l.entry != nil && l.entry.Name() == e.Name() {
			f.lines[i] = newLine(e)
			return
		}
	}
	f.Add(e)
}

// Add adds an entry, also where the name has one already.
func (f *File) Add(e Entry) {
	at := len(f.lines)
	for i, l := range f.lines {
		if strings.HasPrefix(l.raw, "+") || strings.HasPrefix(l.raw, "-") {
			at = i
			break
		}
	}
	f.open = f.open && at < len(f.lines)
	f.lines = append(f.lines, line{})
	copy(f.lines[at+1:], f.lines[at:])
	f.lines[at] = newLine(e)
}

func newLine(e Entry) line { return line{entry: e.clone(), raw: strings.Join(e, ":")} }

// byNumber finds the entry with a number.
func (f *File) byNumber(n int) (Entry, bool) {
	field := shapes[f.kind].number
	for _, l := range f.lines {
		if l.entry != nil {
			if have, ok := l.entry.Number(field); ok && have == n {
				return l.entry.clone(), true
			}
		}
	}
	return nil, false
}

// split reads a set of names.
func split(list string) []string {
	var out []string
	for _, name := range strings.Split(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}
