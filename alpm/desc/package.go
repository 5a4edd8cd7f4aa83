// SPDX-License-Identifier: GPL-3.0-or-later

// Package desc holds the description of an Arch package and the text formats
// that carry it:
//
//   - desc and files of the local database (EncodeLocal, DecodeLocal,
//     EncodeFiles, DecodeFiles), in the order in which libalpm writes them;
//   - desc, depends and files of a sync database (EncodeSync, DecodeSync), in
//     the order in which repo-add writes them;
//   - .PKGINFO of a package archive (EncodePKGINFO, DecodePKGINFO), as makepkg
//     writes it.
//
// Fields that this package does not know are skipped when reading, and are
// therefore lost when a record is written again, as with libalpm. A malformed
// number and a name that could lead out of a directory are errors. Deltas are
// not implemented (pacman dropped them).
//
// The formats are specified by alpm-db-desc(5), PKGBUILD(5) and the programs
// themselves (pacman 6.0.2 to 7.x), which the tests compare with.
package desc

// Reason says why a package was installed.
type Reason int

// Explicit packages were asked for; Depend ones came along and are removable
// once nothing needs them.
const (
	Explicit Reason = 0
	Depend   Reason = 1
)

func (r Reason) String() string {
	if r == Depend {
		return "depend"
	}
	return "explicit"
}

// Backup is a file whose changes by people are kept. Path has no leading
// slash. MD5 is the hexadecimal digest of the file as the package ships it;
// it is empty where the format has none (.PKGINFO).
type Backup struct{ Path, MD5 string }

// Package is the union of what desc, files and .PKGINFO say of a package.
// What a source does not have is empty.
type Package struct {
	Name, Base, Version, Description, URL, Arch, Packager string

	// Relations are kept as written ("glibc>=2.36"); ParseDep reads them.
	Licenses, Groups, Depends, OptDepends, MakeDepends, CheckDepends []string
	Conflicts, Provides, Replaces                                    []string

	BuildDate     int64 // seconds since 1970
	InstalledSize int64 // bytes

	// Of a sync database only.
	Filename       string
	CompressedSize int64  // bytes
	MD5, SHA256    string // hexadecimal
	PGPSig         string // base64 of the detached binary signature

	// Of the local database only.
	InstallDate int64 // seconds since 1970
	Reason      Reason
	Validation  []string // "none", "md5", "sha256", "pgp"

	XData []string // "pkgtype=pkg"

	Files  []string // no leading slash; directories end in "/"
	Backup []Backup
}

// Satisfies tells whether p meets d, by its own name and version or by what it
// provides. An unversioned provide never meets a versioned dependency, and
// only a provide with "=" has a version.
func (p *Package) Satisfies(d Dep) bool {
	if p.Name == d.Name && d.AllowsVersion(p.Version) {
		return true
	}
	for _, text := range p.Provides {
		if len(text) < len(d.Name) || text[:len(d.Name)] != d.Name {
			continue
		}
		provide := ParseDep(text)
		if provide.Name != d.Name {
			continue
		}
		if d.Op == Any || provide.Op == Eq && d.AllowsVersion(provide.Version) {
			return true
		}
	}
	return false
}
