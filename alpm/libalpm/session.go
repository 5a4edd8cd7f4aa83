// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/libalpm/wire"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

// session is one handle of the library, for one Env.
type session struct {
	client *Client
	env    *trans.Env
	dir    string // a folder of its own
	tell   trans.Events
	log    func(string)

	changes  bool     // it is for a change of the root
	quiet    bool     // what the library logs was told before
	warnings []string // what it logged
	started  bool     // the root is being changed
	done     int64    // packages that are
	total    int64
	at       string // the package or hook at hand
	// operation is what is done with it, busy its name while that is under way.
	operation, busy string
	unmade          []string // mount points that were not there
}

// lock takes the database's lock as the native engine does, which also
// finishes what that was interrupted in. The library works on a database
// folder of its own (see database) and locks that, which nobody else uses.
func lock(ctx context.Context, env *trans.Env, events trans.Events) (release func(), err error) {
	if env.Held != nil {
		return func() {}, nil
	}
	l, err := trans.Acquire(ctx, *env, events)
	if err != nil {
		return nil, err
	}
	return l.Release, nil
}

// makeFolders makes what a new root lacks. unmake takes the database of
// installed packages away again, if it is new and empty.
func makeFolders(env *trans.Env) (unmake func(), err error) {
	local, err := env.LocalDir()
	if err != nil {
		return nil, err
	}
	unmake = func() {}
	if _, err := os.Stat(local); errors.Is(err, fs.ErrNotExist) {
		unmake = func() {
			if entries, err := os.ReadDir(local); err == nil && len(entries) <= 1 { // the library's mark
				_ = os.RemoveAll(local)
			}
		}
	}
	for _, dir := range []string{env.Root, local, env.SyncPath(), env.CacheDir} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make the folders of the package engine: %w", err)
		}
	}
	return unmake, nil
}

// purpose is what a session is for.
type purpose struct {
	options trans.Options
	assume  []string
	changes bool // the root will be changed
}

// open starts a helper.
func (e Engine) open(ctx context.Context, env *trans.Env, events trans.Events, p purpose) (*session, error) {
	if events == nil {
		events = func(trans.Event) {}
	}
	dir, err := os.MkdirTemp("", "rastos-libalpm-")
	if err != nil {
		return nil, fmt.Errorf("open the package engine: %w", err)
	}
	s := &session{env: env, dir: dir, tell: events, log: e.Log, changes: p.changes}
	cfg, err := s.config(p.options, p.assume)
	if err == nil {
		cfg.Debug = e.Log != nil
		s.client, err = Dial(ctx, e.Start, cfg, Handlers{Event: s.event, Fetch: s.fetch})
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, typed(env, err)
	}
	return s, nil
}

func (s *session) close() {
	s.client.Close()
	_ = os.RemoveAll(s.dir)
}

func (s *session) call(ctx context.Context, m wire.Method, in, out any) error {
	return typed(s.env, s.client.Call(ctx, m, in, out))
}

// config is what the library is told of an Env.
func (s *session) config(opt trans.Options, assume []string) (cfg wire.Config, err error) {
	env := s.env
	root, err := absolute(env.Root)
	if err != nil {
		return cfg, err
	}
	cfg = wire.Config{
		Root: root, CheckSpace: env.Space != nil && !opt.DBOnly, HookDirs: []string{},
		SigLevel: level(env.FileSigLevel), FileSigLevel: level(env.FileSigLevel), RemoteSigLevel: level(env.RemoteSigLevel),
		IgnorePkg: env.IgnorePkg, IgnoreGroup: env.IgnoreGroup, NoUpgrade: env.NoUpgrade, NoExtract: env.NoExtract,
		Overwrite: opt.Overwrite, Assume: assume, Mounts: s.changes && env.Chroot != nil && root != "/",
	}
	if env.Arch != "" {
		cfg.Arch = append([]string{env.Arch}, env.Archs...)
	}
	for _, dir := range append([]string{env.CacheDir}, env.Caches...) {
		if dir == "" {
			continue
		}
		if dir, err = absolute(dir); err != nil {
			return cfg, err
		}
		cfg.CacheDirs = append(cfg.CacheDirs, dir)
	}
	if env.Chroot != nil && !opt.NoHooks {
		cfg.HookDirs = slices.Clone(env.HookDirs)
	}
	if f := env.Fetcher; f != nil {
		cfg.ParallelDownloads, cfg.NoTimeout, cfg.Fetch = f.Parallel, f.Stall < 0, f.Program != nil
	}
	for i := range env.Repos {
		cfg.Repos = append(cfg.Repos, repository(env, &env.Repos[i]))
	}
	if err := s.database(&cfg); err != nil {
		return cfg, err
	}
	cfg.GPGDir, err = s.gnupg()
	return cfg, err
}

func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open the package engine: %w", err)
	}
	return abs, nil
}

func level(l keyring.SigLevel) wire.SigLevel {
	one := func(l keyring.Level) wire.Level {
		check := [...]wire.Check{keyring.Required: wire.CheckRequired, keyring.Optional: wire.CheckOptional, keyring.Never: wire.CheckNever}[l.Check]
		return wire.Level{Check: check, TrustAll: l.Trust == keyring.TrustAll}
	}
	return wire.SigLevel{Package: one(l.Package), Database: one(l.Database)}
}

func repository(env *trans.Env, r *trans.Repo) wire.Repo {
	expand := func(servers []string) (out []string) {
		for _, s := range servers {
			s = strings.NewReplacer("$repo", r.Name, "$arch", env.Arch).Replace(s)
			if strings.HasPrefix(s, "/") {
				s = "file://" + s
			}
			out = append(out, s)
		}
		return out
	}
	out := wire.Repo{Name: r.Name, Servers: expand(r.Servers), CacheServers: expand(r.CacheServers), SigLevel: level(r.SigLevel)}
	if r.Usage != 0 {
		out.Usage = wire.Usage{
			Sync: r.Usage.Allows(solve.UseSync), Search: r.Usage.Allows(solve.UseSearch),
			Install: r.Usage.Allows(solve.UseInstall), Upgrade: r.Usage.Allows(solve.UseUpgrade),
		}
	}
	return out
}

// database makes a database folder that leads to the true ones: the installed
// packages and the repositories' databases may be in two places, and their
// lock is the native engine's, which tells its holder and dies with it.
//
// A link does for reading. The library extracts into the database in a way
// that replaces a link by a folder, so that a change needs a mount.
func (s *session) database(cfg *wire.Config) error {
	local, err := s.env.LocalDir()
	if err != nil {
		return err
	}
	cfg.DBPath = s.dir
	for name, dir := range map[string]string{"local": local, "sync": s.env.SyncPath()} {
		at := filepath.Join(s.dir, name)
		if dir, err = absolute(dir); err != nil {
			return err
		}
		_, err := os.Stat(dir)
		switch {
		case err == nil && !s.changes:
			err = os.Symlink(dir, at)
		case err == nil:
			cfg.Binds = append(cfg.Binds, wire.Bind{From: dir, To: at})
			err = os.Mkdir(at, 0o755)
		case errors.Is(err, fs.ErrNotExist):
			err = os.Mkdir(at, 0o755) // nothing is there yet, and looking makes nothing
		}
		if err != nil {
			return fmt.Errorf("open the package engine: %w", err)
		}
	}
	return nil
}

// gnupg is the keyring as gpg reads it. One that was made of keys trusts all
// of them.
func (s *session) gnupg() (string, error) {
	if s.env.Keyring != nil && s.env.Keyring.Home() != "" {
		return absolute(s.env.Keyring.Home())
	}
	home := filepath.Join(s.dir, "gnupg")
	err := os.Mkdir(home, 0o700)
	files := map[string][]byte{"gpg.conf": []byte("no-autostart\n"), "trustdb.gpg": nil, "pubring.gpg": nil}
	if ring := s.env.Keyring; ring != nil {
		files["pubring.gpg"] = ring.Export()
		for _, k := range ring.Keys() {
			files["gpg.conf"] = fmt.Appendf(files["gpg.conf"], "trusted-key %s\n", k.Fingerprint)
		}
	}
	for name, data := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(home, name), data, 0o600)
		}
	}
	if err != nil {
		return "", fmt.Errorf("write the keyring for libalpm: %w", err)
	}
	return home, nil
}

// missing finds a repository without a database, which the library treats as
// an empty one until it prepares.
func (s *session) missing() error {
	for _, r := range s.env.Repos {
		if _, err := os.Stat(filepath.Join(s.env.SyncPath(), r.Name+".db")); errors.Is(err, fs.ErrNotExist) {
			return &trans.NoDatabaseError{Repo: r.Name}
		}
	}
	return nil
}

func (s *session) noDatabase(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Said.Code == "DB_NOT_FOUND" {
		if none := s.missing(); none != nil {
			return none
		}
		return &solve.NotFoundError{Target: e.Said.Target, Repository: e.Said.Target}
	}
	return err
}

// fetch downloads what the library wants with the Env's own fetcher.
func (s *session) fetch(ctx context.Context, want wire.Fetch) wire.Fetched {
	f := s.env.Fetcher
	if f == nil {
		f = &fetch.Fetcher{}
	}
	name := want.URL[strings.LastIndexByte(want.URL, '/')+1:]
	res, err := f.Fetch(ctx, []fetch.Request{{
		URLs: []string{want.URL}, Dest: filepath.Join(want.Dir, name), Size: fetch.MaxDatabase, IfModifiedSince: !want.Force,
	}})
	switch {
	case err != nil || len(res) != 1:
		return wire.Fetched{Result: -1}
	case res[0].Status == fetch.Unchanged:
		return wire.Fetched{Result: 1}
	}
	return wire.Fetched{}
}

// questions puts the library's questions as the native engine's.
func questions(answer func(solve.Question) int, corrupt func(*trans.VerifyError) bool) func(wire.Question) int {
	return func(q wire.Question) int {
		if q.Kind == wire.Corrupted {
			// Without anybody to ask, what is wrong goes, and is fetched anew.
			if corrupt != nil && !corrupt(&trans.VerifyError{Object: filepath.Base(q.File), Path: q.File, Err: errors.New(q.Reason)}) {
				return solve.No
			}
			return q.Default()
		}
		kinds := map[wire.QuestionKind]solve.QuestionKind{
			wire.InstallIgnored: solve.QuestionIgnored, wire.ReplacePackage: solve.QuestionReplace, wire.Conflict: solve.QuestionConflict,
			wire.SelectProvider: solve.QuestionProvider, wire.RemovePackages: solve.QuestionSkip,
		}
		kind, known := kinds[q.Kind]
		if answer == nil || !known {
			return q.Default()
		}
		ask := solve.Question{Kind: kind, Package: q.Package, Other: q.Other, Repo: q.Repo, Packages: q.Packages, Default: q.Default()}
		if q.Dep != "" {
			ask.Dep = desc.ParseDep(q.Dep)
		}
		for _, c := range q.Choices {
			ask.Choices = append(ask.Choices, solve.Candidate{Package: c.Package, Repo: c.Repo})
		}
		return answer(ask)
	}
}
