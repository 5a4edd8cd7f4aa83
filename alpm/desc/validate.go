// SPDX-License-Identifier: GPL-3.0-or-later

package desc

import "strings"

// CheckName tells whether s may name a package: it becomes part of a directory
// name and an argument of programs, so it has no slash, no blank or control
// character, and starts with neither a dot nor a hyphen.
func CheckName(s string) error {
	if s == "" || s[0] == '.' || s[0] == '-' || !isWord(s) {
		return ErrName
	}
	return nil
}

// CheckVersion is CheckName for versions, which may start in any way.
func CheckVersion(s string) error {
	if s == "" || !isWord(s) {
		return ErrName
	}
	return nil
}

// CheckFilename is CheckName for the file name of a package archive.
func CheckFilename(s string) error { return CheckName(s) }

func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == '/' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// checkPath tells whether s may be a path of a file list.
func checkPath(s string) error {
	if s == "" || s[0] == '/' {
		return ErrPath
	}
	if !strings.Contains(s, "..") { // nearly always
		return nil
	}
	for _, part := range strings.Split(s, "/") {
		if part == ".." {
			return ErrPath
		}
	}
	return nil
}

// SplitEntry takes "name-version-release", the name of a database entry,
// apart at its last two hyphens.
func SplitEntry(s string) (name, version string, ok bool) {
	dash := strings.LastIndexByte(s, '-')
	if dash < 0 {
		return "", "", false
	}
	dash = strings.LastIndexByte(s[:dash], '-')
	if dash < 0 {
		return "", "", false
	}
	name, version = s[:dash], s[dash+1:]
	return name, version, CheckName(name) == nil && CheckVersion(version) == nil
}

// Entry is the name of p's entry in a database.
func (p *Package) Entry() string { return p.Name + "-" + p.Version }
