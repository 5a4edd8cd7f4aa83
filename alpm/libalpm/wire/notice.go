// SPDX-License-Identifier: GPL-3.0-or-later

package wire

import (
	"fmt"

	"github.com/rastos/rastos/alpm/desc"
)

// Source is the callback of libalpm that an event comes from.
type Source string

// The sources.
const (
	SourceEvent    Source = "event"    // Name: the type, "package-operation-start"
	SourceProgress Source = "progress" // Name: "add", "integrity", …
	SourceDownload Source = "download" // Name: "init", "progress", "retry", "completed"
	SourceLog      Source = "log"      // Name: "error", "warning", "debug", "function"
)

// Event is something that happened. What does not apply is left out.
type Event struct {
	Source    Source `json:"source"`
	Name      string `json:"name"`
	Package   string `json:"package,omitempty"`
	Operation string `json:"operation,omitempty"` // "install", "upgrade", "reinstall", "downgrade", "remove"
	Old       string `json:"old,omitempty"`       // versions
	New       string `json:"new,omitempty"`
	File      string `json:"file,omitempty"`
	Text      string `json:"text,omitempty"`
	Done      int64  `json:"done,omitempty"` // bytes, or number of the hook or package
	Total     int64  `json:"total,omitempty"`
	Percent   int    `json:"percent,omitempty"`
	Result    int    `json:"result,omitempty"` // of a download: 0 done, 1 unchanged, -1 failed
	Flag      bool   `json:"flag,omitempty"`   // optional (init), resumed (retry), by NoUpgrade (pacnew), after (hook)
}

// QuestionKind is libalpm's type of a question.
type QuestionKind string

// The questions. All but SelectProvider are answered with 0 or 1,
// SelectProvider with an index of Choices.
const (
	InstallIgnored QuestionKind = "install-ignored" // Package
	ReplacePackage QuestionKind = "replace"         // Other by Package of Repo
	Conflict       QuestionKind = "conflict"        // remove Other, which conflicts with Package over Dep
	Corrupted      QuestionKind = "corrupted"       // remove File, which Reason says is wrong
	RemovePackages QuestionKind = "skip"            // leave out Packages, which cannot be resolved
	SelectProvider QuestionKind = "provider"        // which of Choices for Dep
	ImportKey      QuestionKind = "import-key"      // Key of User
)

// Question is something that libalpm asks.
type Question struct {
	Kind     QuestionKind    `json:"kind"`
	Package  *desc.Package   `json:"package,omitempty"`
	Repo     string          `json:"repo,omitempty"`
	Other    *desc.Package   `json:"other,omitempty"`
	Dep      string          `json:"dep,omitempty"`
	Packages []*desc.Package `json:"packages,omitempty"`
	Choices  []Found         `json:"choices,omitempty"`
	File     string          `json:"file,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Key      string          `json:"key,omitempty"` // fingerprint
	User     string          `json:"user,omitempty"`
}

// Default is the answer when nobody gives one: pacman's, but that no key is
// ever imported unasked.
func (q Question) Default() int {
	switch q.Kind {
	case InstallIgnored, ReplacePackage, Corrupted:
		return 1
	}
	return 0
}

// Allows tells whether an answer is one to this question.
func (q Question) Allows(answer int) bool {
	if q.Kind == SelectProvider {
		return answer >= 0 && answer < len(q.Choices)
	}
	return answer == 0 || answer == 1
}

// Fetch asks the client to download a URL into a folder, under the last part
// of the URL's path.
type Fetch struct {
	URL   string `json:"url"`
	Dir   string `json:"dir"`
	Force bool   `json:"force,omitempty"` // even if what is there is as new
}

// Fetched is the answer: 0 done, 1 what is there is as new, -1 it failed.
type Fetched struct {
	Result int `json:"result"`
}

// Error is what libalpm, or the helper itself, says of a call that failed.
type Error struct {
	Op      string `json:"op"`              // what failed: "prepare the transaction"
	Code    string `json:"code,omitempty"`  // libalpm's, without ALPM_ERR_: "UNSATISFIED_DEPS"
	Errno   int    `json:"errno,omitempty"` // its number
	Message string `json:"message"`
	// Target is what the call was about.
	Target string `json:"target,omitempty"`
	// Log is what the library logged as errors meanwhile.
	Log []string `json:"log,omitempty"`

	// What the library says besides, by its code.
	Missing       []MissingDep   `json:"missing,omitempty"`
	Conflicts     []DepConflict  `json:"conflicts,omitempty"`
	FileConflicts []FileConflict `json:"file_conflicts,omitempty"`
	Invalid       []string       `json:"invalid,omitempty"` // files, or packages for another machine
}

func (e *Error) Error() string {
	if e.Target != "" {
		return fmt.Sprintf("%s %s: %s", e.Op, e.Target, e.Message)
	}
	return e.Op + ": " + e.Message
}

// CodeInterrupted is the code of a call that an interrupt ended before
// anything was changed. It is none of libalpm's.
const CodeInterrupted = "INTERRUPTED"

// MissingDep is alpm_depmissing_t.
type MissingDep struct {
	Package string `json:"package"`
	Version string `json:"version,omitempty"`
	Dep     string `json:"dep"`
	Causing string `json:"causing,omitempty"`
}

// DepConflict is alpm_conflict_t.
type DepConflict struct {
	Package   string `json:"package"`
	Other     string `json:"other"`
	Dep       string `json:"dep"`
	Installed bool   `json:"installed,omitempty"` // Other is
}

// FileConflict is alpm_fileconflict_t. InTarget: two new packages have the
// file; otherwise it is in the root, where Other may be its owner.
type FileConflict struct {
	Package  string `json:"package"`
	File     string `json:"file"`
	Other    string `json:"other,omitempty"`
	InTarget bool   `json:"in_target,omitempty"`
}
