// SPDX-License-Identifier: GPL-3.0-or-later

// Package lockfile reads and writes rastos.lock: which packages, to the byte,
// and which numbers of users and groups a manifest led to. The same lock and
// the same manifest lead to the same again.
//
// A lock is TOML (version 1.0) in one form only: keys in the order of the
// table, packages sorted by name, users and groups likewise. Decode is strict:
// unknown keys, a version that it does not know, names that could lead out of a
// folder, and packages out of order are errors with their place in the file.
//
// The format is described in docs/lock.md.
package lockfile

import (
	"maps"
	"slices"
	"strings"
)

// FormatVersion is the version of the format that is read and written.
const FormatVersion = 1

// MaxSize is the largest lock that is read, in bytes: some 100,000 packages.
const MaxSize = 32 << 20

// Lock is the content of a rastos.lock.
type Lock struct {
	// Manifest is the SHA-256 of the manifest that it belongs to, in hexadecimal.
	Manifest string
	// Packages are all that are installed, sorted by name.
	Packages []Package
	// Users and Groups are the numbers of accounts by name.
	Users, Groups map[string]int
}

// Package pins one package.
type Package struct {
	Name    string
	Version string
	// Repository is empty for a package that came from no repository; nothing
	// but its version is pinned then.
	Repository string
	Filename   string
	Size       int64  // bytes of the archive
	SHA256     string // of the archive, in hexadecimal
}

// Entry is "name-version".
func (p Package) Entry() string { return p.Name + "-" + p.Version }

// Package returns the pin of that name.
func (l *Lock) Package(name string) (Package, bool) {
	i, ok := slices.BinarySearchFunc(l.Packages, name, func(p Package, name string) int { return strings.Compare(p.Name, name) })
	if !ok {
		return Package{}, false
	}
	return l.Packages[i], true
}

// Equal tells whether two locks say the same.
func (l *Lock) Equal(o *Lock) bool {
	return l.Manifest == o.Manifest && slices.Equal(l.Packages, o.Packages) && maps.Equal(l.Users, o.Users) && maps.Equal(l.Groups, o.Groups)
}

// Sort puts the packages in the order that Encode and Decode ask for.
func (l *Lock) Sort() {
	slices.SortFunc(l.Packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
}

// PathFor is where the lock of a manifest lies: beside it, with the same name.
func PathFor(manifest string) string {
	return strings.TrimSuffix(manifest, ".toml") + ".lock"
}
