// SPDX-License-Identifier: GPL-3.0-or-later

// Package history keeps what was done to the packages of a system, with what
// is needed to take it back: a file of JSON lines that only grows.
//
//	id, err := log.Begin(history.Entry{Command: …, Changes: …}) // durable before the first change
//	err = log.End(id, history.End{Result: history.Done})
//
// A transaction is two lines, its beginning and its end; one whose end is
// missing was cut off, and Close settles it by what is installed now. Each line
// is flushed before the call returns. A line that a crash left unfinished is
// cut off by the next one; a damaged line is passed over and counted. Writers
// exclude each other by a lock on the file.
//
// ReadPacmanLog reads what pacman itself did, from its log (pacman 3 to 7);
// Merge makes one history of both. What pacman.log does not say (reasons of
// installation, checksums) is unknown there.
package history

import (
	"slices"
	"strings"
	"time"
)

// Result is how a transaction ended.
type Result string

// The results. A transaction that was cut off is Unfinished until the next one
// begins, which makes it Recovered: it was finished or taken back, as Note says.
const (
	Done       Result = "done"
	Failed     Result = "failed"
	Recovered  Result = "recovered"
	Unfinished Result = "unfinished"
)

// Entry is one transaction.
type Entry struct {
	// ID is a number for our own transactions, "p" and a number for those of
	// pacman's log, counted from the log's beginning.
	ID      string    `json:"id"`
	Time    time.Time `json:"time"` // when it began
	Ended   time.Time `json:"ended,omitzero"`
	Command []string  `json:"command,omitempty"` // as it was typed, word by word
	User    string    `json:"user,omitempty"`
	Changes []Change  `json:"changes,omitempty"`
	Keys    []Lesson  `json:"keys,omitempty"` // what its keyring packages taught the keyring
	// Undoes is the transaction that this one takes back.
	Undoes string `json:"undoes,omitempty"`

	Result Result `json:"result"`
	Error  string `json:"error,omitempty"`
	Note   string `json:"note,omitempty"`
	// Node and Deployment are what it led to where it was made in a new node.
	Node       int `json:"node,omitempty"`
	Deployment int `json:"deployment,omitempty"`
}

// Change is what became of one package.
type Change struct {
	Name string   `json:"name"`
	Old  *Version `json:"old,omitempty"` // nil: it was not installed
	New  *Version `json:"new,omitempty"` // nil: it was removed
}

// Lesson is what a keyring package brought to the keyring in a transaction.
type Lesson struct {
	Package string   `json:"package"`
	Version string   `json:"version"`
	Keys    []Key    `json:"keys"`
	Vouched []string `json:"vouches_for,omitempty"` // packages of the transaction that were trusted by them alone
}

// Key is what became of one key.
type Key struct {
	Fingerprint string `json:"key"`
	User        string `json:"user,omitempty"`
	What        string `json:"what"` // "new", "trusted", "revoked", "disabled", "doubted" or "changed"
	Trusted     bool   `json:"trusted"`
}

// Version is one package as it is or was installed. What is not known is empty.
type Version struct {
	Version string `json:"version"`
	Arch    string `json:"arch,omitempty"`
	Reason  string `json:"reason,omitempty"` // "explicit", "depend"
	Repo    string `json:"repo,omitempty"`
	File    string `json:"file,omitempty"` // name of the archive; its path where it was given as a file
	SHA256  string `json:"sha256,omitempty"`
	Size    int64  `json:"size,omitempty"` // bytes of the archive
}

// Kind names a change: "install", "remove", "upgrade", "downgrade" or
// "reinstall". compare orders versions, as alpm/version does.
func (c Change) Kind(compare func(a, b string) int) string {
	switch {
	case c.Old == nil:
		return "install"
	case c.New == nil:
		return "remove"
	}
	switch n := compare(c.Old.Version, c.New.Version); {
	case n < 0:
		return "upgrade"
	case n > 0:
		return "downgrade"
	}
	return "reinstall"
}

// Touches tells whether a transaction changed a package.
func (e Entry) Touches(name string) bool {
	return slices.ContainsFunc(e.Changes, func(c Change) bool { return c.Name == name })
}

// Made counts the changes that are as the transaction meant them. installed
// tells the version of a package that is installed now, "" for none.
func (e Entry) Made(installed func(name string) string) int {
	made := 0
	for _, c := range e.Changes {
		if installed(c.Name) == versionOf(c.New) {
			made++
		}
	}
	return made
}

// Find returns the entry with an id.
func Find(entries []Entry, id string) (Entry, bool) {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

// Known returns all that a history knows of one version of a package; the
// latest word counts.
func Known(entries []Entry, name, version string) (Version, bool) {
	var out Version
	found := false
	for _, e := range entries {
		for _, c := range e.Changes {
			if c.Name == name && c.New != nil && c.New.Version == version {
				out, found = *c.New, true
			}
		}
	}
	return out, found
}

// sameTransaction is how far the two records of one transaction may be apart
// in time: pacman's log counts whole seconds.
const sameTransaction = 2 * time.Second

// Merge makes one history of ours and of pacman's log, by time. A transaction
// of ours that is in pacman's log too is taken once.
func Merge(ours, pacmans []Entry) []Entry {
	out := slices.Clone(ours)
	for _, p := range pacmans {
		if !slices.ContainsFunc(ours, func(o Entry) bool { return same(o, p) }) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return out
}

func same(ours, pacmans Entry) bool {
	ended := ours.Ended
	if ended.IsZero() {
		ended = ours.Time
	}
	if pacmans.Time.Before(ours.Time.Add(-sameTransaction)) || pacmans.Time.After(ended.Add(sameTransaction)) {
		return false
	}
	for _, c := range pacmans.Changes {
		if !slices.ContainsFunc(ours.Changes, func(o Change) bool { return o.Name == c.Name && versionOf(o.New) == versionOf(c.New) }) {
			return false
		}
	}
	return len(pacmans.Changes) > 0
}

func versionOf(v *Version) string {
	if v == nil {
		return ""
	}
	return v.Version
}

// CommandLine joins the words of a command so that a shell would take them
// apart again.
func (e Entry) CommandLine() string {
	quoted := make([]string, len(e.Command))
	for i, w := range e.Command {
		quoted[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$`*?[]{}()<>|&;#~!") {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
