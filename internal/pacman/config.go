// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/pacman/cmdline"
)

// Config is what holds for this command: the options over pacman.conf. Paths
// of directories end in "/".
type Config struct {
	conf.Config
	File  string // pacman.conf
	Local *localdb.DB
}

// failedSetup is pacman's exit code where its library could not be set up.
const failedSetup = 255

// loadConfig reads pacman.conf below the options and opens the database of
// installed packages. It returns an exit code, 0 if all is well.
func (s *session) loadConfig() int {
	c := &Config{File: s.opt.Config}
	if c.File == "" {
		c.File = conf.DefaultFile
	}
	read, err := conf.Read(conf.OS{}, c.File, s.base())
	for _, w := range read.Warnings {
		s.warnf("%s", w)
	}
	if err != nil {
		s.confError(err)
		return 1
	}
	s.conf, c.Config = c, *read
	if err := c.Complete(); err != nil {
		s.confError(err)
		return failedSetup
	}
	if s.opt.Color == "" && c.Color {
		s.paint(s.StdoutIsTerminal)
	}
	// -Dk looks at the files of the database before it is read.
	if !s.openRoot() || !(s.opt.Op == cmdline.OpDatabase && s.opt.Check == 1) && !s.openLocal() {
		return failedSetup
	}
	s.registerRepos()
	for _, text := range s.opt.Assume {
		if d := desc.ParseDep(text); d.Op != desc.Any && d.Op != desc.Eq {
			s.stderr("%serror: %sFailed to pass assume-installed entry to libalpm", s.tint.Err, s.tint.Off)
			return failedSetup
		}
	}
	return 0
}

// base is what the command line settles before pacman.conf is read.
func (s *session) base() conf.Base {
	o, b := s.opt, conf.Base{Machine: s.Processor}
	b.RootDir, b.DBPath, b.GPGDir, b.LogFile = o.Root, o.DBPath, o.GPGDir, o.LogFile
	b.CacheDirs, b.HookDirs = slices.Clone(o.CacheDirs), slices.Clone(o.HookDirs)
	b.IgnorePkg, b.IgnoreGroup = slices.Clone(o.Ignore), slices.Clone(o.IgnoreGroup)
	b.DisableDownloadTimeout, b.NoProgressBar = o.DisableTimeout, o.NoProgress || !s.StdoutIsTerminal
	for _, arch := range o.Arch {
		b.AddArchitecture(arch, b.Machine)
	}
	return b
}

func (s *session) confError(err error) {
	var e *conf.Error
	if !errors.As(err, &e) {
		s.errorf("%v", err)
		return
	}
	for _, p := range e.Problems {
		s.errorf("%s", p)
	}
}

func (s *session) setupFailed(why string) {
	s.errorf("failed to initialize alpm library:\n(root: %s, dbpath: %s)\n%s", s.conf.RootDir, s.conf.DBPath, why)
}

// openLocal opens the database of installed packages, or says why it cannot.
func (s *session) openLocal() bool {
	var err error
	s.conf.Local, err = localdb.Open(filepath.Join(s.conf.DBPath, "local"))
	switch {
	case errors.Is(err, localdb.ErrVersion):
		s.setupFailed("database is incorrect version")
		s.stderr("try running pacman-db-upgrade\n")
	case err != nil:
		s.setupFailed(err.Error())
	}
	return err == nil
}

// openRoot makes sure that root and database are there.
func (s *session) openRoot() bool {
	c := s.conf
	root, err1 := realDir(c.RootDir)
	db, err2 := realDir(c.DBPath)
	if err1 != nil || err2 != nil {
		s.setupFailed("could not find or read directory")
		return false
	}
	c.RootDir, c.DBPath, c.GPGDir = slashed(root), slashed(db), slashed(c.GPGDir)
	for _, dirs := range [][]string{c.CacheDirs, c.HookDirs} {
		for i, dir := range dirs {
			dirs[i] = slashed(dir)
		}
	}
	return true
}

// realDir resolves the path of a directory.
func realDir(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err == nil && !info.IsDir() {
		err = fs.ErrInvalid
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

func slashed(dir string) string { return strings.TrimSuffix(dir, "/") + "/" }

// registerRepos leaves out the repositories that cannot be registered.
func (s *session) registerRepos() {
	seen := map[string]bool{"local": true}
	s.conf.Repos = slices.DeleteFunc(s.conf.Repos, func(r conf.Repo) bool {
		why := ""
		switch {
		case r.Name == "" || strings.Contains(r.Name, "/"):
			why = "wrong or NULL argument passed"
		case seen[r.Name]:
			why = "database already registered"
		}
		seen[r.Name] = true
		if why != "" {
			s.errorf("could not register '%s' database (%s)", r.Name, why)
		} else {
			s.warnMissing(&r)
		}
		return why != ""
	})
}

// warnMissing tells of a database that was never downloaded, unless that is
// about to happen, and of one whose signature was not.
func (s *session) warnMissing(r *conf.Repo) {
	ext, refresh := packageDB, "-Sy"
	if s.opt.Op == cmdline.OpFiles {
		ext, refresh = filesDB, "-Fy"
	}
	path := s.conf.DBPath + "sync/" + r.Name + ext
	_, missing := os.Stat(path)
	_, unsigned := os.Stat(path + ".sig")
	switch {
	case missing == nil && r.SigLevel.Database.Check == keyring.Required && errors.Is(unsigned, fs.ErrNotExist):
		s.errorf(noSignature, r.Name)
	case errors.Is(missing, fs.ErrNotExist) && !s.opt.Print && s.opt.Refresh == 0:
		s.warnf("database file for '%s' does not exist (use '%s' to download)", r.Name, refresh)
	}
}

// env is the world that transactions happen in.
func (s *session) env() (trans.Env, error) { return s.envOf(s.conf.RootDir, "") }

// envOf is the engine's view of the root, or of a tree that is being built
// from it. Downloads are pacman's.
func (s *session) envOf(root, syncDir string) (trans.Env, error) {
	env, err := s.Machine.ConfEnv(&s.conf.Config)(root, syncDir)
	env.CacheDir, env.Fetcher, env.Clock = s.cacheDir(), s.fetching(env.Fetcher), s.Now
	return env, err
}

// lockFile is the lock of the database.
func (c *Config) lockFile() string { return c.DBPath + "db.lck" }
