// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/hook"
	"github.com/rastos/rastos/alpm/journal"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// journalName is the journal's file in DBPath; pacman looks at neither.
const journalName = "rastos.journal"

// journalVersion is the format of what the records hold.
const journalVersion = 1

// The records of a journal, in their order.
const (
	kindBegin  journal.Kind = 1 // header: what a rollback needs
	kindStaged journal.Kind = 2 // *stagedPackage, in any order
	kindCommit journal.Kind = 3 // from here on the only way is forward
	kindSwitch journal.Kind = 4 // switchRecord: what is about to be done for some steps
	kindDone   journal.Kind = 5 // doneRecord: a step with its scriptlet
	kindPlaced journal.Kind = 6 // all steps are done and on disk; hooks may follow
)

// header begins a journal. With it alone everything that was staged is found
// and taken back.
type header struct {
	Version   int      `json:"version"`
	ID        string   `json:"id"`      // part of every temporary name
	Options   Options  `json:"options"` // and the settings that decisions hang on
	NoUpgrade []string `json:"no_upgrade,omitempty"`
	NoExtract []string `json:"no_extract,omitempty"`
	// Dirs are all directories that temporary files may be in, without links.
	Dirs []string `json:"dirs"`
	// Made are the directories that are made for the new files, with the times
	// that they get at the end; those above come first.
	Made []madeDir `json:"made"`
	// Remove are the steps before the staged packages.
	Remove []removalStep `json:"remove,omitempty"`
	// Packages is how many are staged after that.
	Packages int `json:"packages"`
	// Moved and Overlap are fileCheck's.
	Moved   []string `json:"moved,omitempty"`
	Overlap bool     `json:"overlap,omitempty"`
	// Change is what hooks are told at the end.
	Change hook.Change `json:"change"`
	// Teachers are the keyring packages whose keys the root's keyring is to get.
	Teachers []string `json:"teachers,omitempty"`
}

type madeDir struct {
	Path string `json:"path"`
	Time int64  `json:"time,omitempty"` // nanoseconds; 0: none
}

// removalStep is a package to remove.
type removalStep struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Pending: the entry goes with the package that replaces it.
	Pending bool `json:"pending,omitempty"`
}

// stagedPackage is a package whose files and database entry lie beside where
// they belong.
type stagedPackage struct {
	Step    int    `json:"step"` // its number among all steps
	Name    string `json:"name"`
	Version string `json:"version"`
	// Old is the version that is upgraded; empty for a new package. Before is
	// the version that the database has of it, which is the same but for a
	// package that is removed and comes back.
	Old    string `json:"old,omitempty"`
	Before string `json:"before,omitempty"`
	// Replaces are the packages whose entries go when this one's comes.
	Replaces []removalStep `json:"replaces,omitempty"`
	Files    []stagedFile  `json:"files,omitempty"`
	Extra    []string      `json:"extra,omitempty"` // files of the entry besides desc and files
	// Archive is where the files come from, if programs run that may spoil what
	// was prepared.
	Archive *source `json:"archive,omitempty"`

	entry    *desc.Package // what the database will have
	warnings []Event
	left     []extract.Left // files that were left in their places, to be looked at if programs run
}

// stagedFile is one entry of an archive, in the archive's order.
type stagedFile struct {
	Path string `json:"path"`
	Temp string `json:"temp,omitempty"` // where it is for now; empty for a directory
	// Link is where a link leads, which decides about a link among the backup
	// files; Plain tells a regular file.
	Link  string       `json:"link,omitempty"`
	Plain bool         `json:"plain,omitempty"`
	Dir   *rootfs.Attr `json:"dir,omitempty"`
	// Late is a directory that can only be made at the switch: something else
	// is in its place until then. Unlink: even if that leads to a directory.
	Late   bool `json:"late,omitempty"`
	Unlink bool `json:"unlink,omitempty"`
	// Keep is what a file is to be whose content is in its place already, as
	// Inode: nothing is staged for it.
	Keep  *rootfs.Attr `json:"keep,omitempty"`
	Inode string       `json:"inode,omitempty"`
	// Unlinked is a hard link that could not be made: what is at its path goes.
	Unlinked bool `json:"unlinked,omitempty"`

	attr *rootfs.Attr
}

// switchRecord says what is done to the tree for the steps from First on.
type switchRecord struct {
	First int           `json:"first"`
	Steps [][]operation `json:"steps"`
}

// doneRecord says that a step is done, its scriptlet included.
type doneRecord struct {
	Step int `json:"step"`
}

// What an operation does.
const (
	opMove   = "move"   // a staged file to its path
	opDrop   = "drop"   // a staged file is not wanted
	opRemove = "remove" // the file that the path had, and no other
	opRename = "rename" // that file to another path
	opMkdir  = "mkdir"  // a directory, if there is none
	opRmdir  = "rmdir"  // that directory, if nothing is in it
	opDress  = "dress"  // owner, mode and time of that file
)

// operation is one change of the tree. Carried out once more after a cut, it
// finds out what is left to do of it, or that nothing is.
type operation struct {
	Do     string       `json:"do"`
	Path   string       `json:"path"`
	To     string       `json:"to,omitempty"`
	ID     string       `json:"id,omitempty"` // tree.identity of what is at Path
	Dir    *rootfs.Attr `json:"dir,omitempty"`
	Unlink bool         `json:"unlink,omitempty"`

	tell *Event // what a person is told of it, the first time
}

func (e *Env) journalPath() string { return filepath.Join(e.DBPath, journalName) }

// step is one step of the switch: a removal or a staged package.
type step struct {
	remove *removalStep
	put    *stagedPackage
}

func (s step) name() string {
	if s.remove != nil {
		return s.remove.Name
	}
	return s.put.Name
}

// kind is that of the events which tell of a step.
func (s step) kind() EventKind {
	switch {
	case s.remove != nil:
		return EventRemove
	case s.put.Old != "":
		return EventUpgrade
	}
	return EventInstall
}

// steps puts removals before packages, both in the order of the plan.
func (h *header) steps(staged []*stagedPackage) []step {
	out := make([]step, 0, len(h.Remove)+len(staged))
	for i := range h.Remove {
		out = append(out, step{remove: &h.Remove[i]})
	}
	staged = slices.Clone(staged)
	slices.SortFunc(staged, func(a, b *stagedPackage) int { return a.Step - b.Step })
	for _, p := range staged {
		out = append(out, step{put: p})
	}
	return out
}
