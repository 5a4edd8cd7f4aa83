// SPDX-License-Identifier: GPL-3.0-or-later

package solve

import "github.com/rastos/rastos/alpm/desc"

// QuestionKind says what is asked.
type QuestionKind string

// The questions. All but QuestionProvider are answered with No or Yes.
const (
	QuestionIgnored  QuestionKind = "ignored"  // install an ignored target?
	QuestionReplace  QuestionKind = "replace"  // replace Other by Package?
	QuestionConflict QuestionKind = "conflict" // remove Other, which Package conflicts with?
	QuestionProvider QuestionKind = "provider" // which of Choices for Dep?
	QuestionSkip     QuestionKind = "skip"     // leave out Packages, which cannot be resolved?
	QuestionHold     QuestionKind = "hold"     // remove Package, which HoldPkg names?
	QuestionHoldBack QuestionKind = "holdback" // leave Held as they are, and upgrade all else?
)

// Answers to a question of the yes and no kind.
const (
	No  = 0
	Yes = 1
)

// Question is put to Request.Answer.
type Question struct {
	Kind    QuestionKind
	Package *desc.Package
	Other   *desc.Package
	Repo    string // that Package is in, where it is in one
	Dep     desc.Dep
	Choices []Candidate
	// Packages are what QuestionSkip asks about.
	Packages []*desc.Package
	// Held are what QuestionHoldBack asks about.
	Held    []Held
	Default int
}

// Candidate is a package of a repository.
type Candidate struct {
	Package *desc.Package
	Repo    string
}

// Install is one package to install, upgrade, downgrade or reinstall.
type Install struct {
	Package *desc.Package
	Repo    string // empty: from a file
	Old     *desc.Package
	Reason  desc.Reason
	// Target is the request that named it; empty for a dependency.
	Target string
	// RequiredBy names the packages of the solution that depend on it, the
	// one that pulled it in first.
	RequiredBy []string
	// Replaces names the installed packages that go away for it.
	Replaces []string
}

// Cause says why a package is removed.
type Cause string

// The causes of a removal.
const (
	CauseRequested Cause = "requested"
	CauseReplaced  Cause = "replaced"
	CauseConflict  Cause = "conflict"
	CauseCascade   Cause = "cascade"
	CauseUnneeded  Cause = "unneeded"
)

// Removal is one installed package to remove.
type Removal struct {
	Package *desc.Package
	Cause   Cause
	By      string // the package that replaces it, conflicts with it, …
}

// NoteKind classes a Note.
type NoteKind string

// The notes.
const (
	NoteIgnored          NoteKind = "ignored"           // Package is on an ignore list and was passed over
	NoteIgnoredMember    NoteKind = "ignored-member"    // the same, of the group Other that is a target
	NoteIgnoredUpgrade   NoteKind = "ignored-upgrade"   // of Package, from Version to OtherVersion
	NoteIgnoredDowngrade NoteKind = "ignored-downgrade" // the same the other way
	NoteIgnoredReplace   NoteKind = "ignored-replace"   // of Package by Other
	NoteSkipped          NoteKind = "skipped"           // the target Package, by answer
	NoteUpToDate         NoteKind = "up-to-date"
	NoteReinstall        NoteKind = "reinstall"
	NoteDowngrade        NoteKind = "downgrade"     // the target Package, from Version to OtherVersion
	NoteSysDowngrade     NoteKind = "sys-downgrade" // the same by a system upgrade
	NoteNewer            NoteKind = "local-newer"   // Package's Version than OtherVersion in Repo
	NoteSearched         NoteKind = "searched"      // the walk failed, and a search found another way
	NoteProvider         NoteKind = "provider"      // Package was taken for Dep
	NoteNotReplaced      NoteKind = "not-replaced"  // Package, by Other: a target has that name
	NoteUnresolved       NoteKind = "unresolved"    // Dep of Package
	NoteDropped          NoteKind = "dropped"       // the target Package, since it conflicts with Other
	NoteLeftOut          NoteKind = "left-out"      // the target Package, since its dependencies are missing
	NoteKept             NoteKind = "kept"          // the removal target Package: Other needs it
	NoteCycle            NoteKind = "cycle"         // Package comes before Other, which it needs
	NoteRemoveCycle      NoteKind = "remove-cycle"  // Package goes after Other, which it needs
	NoteOptional         NoteKind = "optional"      // Other has the optional dependency Dep, which Package met
)

// NoteStage tells Request.Tell, and nobody else, that the work goes on to the
// stage that Text names.
const NoteStage NoteKind = "stage"

// The stages.
const (
	StageUpgrade      = "upgrade"      // the system upgrade is worked out
	StageResolve      = "resolve"      // dependencies of targets
	StageConflicts    = "conflicts"    // between packages
	StageDependencies = "dependencies" // of what stays when packages go
)

// Note is something that a person may want to know about the solution. The
// fields beside Text are for who words it otherwise.
type Note struct {
	Kind         NoteKind
	Package      string
	Version      string `json:",omitempty"`
	Other        string `json:",omitempty"`
	OtherVersion string `json:",omitempty"`
	Repo         string `json:",omitempty"`
	Dep          string `json:",omitempty"`
	Text         string
}

// Solution is the answer to a Request, each list in the order to run it.
type Solution struct {
	Install []Install
	Remove  []Removal
	Notes   []Note
	// Held are packages that could not be upgraded with the rest.
	Held []Held
}
