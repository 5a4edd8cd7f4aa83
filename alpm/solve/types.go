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
	QuestionSkip     QuestionKind = "skip"     // leave out Package, which cannot be resolved?
	QuestionHold     QuestionKind = "hold"     // remove Package, which HoldPkg names?
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
	Dep     desc.Dep
	Choices []Candidate
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
	NoteIgnored   NoteKind = "ignored"
	NoteUpToDate  NoteKind = "up-to-date"
	NoteReinstall NoteKind = "reinstall"
	NoteDowngrade NoteKind = "downgrade"
	NoteNewer     NoteKind = "local-newer"
	NoteProvider  NoteKind = "provider"
	NoteDropped   NoteKind = "dropped"
	NoteKept      NoteKind = "kept"
	NoteCycle     NoteKind = "cycle"
	NoteOptional  NoteKind = "optional"
)

// Note is something that a person may want to know about the solution.
type Note struct {
	Kind    NoteKind
	Package string
	Text    string
}

// Solution is the answer to a Request, each list in the order to run it.
type Solution struct {
	Install []Install
	Remove  []Removal
	Notes   []Note
}
