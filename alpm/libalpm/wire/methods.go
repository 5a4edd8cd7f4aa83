// SPDX-License-Identifier: GPL-3.0-or-later

package wire

import "github.com/rastos/rastos/alpm/desc"

// Hello is how both sides begin. The client leaves Libalpm out.
type Hello struct {
	Protocol int    `json:"protocol"`
	Libalpm  string `json:"libalpm,omitempty"` // the library's version
	// Capabilities of this build of the library: "nls", "downloader",
	// "signatures".
	Capabilities []string `json:"capabilities,omitempty"`
}

// Method names a call.
type Method string

// The methods. Open comes first, and once.
const (
	MethodOpen Method = "open" // Config → nothing

	MethodRefresh Method = "refresh" // Refresh → Refreshed

	MethodPackages    Method = "packages"     // In → []desc.Package
	MethodPackage     Method = "package"      // In → []desc.Package, at most one, with its files if it is installed
	MethodSearch      Method = "search"       // In → []desc.Package
	MethodGroups      Method = "groups"       // In → []Group
	MethodSatisfier   Method = "satisfier"    // In → []Found, at most one
	MethodRequiredBy  Method = "required-by"  // In → []string, installed packages or those of the repository
	MethodOptionalFor Method = "optional-for" // the same for optional dependencies
	MethodSetReason   Method = "set-reason"   // Reason → nothing

	// A transaction is begun, filled, prepared, perhaps committed, and
	// released; there is one at a time.
	MethodBegin      Method = "transaction.begin"      // Flags → nothing
	MethodTarget     Method = "transaction.target"     // Target → nothing
	MethodFile       Method = "transaction.file"       // File → nothing
	MethodRemove     Method = "transaction.remove"     // Target → nothing
	MethodSysUpgrade Method = "transaction.sysupgrade" // SysUpgrade → nothing
	MethodPrepare    Method = "transaction.prepare"    // nothing → Plan
	MethodCommit     Method = "transaction.commit"     // Commit → Committed
	MethodRelease    Method = "transaction.release"    // nothing → nothing
)

// Check says whether something has to be signed.
type Check string

// The values of Check.
const (
	CheckRequired Check = "required"
	CheckOptional Check = "optional"
	CheckNever    Check = "never"
)

// Level is what is asked of one signature.
type Level struct {
	Check    Check `json:"check"`
	TrustAll bool  `json:"trust_all,omitempty"` // any key of the keyring will do
}

// SigLevel is what is asked of the signatures of packages and databases.
type SigLevel struct {
	Package  Level `json:"package"`
	Database Level `json:"database"`
}

// Usage is what a repository is used for; zero is everything.
type Usage struct {
	Sync    bool `json:"sync,omitempty"`
	Search  bool `json:"search,omitempty"`
	Install bool `json:"install,omitempty"`
	Upgrade bool `json:"upgrade,omitempty"`
}

// Repo is one repository.
type Repo struct {
	Name         string   `json:"name"`
	Servers      []string `json:"servers,omitempty"` // with nothing left to replace
	CacheServers []string `json:"cache_servers,omitempty"`
	SigLevel     SigLevel `json:"siglevel"`
	Usage        Usage    `json:"usage"`
}

// Config opens the library. All paths are absolute and the host's.
type Config struct {
	Root      string   `json:"root"`
	DBPath    string   `json:"dbpath"`
	CacheDirs []string `json:"cachedirs,omitempty"`
	HookDirs  []string `json:"hookdirs"` // none: no hook runs
	GPGDir    string   `json:"gpgdir,omitempty"`
	LogFile   string   `json:"logfile,omitempty"` // none: no log
	DBExt     string   `json:"dbext,omitempty"`   // none: .db
	Arch      []string `json:"arch,omitempty"`    // none: all are allowed

	SigLevel       SigLevel `json:"siglevel"`             // of what has none of its own
	FileSigLevel   SigLevel `json:"file_siglevel"`        // of files
	RemoteSigLevel SigLevel `json:"remote_file_siglevel"` // of files from a URL

	IgnorePkg   []string `json:"ignore_pkg,omitempty"`
	IgnoreGroup []string `json:"ignore_group,omitempty"`
	NoUpgrade   []string `json:"no_upgrade,omitempty"`
	NoExtract   []string `json:"no_extract,omitempty"`
	Overwrite   []string `json:"overwrite,omitempty"`
	Assume      []string `json:"assume,omitempty"`

	CheckSpace        bool   `json:"check_space,omitempty"`
	ParallelDownloads int    `json:"parallel_downloads,omitempty"` // 0: one
	NoTimeout         bool   `json:"no_timeout,omitempty"`
	SandboxUser       string `json:"sandbox_user,omitempty"` // from libalpm 15 on
	NoSandbox         bool   `json:"no_sandbox,omitempty"`   // the same

	Fetch bool `json:"fetch,omitempty"` // the client downloads: see Fetch
	Debug bool `json:"debug,omitempty"` // log events of the levels debug and function too
	// Mounts gives what runs in the root its /proc, /sys, /dev, /run and /tmp,
	// in a mount namespace that ends with the helper.
	Mounts bool `json:"mounts,omitempty"`
	// Binds are folders that are to appear in other places, in that namespace.
	Binds []Bind `json:"binds,omitempty"`

	Repos []Repo `json:"repos,omitempty"`
}

// Bind shows the folder From at To, which is a folder too.
type Bind struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Refresh brings the database of one repository up to date.
type Refresh struct {
	Repo  string `json:"repo"`
	Force bool   `json:"force,omitempty"`
}

// Refreshed is what came of it.
type Refreshed struct {
	Changed bool `json:"changed"`
}

// In says where to look, and for what.
type In struct {
	Repo string   `json:"repo,omitempty"` // none: the installed packages
	All  bool     `json:"all,omitempty"`  // in all repositories instead (MethodSatisfier)
	Name string   `json:"name,omitempty"` // of a package or group, or a dependency
	Find []string `json:"find,omitempty"` // regular expressions; all must match
}

// Found is a package and its repository.
type Found struct {
	Package *desc.Package `json:"package"`
	Repo    string        `json:"repo,omitempty"`
}

// Group is a group and its packages' names.
type Group struct {
	Name     string   `json:"name"`
	Packages []string `json:"packages"`
}

// Reason is why a package is installed.
type Reason struct {
	Name   string      `json:"name"`
	Reason desc.Reason `json:"reason"`
}

// Flags are those of alpm_trans_init.
type Flags struct {
	NoDeps       bool `json:"no_deps,omitempty"`
	NoVersions   bool `json:"no_versions,omitempty"`
	NoSave       bool `json:"no_save,omitempty"`
	Cascade      bool `json:"cascade,omitempty"`
	Recursive    bool `json:"recursive,omitempty"`
	RecursiveAll bool `json:"recursive_all,omitempty"`
	DBOnly       bool `json:"db_only,omitempty"`
	NoHooks      bool `json:"no_hooks,omitempty"`
	AsDeps       bool `json:"as_deps,omitempty"`
	AsExplicit   bool `json:"as_explicit,omitempty"`
	DownloadOnly bool `json:"download_only,omitempty"`
	NoScriptlet  bool `json:"no_scriptlet,omitempty"`
	NoConflicts  bool `json:"no_conflicts,omitempty"`
	Needed       bool `json:"needed,omitempty"`
	Unneeded     bool `json:"unneeded,omitempty"`
	NoLock       bool `json:"no_lock,omitempty"`
}

// Target is a package to install ("name", "repo/name", "name>=1", a provide, a
// group) or to remove (a name or a group).
type Target struct {
	Name string `json:"name"`
	// Version: this very package of the repository and no other.
	Version string `json:"version,omitempty"`
}

// File is an archive to install.
type File struct {
	Path   string `json:"path"`
	Remote bool   `json:"remote,omitempty"` // it came from a URL
}

// SysUpgrade adds all that can be upgraded.
type SysUpgrade struct {
	Downgrade bool `json:"downgrade,omitempty"`
}

// Step is one package that a prepared transaction installs.
type Step struct {
	Package  *desc.Package `json:"package"`
	Repo     string        `json:"repo,omitempty"`
	File     string        `json:"file,omitempty"`
	Old      *desc.Package `json:"old,omitempty"`
	Reason   desc.Reason   `json:"reason"`
	Target   string        `json:"target,omitempty"`
	Replaces []string      `json:"replaces,omitempty"`
	Download int64         `json:"download"`
}

// Removal is one package that it removes. Cause is "requested", "replaced",
// "conflict", or empty: it goes along with others.
type Removal struct {
	Package *desc.Package `json:"package"`
	Cause   string        `json:"cause,omitempty"`
	By      string        `json:"by,omitempty"`
}

// Plan is a prepared transaction, in its order.
type Plan struct {
	Install []Step    `json:"install"`
	Remove  []Removal `json:"remove"`
}

// Commit carries the transaction out.
type Commit struct {
	// Reasons are those of the packages to install, where they are not what the
	// library would write. Each is written when its package is in.
	Reasons []Reason `json:"reasons,omitempty"`
}

// Committed is what came of it.
type Committed struct {
	// Interrupted: the package at hand was finished and no other begun.
	Interrupted bool `json:"interrupted,omitempty"`
}
