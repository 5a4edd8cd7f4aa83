// SPDX-License-Identifier: GPL-3.0-or-later

// Package trans changes which packages a system tree holds. A transaction is
// a plan, and then it runs:
//
//	plan, err := trans.Prepare(ctx, env, request)  // what would happen, as a value
//	err = trans.Download(ctx, env, plan, events)   // archives into the cache, verified
//	err = trans.Run(ctx, env, plan, events)        // verified once more where needed, then done
//
// Sync downloads and verifies the databases of the repositories before that.
//
// Nothing of the root is touched before every archive of the plan is verified
// (checksum, signature as SigLevel asks, identity with the plan), there is
// room, and no file is in the way. Then: PreTransaction hooks, removals,
// installs, ldconfig, PostTransaction hooks. The entry in the local database
// is written last for each package, and at no time is an installed package
// without one.
//
// A root that is thrown away when anything fails is written straight into. In
// place (Env.Durable) a transaction is never half-done: all new files and
// database entries are staged beside the old and flushed, and only then are
// they switched by rename, each step announced in a journal (DBPath/
// rastos.journal) before it is taken. Cut off before the switch, the staged
// files are taken away again; after it began, the rest is done. Whoever takes
// the lock next does that first (Run, Sync, SetReasons, Acquire, Recover).
// Scriptlets and hooks are not files: one that was running is run once more.
//
// Packages that are all new to the root are extracted side by side, the
// largest first; their post_install scriptlets run afterwards, in the order of
// dependencies. pacman runs each one right after its package. Here a scriptlet
// sees all files of its dependencies, as there, and besides those of packages
// that come later: a superset, on which no scriptlet can rely and which none
// can miss. Where order can matter for the files (an upgrade, a removal, a
// pre_install scriptlet, a path through another package's link) everything
// runs in the order of the plan, as with pacman.
//
// What differs from pacman on purpose: the new version's files are there
// before what is obsolete goes, the lock tells who holds it and dies with its
// holder, and a plan that no longer fits the root is refused.
//
// Not implemented: delta packages.
//
// The behaviour followed is that of pacman(8), pacman.conf(5) and alpm-hooks(5).
package trans

import (
	"context"
	"io"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/syncdb"
)

// Chroot runs a program inside a system tree.
type Chroot interface {
	Run(ctx context.Context, root string, argv []string, stdin io.Reader, output io.Writer) (exit int, err error)
}

// FileSystem is the room on one file system.
type FileSystem struct {
	ID          uint64 // the same for all paths on it
	Free, Total int64  // bytes; Free is what an ordinary write may use
	BlockSize   int64
}

// Space tells the room where a path is (statfs(2)).
type Space interface {
	FileSystem(path string) (FileSystem, error)
}

// Repo is one repository; their order is their priority.
type Repo struct {
	Name    string
	Servers []string // with $repo and $arch
	// CacheServers are asked for packages before the Servers, never for
	// databases; they need not have everything.
	CacheServers []string
	SigLevel     keyring.SigLevel
	Usage        solve.Usage // zero: everything
	// DB is the database if it is in memory already. Otherwise Prepare reads
	// and verifies DBPath/sync/Name.db.
	DB *syncdb.DB
}

// Env is the world that transactions happen in.
type Env struct {
	Root   string // the system tree
	DBPath string // usually Root/var/lib/pacman; its `local` may be a link
	// SyncDir holds the databases of the repositories; empty: DBPath/sync. A
	// tree that is being built shares those of the machine.
	SyncDir string
	// CacheDir is where archives are kept, Caches are more places to look for
	// them.
	CacheDir string
	Caches   []string
	Repos    []Repo
	Keyring  *keyring.Ring
	// LearnKeys lets the new version of an installed keyring package vouch, in
	// the change that brings it, for packages that the keyring cannot judge yet.
	// pacman wants that package upgraded in a change of its own before.
	LearnKeys bool
	// Keys is the root's own keyring, which takes in what was learned so, whether
	// the package's scriptlet can do that or not; nil: it is left as it is.
	Keys KeyStore
	// FileSigLevel is what archives given as files must fulfil, RemoteSigLevel
	// those that were given as URLs.
	FileSigLevel, RemoteSigLevel keyring.SigLevel
	// Chroot runs scriptlets, hooks and ldconfig; nil: none of them run.
	Chroot Chroot
	// Corrupt decides whether an archive in the cache that proves wrong is
	// removed; the transaction ends then. nil: what is wrong is fetched again.
	Corrupt func(*VerifyError) bool
	// Held is a lock that the caller has; nil: each call takes its own.
	Held *Lock
	// Networked runs hooks that ask for the network; nil: without it.
	Networked Chroot
	// Fetcher gives the settings of downloads (client, parallelism, stall
	// time); nil: the defaults. Its events are passed on.
	Fetcher *fetch.Fetcher
	// HookDirs are host paths in rising priority.
	HookDirs []string

	IgnorePkg, IgnoreGroup, NoUpgrade, NoExtract, HoldPkg []string

	Arch    string           // "any" is always allowed; empty: all are
	Archs   []string         // others that are allowed beside Arch
	Clock   func() time.Time // nil: time.Now
	Space   Space            // nil: the room is not checked
	Workers int              // archives at a time; 0: the cores, at most 2
	// History is told of every run that changes the root; nil: nobody is.
	History History
	// Durable makes a run that is never half-done, by a journal. A root that is
	// thrown away when anything fails does without.
	Durable bool

	fault    func(what string) error // tests stop or fail a journalled run here
	unsynced bool                    // tests leave out what makes staged files last
}

func (e *Env) now() time.Time {
	if e.Clock == nil {
		return time.Now()
	}
	return e.Clock()
}

// maxDefaultWorkers: measured, more than two gain nothing and cost memory.
const maxDefaultWorkers = 2

func (e *Env) workers() int {
	if e.Workers > 0 {
		return e.Workers
	}
	return min(runtime.NumCPU(), maxDefaultWorkers)
}

func (e *Env) repo(name string) *Repo {
	for i := range e.Repos {
		if e.Repos[i].Name == name {
			return &e.Repos[i]
		}
	}
	return nil
}

func (e *Env) syncDir() string {
	if e.SyncDir != "" {
		return e.SyncDir
	}
	return filepath.Join(e.DBPath, "sync")
}

// KeyStore is a keyring on the disk.
type KeyStore interface {
	// Populate is keyring.Home's; nil without an error is a root without a keyring.
	Populate(keyrings []keyring.Keyring) (*keyring.Populated, error)
}

// Request is what is wanted.
type Request struct {
	// Targets are names, "repo/name", "name=1", "name>=1", provides, groups.
	Targets []string
	// Files are archives to install, Remote those that FetchURLs brought.
	Files, Remote []string
	// Remove names installed packages or groups of them.
	Remove []string

	SysUpgrade, Downgrade, HoldBack, Needed    bool
	AsDeps, AsExplicit                         bool
	Recursive, RecursiveAll, Cascade, Unneeded bool
	NoVersions, NoDeps, NoConflicts            bool
	// Assume lists dependencies to treat as met.
	Assume []string
	// Answer decides questions; nil takes every question's default.
	Answer func(solve.Question) int `json:"-"`
	// Select, Tell and Lost are those of solve.Request.
	Select func(group string, members []solve.Candidate) ([]solve.Candidate, error) `json:"-"`
	Tell   func(solve.Note)                                                         `json:"-"`
	Lost   func(error)                                                              `json:"-"`

	Options
}

// Options are what a plan carries from the request to its run.
type Options struct {
	// Overwrite lists patterns of files that may be overwritten though no
	// package of the plan owns them. `!` in front takes back.
	Overwrite []string `json:"overwrite,omitempty"`
	// NoScriptlet leaves out the scriptlets of packages, NoHooks the hooks.
	NoScriptlet bool `json:"no_scriptlet,omitempty"`
	NoHooks     bool `json:"no_hooks,omitempty"`
	// DBOnly changes the database and no files.
	DBOnly bool `json:"db_only,omitempty"`
	// NoSave removes changed backup files instead of keeping them as .pacsave.
	NoSave bool `json:"no_save,omitempty"`
}
