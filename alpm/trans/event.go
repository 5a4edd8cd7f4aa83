// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import "github.com/rastos/rastos/alpm/keyring"

// EventKind says what an Event tells.
type EventKind string

// The events, about in the order of a run.
const (
	EventSync      EventKind = "sync"      // database Name: Done of Total bytes; Text is the outcome at its end
	EventRetrieve  EventKind = "retrieve"  // Done files of Total bytes are to be downloaded; Finished: they are, or not
	EventDownload  EventKind = "download"  // file Name: Done of Total bytes
	EventVerify    EventKind = "verify"    // archive number Done of Total, Name
	EventLearn     EventKind = "learn"     // the keyring package Name, of version Text, brings news of Keys; the packages in Args are trusted by it alone
	EventCheck     EventKind = "check"     // Name: one of the checks, of Total packages
	EventRecover   EventKind = "recover"   // an interrupted transaction of Total packages is found; Finished: Text says what became of it
	EventStage     EventKind = "stage"     // package Name is beside its place, Done of Total are
	EventStart     EventKind = "start"     // from here on the root changes
	EventDone      EventKind = "done"      // all packages are in their place; hooks may follow
	EventHook      EventKind = "hook"      // hook number Done of Total starts; Text describes it
	EventRemove    EventKind = "remove"    // package number Done of Total is removed
	EventInstall   EventKind = "install"   // package number Done of Total is installed (new or again)
	EventUpgrade   EventKind = "upgrade"   // the same for another version
	EventScriptlet EventKind = "scriptlet" // function Text of package Name starts
	EventOutput    EventKind = "output"    // a line that the scriptlet or hook Name wrote
	EventLdconfig  EventKind = "ldconfig"
	EventPopulate  EventKind = "populate" // the root's keyring took in the keys of the package Name; Args are those that changed in it
	EventPacnew    EventKind = "pacnew"   // Path was written beside the file of Name
	EventPacsave   EventKind = "pacsave"  // Path holds the old file of Name
	EventWarning   EventKind = "warning"
)

// The checks, in their order.
const (
	CheckKeyring   = "keyring"
	CheckIntegrity = "integrity"
	CheckLoad      = "load"
	CheckFiles     = "files"
	CheckSpace     = "space"
)

// TextBegun is the Text of the first event about a database or file that is
// not here yet.
const TextBegun = "begun"

// What a warning is about, where a receiver may want to word it otherwise.
const (
	AboutMirror      = "mirror"       // Args: host; Err says how it failed for the file Name
	AboutBanned      = "banned"       // Args: host, which is left alone from now on
	AboutProgram     = "program"      // a scriptlet, a hook or ldconfig that failed
	AboutHookDepends = "hook-depends" // the hook Name, which needs a package that is not installed
	AboutDirMode     = "dir-mode"     // Path; Args: the mode that it has, the package's
	AboutBlocked     = "blocked"      // Path, where a file was to go and a directory is
	AboutHardLink    = "hard-link"    // Path; Args: the file that was not extracted
	AboutKeys        = "keys"         // the keys of package Name, which did not get into the root's keyring: Err says why
	AboutLost        = "lost"         // Path, which a program took away; Err says why it cannot be unpacked again
	AboutDirOwner    = "dir-owner"    // Path; Args: uid and gid that it has, the package's
)

// Event is one thing that happened. Events come one at a time, and a slow
// receiver slows the work down.
type Event struct {
	Kind  EventKind `json:"kind"`
	Name  string    `json:"name,omitempty"` // package, file, database or hook
	Path  string    `json:"path,omitempty"`
	Text  string    `json:"text,omitempty"`
	Done  int64     `json:"done,omitempty"`
	Total int64     `json:"total,omitempty"`
	About string    `json:"about,omitempty"`
	Args  []string  `json:"args,omitempty"`
	Err   error     `json:"-"`
	// Keys are of EventLearn.
	Keys []keyring.KeyChange `json:"keys,omitempty"`
	// Finished: nothing more comes for this Kind and Name.
	Finished bool `json:"finished,omitempty"`
}

// Events receives what happens; nil is nobody.
type Events func(Event)
