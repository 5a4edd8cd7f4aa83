// SPDX-License-Identifier: GPL-3.0-or-later

package show

import (
	"fmt"
	"time"

	"github.com/rastos/rastos/alpm/desc"
)

// Origin is where a package comes from, which decides what is shown of it.
type Origin int

// The origins.
const (
	Installed Origin = iota
	Repository
	File
)

// Info is a package with what has to be looked up elsewhere.
type Info struct {
	Package *desc.Package
	Origin  Origin
	Repo    string
	// Extra: -ii or -Sii.
	Extra bool
	// OptDepends are the optional dependencies as they are shown.
	OptDepends              []string
	RequiredBy, OptionalFor []string
	Script                  bool     // it has an install script
	Signatures              []string // of Repository with Extra, and of File
	Zone                    *time.Location
	Backups                 []Backup // of Installed with Extra
}

// Backup is a backup file and what became of it.
type Backup struct{ Status, Path string }

// titleWidth is that of the longest title.
const titleWidth = len("Compressed Size")

func aligned(title string) string { return fmt.Sprintf("%-*s :", titleWidth, title) }

// Info prints all fields of a package and an empty line.
func (p Page) Info(i Info) {
	q := i.Package
	text := func(title, value string) { p.Text(aligned(title), value) }
	list := func(title string, values []string) { p.List(aligned(title), values) }
	if i.Origin == Repository {
		text("Repository", i.Repo)
	}
	text("Name", q.Name)
	text("Version", q.Version)
	text("Description", q.Description)
	text("Architecture", q.Arch)
	text("URL", q.URL)
	list("Licenses", q.Licenses)
	list("Groups", q.Groups)
	list("Provides", relations(q.Provides))
	list("Depends On", relations(q.Depends))
	p.Lines(aligned("Optional Deps"), i.OptDepends)
	if i.Extra || i.Origin == Installed {
		list("Required By", i.RequiredBy)
		list("Optional For", i.OptionalFor)
	}
	list("Conflicts With", relations(q.Conflicts))
	list("Replaces", relations(q.Replaces))
	p.sizes(i)
	text("Packager", q.Packager)
	text("Build Date", i.date(q.BuildDate))
	if i.Origin == Installed {
		text("Install Date", i.date(q.InstallDate))
		text("Install Reason", reasonText(q.Reason))
	}
	if i.Origin != Repository {
		text("Install Script", map[bool]string{true: "Yes", false: "No"}[i.Script])
	}
	if i.Origin == Repository && i.Extra {
		text("MD5 Sum", q.MD5)
		text("SHA-256 Sum", q.SHA256)
		list("Signatures", i.Signatures)
	} else {
		list("Validated By", validations(i))
	}
	if i.Origin == File {
		p.Lines(aligned("Signatures"), i.Signatures)
	}
	if i.Origin == Installed && i.Extra {
		p.backups(i.Backups)
	}
	p.print("\n")
}

// relations writes relations as they are understood, not as they were typed.
func relations(list []string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = desc.ParseDep(text).String()
	}
	return out
}

// sizes prints the size of the archive and, in the same unit, the installed one.
func (p Page) sizes(i Info) {
	var unit byte
	if i.Origin != Installed {
		title := "Download Size"
		if i.Origin == File {
			title = "Compressed Size"
		}
		_, label := SizeIn(i.Package.CompressedSize, 0)
		unit = label[0]
		p.size(title, i.Package.CompressedSize, unit)
	}
	p.size("Installed Size", i.Package.InstalledSize, unit)
}

func (p Page) size(title string, bytes int64, unit byte) {
	p.print(p.Tint.Title, aligned(title), p.Tint.Off, " ", Size(bytes, unit), "\n")
}

// date is strftime's %c in the C locale.
func (i Info) date(seconds int64) string {
	zone := i.Zone
	if zone == nil {
		zone = time.Local
	}
	return time.Unix(seconds, 0).In(zone).Format("Mon Jan _2 15:04:05 2006")
}

func reasonText(r desc.Reason) string {
	switch r {
	case desc.Explicit:
		return "Explicitly installed"
	case desc.Depend:
		return "Installed as a dependency for another package"
	}
	return "Unknown"
}

// validations says how the package was found to be the right one.
func validations(i Info) (out []string) {
	has := map[string]bool{}
	for _, v := range i.Package.Validation {
		has[v] = true
	}
	if i.Origin == Repository {
		has = map[string]bool{"md5": i.Package.MD5 != "", "sha256": i.Package.SHA256 != "", "pgp": i.Package.PGPSig != ""}
	}
	if has["none"] {
		return []string{none}
	}
	for _, v := range []struct{ word, text string }{{"md5", "MD5 Sum"}, {"sha256", "SHA-256 Sum"}, {"pgp", "Signature"}} {
		if has[v.word] {
			out = append(out, v.text)
		}
	}
	switch {
	case len(out) > 0:
	case i.Origin != Installed:
		return []string{none}
	default:
		return []string{"Unknown"}
	}
	return out
}

func (p Page) backups(list []Backup) {
	p.print(p.Tint.Title, aligned("Backup Files"), "\n", p.Tint.Off)
	for _, b := range list {
		p.print(b.Status, "\t", b.Path, "\n")
	}
	if len(list) == 0 {
		p.print("(none)\n")
	}
}
