// SPDX-License-Identifier: GPL-3.0-or-later

// Package conf reads pacman.conf: its [options], its repositories and the
// files that it includes.
//
//	cfg, err := conf.Load(conf.OS{}, conf.DefaultFile)
//
// Read and Complete are the two halves of Load for a program that has settings
// of its own, which go before those of the file: what Base holds already is
// kept where pacman keeps what its command line gave.
//
// All directives of pacman.conf(5) of pacman 6.0 to 7.1 are read. A directive
// that is not known is a warning, as in pacman; a value that is not is an
// error with file and line. Messages have pacman's words, since programs look
// for them. A repository or file without SigLevel wants signatures by trusted
// keys, the default since pacman 7.1.
//
// Not implemented: pacman cuts lines at 4,095 bytes; here they have no limit.
package conf

import (
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/keyring"
)

// Where pacman has things when nothing else is said.
const (
	DefaultFile     = "/etc/pacman.conf"
	DefaultRootDir  = "/"
	DefaultDBPath   = "/var/lib/pacman/"
	DefaultCacheDir = "/var/cache/pacman/pkg/"
	DefaultHookDir  = "/etc/pacman.d/hooks/"
	DefaultGPGDir   = "/etc/pacman.d/gnupg/"
	DefaultLogFile  = "/var/log/pacman.log"
)

// Usage says what a repository is used for.
type Usage int

// The uses of a repository.
const (
	UseSync Usage = 1 << iota
	UseSearch
	UseInstall
	UseUpgrade

	UseAll = UseSync | UseSearch | UseInstall | UseUpgrade
)

// CleanMethod says what cleaning the package cache keeps.
type CleanMethod int

// What is kept: the installed version, the version of the repositories.
const (
	KeepInstalled CleanMethod = 1 << iota
	KeepCurrent
)

// Config is what a pacman.conf says.
type Config struct {
	RootDir, DBPath, GPGDir, LogFile string
	// CacheDirs are tried in order; the first that can be written to is
	// downloaded into.
	CacheDirs, HookDirs []string

	HoldPkg, IgnorePkg, IgnoreGroup []string // shell patterns
	NoUpgrade, NoExtract            []string // patterns of paths; the last one that matches counts
	// Architectures lists what may be installed; the first is $arch.
	Architectures []string

	XferCommand string
	XferArgv    []string // XferCommand as words, with %u and %o

	CleanMethod       CleanMethod
	SigLevel          keyring.SigLevel
	LocalFile         FileSigLevel
	RemoteFile        FileSigLevel
	DownloadUser      string
	ParallelDownloads int // 0: not set, one at a time

	UseSyslog, Color, NoProgressBar, CheckSpace, VerbosePkgLists bool
	DisableDownloadTimeout, ILoveCandy                           bool
	DisableSandbox                                               bool
	DisableSandboxFilesystem, DisableSandboxSyscalls             bool

	Repos []Repo

	// Warnings are about directives that are not known.
	Warnings []Problem

	sigWords []string
}

// FileSigLevel is what is asked of packages given as files. Without a line of
// its own, Set is false and Level is that of the file's SigLevel.
type FileSigLevel struct {
	Level keyring.SigLevel
	Set   bool

	words []string
}

// Repo is one repository; their order is their priority.
type Repo struct {
	Name string
	// Servers and CacheServers are URLs. Complete puts in $repo and $arch.
	Servers, CacheServers []string
	Usage                 Usage
	// SigLevel is that of the file with the repository's own merged in;
	// OwnSigLevel tells whether it has one.
	SigLevel    keyring.SigLevel
	OwnSigLevel bool

	sigWords []string
}

// Repo returns the repository of that name, or nil.
func (c *Config) Repo(name string) *Repo {
	for i := range c.Repos {
		if c.Repos[i].Name == name {
			return &c.Repos[i]
		}
	}
	return nil
}

// Load reads a file and completes what it says.
func Load(files Files, file string) (*Config, error) {
	cfg, err := Read(files, file, Base{})
	if err == nil {
		err = cfg.Complete()
	}
	return cfg, err
}

// Complete fills in what was not said, merges the levels of signatures and
// puts the variables into the URLs of servers.
func (c *Config) Complete() error {
	c.defaultPaths()
	if c.CleanMethod == 0 {
		c.CleanMethod = KeepInstalled
	}
	var err error
	if c.SigLevel, err = keyring.ParseSigLevel(keyring.SigLevel{}, c.sigWords...); err != nil {
		return err
	}
	for _, f := range []*FileSigLevel{&c.LocalFile, &c.RemoteFile} {
		if f.Level, err = keyring.ParseSigLevel(c.SigLevel, f.words...); err != nil {
			return err
		}
		f.Set = len(f.words) > 0
	}
	for i := range c.Repos {
		if err := c.completeRepo(&c.Repos[i]); err != nil {
			return err
		}
	}
	return nil
}

// defaultPaths puts the database and the log below a root that was given, and
// nothing else: the rest is configuration of the host.
func (c *Config) defaultPaths() {
	orElse := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	if c.RootDir != "" {
		orElse(&c.DBPath, c.RootDir+DefaultDBPath)
		orElse(&c.LogFile, c.RootDir+DefaultLogFile)
	}
	orElse(&c.RootDir, DefaultRootDir)
	orElse(&c.DBPath, DefaultDBPath)
	orElse(&c.LogFile, DefaultLogFile)
	orElse(&c.GPGDir, DefaultGPGDir)
	if len(c.CacheDirs) == 0 {
		c.CacheDirs = []string{DefaultCacheDir}
	}
	if len(c.HookDirs) == 0 {
		c.HookDirs = []string{DefaultHookDir}
	}
}

func (c *Config) completeRepo(r *Repo) error {
	if r.Usage == 0 {
		r.Usage = UseAll
	}
	var err error
	if r.SigLevel, err = keyring.ParseSigLevel(c.SigLevel, r.sigWords...); err != nil {
		return err
	}
	r.OwnSigLevel = len(r.sigWords) > 0
	for _, list := range []*[]string{&r.Servers, &r.CacheServers} {
		*list = slices.Clone(*list)
		for i, url := range *list {
			if (*list)[i], err = c.expand(r, url); err != nil {
				return err
			}
		}
	}
	return nil
}

// expand puts the variables into the URL of a server.
func (c *Config) expand(r *Repo, url string) (string, error) {
	if len(c.Architectures) > 0 {
		url = strings.ReplaceAll(url, "$arch", c.Architectures[0])
	} else if strings.Contains(url, "$arch") {
		return "", &Error{Problems: []Problem{{
			Text: "mirror '" + url + "' contains the '$arch' variable, but no 'Architecture' is defined.",
		}}}
	}
	return strings.ReplaceAll(url, "$repo", r.Name), nil
}
