// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/report"
)

// Where packages and people put their hooks, below a root.
const (
	SystemHooks = "usr/share/libalpm/hooks"
	localHooks  = "etc/pacman.d/hooks"
)

// confStall is how long pacman waits for a server that sends nothing.
const confStall = 10 * time.Second

// ConfEnv makes views by what a pacman.conf says, whose paths are those of this
// machine. Of another tree than its RootDir, one that is being built, the
// database and the hooks are the tree's own.
func (m *Machine) ConfEnv(c *conf.Config) EnvOf {
	return func(root, syncDir string) (trans.Env, error) {
		env := trans.Env{
			Root: c.RootDir, DBPath: c.DBPath, CacheDir: c.CacheDirs[0], Caches: c.CacheDirs,
			FileSigLevel: c.LocalFile.Level, RemoteSigLevel: c.RemoteFile.Level,
			Chroot:    m.Chroot,
			Fetcher:   m.confFetcher(c),
			HookDirs:  append([]string{filepath.Join(c.RootDir, SystemHooks)}, c.HookDirs...),
			IgnorePkg: c.IgnorePkg, IgnoreGroup: c.IgnoreGroup, HoldPkg: c.HoldPkg,
			NoUpgrade: c.NoUpgrade, NoExtract: c.NoExtract,
			Clock: m.Now, Durable: true,
		}
		if filepath.Clean(root) != filepath.Clean(c.RootDir) {
			env.Root, env.DBPath, env.SyncDir = root, filepath.Join(root, dbPath), syncDir
			env.HookDirs = []string{filepath.Join(root, SystemHooks), filepath.Join(root, localHooks)}
			env.Durable = false // it is thrown away if anything fails
		}
		if c.CheckSpace {
			env.Space = m.Space
		}
		if len(c.Architectures) > 0 {
			env.Arch, env.Archs = c.Architectures[0], c.Architectures[1:]
		}
		for _, r := range c.Repos {
			env.Repos = append(env.Repos, trans.Repo{
				Name: r.Name, Servers: r.Servers, CacheServers: r.CacheServers, SigLevel: r.SigLevel, Usage: confUsage(r.Usage),
			})
		}
		var err error
		env.Keyring, err = ConfKeys(c)
		return env, err
	}
}

// confFetcher downloads as a pacman.conf says.
func (m *Machine) confFetcher(c *conf.Config) *fetch.Fetcher {
	f := &fetch.Fetcher{Parallel: max(1, c.ParallelDownloads), Stall: confStall}
	if c.DisableDownloadTimeout {
		f.Stall = -1
	}
	if len(c.XferArgv) > 0 {
		f.Program, f.Parallel = &fetch.Program{Argv: c.XferArgv, Run: m.Transfer}, 1
	}
	return f
}

// ConfKeys is ConfRing if a signature may have to be checked.
func ConfKeys(c *conf.Config) (*keyring.Ring, error) {
	levels := []keyring.SigLevel{c.LocalFile.Level, c.RemoteFile.Level}
	for _, r := range c.Repos {
		levels = append(levels, r.SigLevel)
	}
	if !slices.ContainsFunc(levels, func(l keyring.SigLevel) bool {
		return l.Package.Check != keyring.Never || l.Database.Check != keyring.Never
	}) {
		return nil, nil
	}
	return ConfRing(c)
}

// ConfRing loads the keys of a pacman.conf's GPGDir. A keyring that is not
// there is none: then every signature is refused.
func ConfRing(c *conf.Config) (*keyring.Ring, error) {
	ring, err := pacmanKeys(c.GPGDir)
	if err != nil {
		return nil, fmt.Errorf("read the keyring %s: %w", c.GPGDir, err)
	}
	return ring, nil
}

// confUsage is what a repository is for, in the engine's terms.
func confUsage(u conf.Usage) (out solve.Usage) {
	for from, to := range map[conf.Usage]solve.Usage{
		conf.UseInstall: solve.UseInstall, conf.UseUpgrade: solve.UseUpgrade,
		conf.UseSync: solve.UseSync, conf.UseSearch: solve.UseSearch,
	} {
		if u&from != 0 {
			out |= to
		}
	}
	return out
}

// systemConf is what the pacman.conf of a system says, with all its paths
// below the system's root.
func (m *Machine) systemConf(root string) (*conf.Config, error) {
	t, err := m.Tree(root)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	defer t.Close()
	c, err := conf.Read(confFiles{root, t}, conf.DefaultFile, conf.Base{Machine: m.Processor})
	if err == nil {
		c.RootDir = "" // it is where it was found
		err = c.Complete()
	}
	if err != nil {
		return nil, &confError{err}
	}
	for _, p := range []*string{&c.RootDir, &c.DBPath, &c.GPGDir, &c.LogFile} {
		*p = filepath.Join(root, *p)
	}
	for _, list := range []*[]string{&c.CacheDirs, &c.HookDirs} {
		*list = slices.Clone(*list)
		for i, p := range *list {
			(*list)[i] = filepath.Join(root, p)
		}
	}
	return c, nil
}

// confError is a pacman.conf with mistakes.
type confError struct{ err error }

func (e *confError) Error() string { return e.err.Error() }
func (e *confError) Unwrap() error { return e.err }
func (e *confError) ExitCode() int { return 3 }

// confFiles are the configuration files of a system. Links lead nowhere but
// into it.
type confFiles struct {
	root string
	tree Tree
}

func (f confFiles) ReadFile(name string) ([]byte, error) {
	return f.tree.ReadFile(strings.TrimPrefix(name, "/"))
}

func (f confFiles) Glob(pattern string) ([]string, error) {
	names, err := conf.OS{}.Glob(filepath.Join(f.root, pattern))
	for i, n := range names {
		names[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(n, f.root), "/")
	}
	return names, err
}

// unconfigured is a root that says nowhere what its packages come from.
func unconfigured(root string) error {
	return &confError{report.WithHint(
		fmt.Errorf("%s has neither etc/rastos/rastos.toml nor etc/pacman.conf", root),
		"write one of them: it names the repositories")}
}
