// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

// #include "bridge.h"
import "C"

import (
	"errors"
	"strings"
	"unsafe"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/libalpm/wire"
)

// text is a Go string for one call into C.
func text(s string) (*C.char, func()) {
	c := C.CString(s)
	return c, func() { C.free(unsafe.Pointer(c)) }
}

// with calls fn with a string.
func with(s string, fn func(*C.char) C.int) C.int {
	c, free := text(s)
	defer free()
	return fn(c)
}

// open makes the handle and gives it its settings.
func (s *session) open() error {
	if s.handle != nil {
		return errors.New("the library is open already")
	}
	root, freeRoot := text(s.cfg.Root)
	defer freeRoot()
	dbPath, freeDB := text(s.cfg.DBPath)
	defer freeDB()
	var errno C.alpm_errno_t
	if s.handle = C.alpm_initialize(root, dbPath, &errno); s.handle == nil {
		return newError("open the library for", s.cfg.Root, errno)
	}
	fetch := C.int(0)
	if s.cfg.Fetch {
		fetch = 1
	}
	C.bridge_connect(s.handle, C.uintptr_t(s.self), fetch)
	for _, step := range []func() error{s.setPaths, s.setLists, s.setNumbers, s.register} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) setPaths() error {
	h := s.handle
	for _, p := range []struct {
		what, path string
		set        func(*C.char) C.int
	}{
		{"set the keyring's folder", s.cfg.GPGDir, func(c *C.char) C.int { return C.alpm_option_set_gpgdir(h, c) }},
		{"set the log file", s.cfg.LogFile, func(c *C.char) C.int { return C.alpm_option_set_logfile(h, c) }},
		{"set the suffix of databases", s.cfg.DBExt, func(c *C.char) C.int { return C.alpm_option_set_dbext(h, c) }},
	} {
		if p.path == "" {
			continue
		}
		if with(p.path, p.set) != 0 {
			return s.failed(p.what, p.path)
		}
	}
	// The library begins with the host's own folder.
	if C.alpm_option_set_hookdirs(h, nil) != 0 {
		return s.failed("set the hooks' folders", "")
	}
	return s.setAll([]setting{
		{"add the cache", s.cfg.CacheDirs, func(c *C.char) C.int { return C.alpm_option_add_cachedir(h, c) }},
		{"add the hooks' folder", s.cfg.HookDirs, func(c *C.char) C.int { return C.alpm_option_add_hookdir(h, c) }},
	})
}

// setting is a list that goes to the library one by one.
type setting struct {
	what string
	list []string
	add  func(*C.char) C.int
}

func (s *session) setAll(settings []setting) error {
	for _, st := range settings {
		for _, v := range st.list {
			if with(v, st.add) != 0 {
				return s.failed(st.what, v)
			}
		}
	}
	return nil
}

func (s *session) setLists() error {
	h := s.handle
	err := s.setAll([]setting{
		{"allow the architecture", s.cfg.Arch, func(c *C.char) C.int { return C.alpm_option_add_architecture(h, c) }},
		{"ignore the package", s.cfg.IgnorePkg, func(c *C.char) C.int { return C.alpm_option_add_ignorepkg(h, c) }},
		{"ignore the group", s.cfg.IgnoreGroup, func(c *C.char) C.int { return C.alpm_option_add_ignoregroup(h, c) }},
		{"set NoUpgrade", s.cfg.NoUpgrade, func(c *C.char) C.int { return C.alpm_option_add_noupgrade(h, c) }},
		{"set NoExtract", s.cfg.NoExtract, func(c *C.char) C.int { return C.alpm_option_add_noextract(h, c) }},
		{"allow to overwrite", s.cfg.Overwrite, func(c *C.char) C.int { return C.alpm_option_add_overwrite_file(h, c) }},
	})
	if err != nil {
		return err
	}
	return s.setAll([]setting{{"assume as installed", s.cfg.Assume, func(c *C.char) C.int {
		dep := C.alpm_dep_from_string(c)
		if dep == nil {
			return -1
		}
		defer C.alpm_dep_free(dep)
		return C.alpm_option_add_assumeinstalled(h, dep)
	}}})
}

func (s *session) setNumbers() error {
	h := s.handle
	C.alpm_option_set_checkspace(h, number(s.cfg.CheckSpace))
	C.alpm_option_set_disable_dl_timeout(h, C.ushort(number(s.cfg.NoTimeout)))
	C.alpm_option_set_parallel_downloads(h, C.uint(max(1, s.cfg.ParallelDownloads)))
	user, free := text(s.cfg.SandboxUser)
	defer free()
	if s.cfg.SandboxUser == "" {
		user = nil
	}
	if C.bridge_sandbox(h, user, number(s.cfg.NoSandbox)) != 0 {
		return s.failed("set the sandbox's user", s.cfg.SandboxUser)
	}
	level := sigLevel(s.cfg.SigLevel)
	if C.alpm_option_set_default_siglevel(h, level) != 0 {
		return s.failed("set the SigLevel", "")
	}
	C.alpm_option_set_local_file_siglevel(h, sigLevel(s.cfg.FileSigLevel))
	C.alpm_option_set_remote_file_siglevel(h, sigLevel(s.cfg.RemoteSigLevel))
	return nil
}

func number(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// sigLevel is libalpm's mask.
func sigLevel(l wire.SigLevel) C.int {
	var mask C.int
	for _, part := range []struct {
		level                              wire.Level
		check, optional, marginal, unknown C.int
	}{
		{l.Package, C.ALPM_SIG_PACKAGE, C.ALPM_SIG_PACKAGE_OPTIONAL, C.ALPM_SIG_PACKAGE_MARGINAL_OK, C.ALPM_SIG_PACKAGE_UNKNOWN_OK},
		{l.Database, C.ALPM_SIG_DATABASE, C.ALPM_SIG_DATABASE_OPTIONAL, C.ALPM_SIG_DATABASE_MARGINAL_OK, C.ALPM_SIG_DATABASE_UNKNOWN_OK},
	} {
		switch part.level.Check {
		case wire.CheckNever:
			continue
		case wire.CheckOptional:
			mask |= part.optional
		}
		mask |= part.check
		if part.level.TrustAll {
			mask |= part.marginal | part.unknown
		}
	}
	return mask
}

// register adds the repositories.
func (s *session) register() error {
	for _, r := range s.cfg.Repos {
		name, free := text(r.Name)
		db := C.alpm_register_syncdb(s.handle, name, sigLevel(r.SigLevel))
		free()
		if db == nil {
			return s.failed("register the repository", r.Name)
		}
		err := s.setAll([]setting{
			{"add the server", r.Servers, func(c *C.char) C.int { return C.alpm_db_add_server(db, c) }},
			{"add the cache server", r.CacheServers, func(c *C.char) C.int { return C.bridge_add_cache_server(db, c) }},
		})
		if err != nil {
			return err
		}
		C.alpm_db_set_usage(db, usage(r.Usage))
	}
	return nil
}

func usage(u wire.Usage) C.int {
	if u == (wire.Usage{}) {
		return C.ALPM_DB_USAGE_ALL
	}
	return number(u.Sync)*C.ALPM_DB_USAGE_SYNC | number(u.Search)*C.ALPM_DB_USAGE_SEARCH |
		number(u.Install)*C.ALPM_DB_USAGE_INSTALL | number(u.Upgrade)*C.ALPM_DB_USAGE_UPGRADE
}

// database finds a repository, or the installed packages.
func (s *session) database(repo string) (*C.alpm_db_t, error) {
	if repo == "" {
		return C.alpm_get_localdb(s.handle), nil
	}
	for db := range each[*C.alpm_db_t](C.alpm_get_syncdbs(s.handle)) {
		if C.GoString(C.alpm_db_get_name(db)) == repo {
			return db, nil
		}
	}
	return nil, newError("find the repository", repo, C.ALPM_ERR_DB_NOT_FOUND)
}

func (s *session) refresh(r wire.Refresh) (wire.Refreshed, error) {
	db, err := s.database(r.Repo)
	if err != nil {
		return wire.Refreshed{}, err
	}
	list := C.alpm_list_add(nil, unsafe.Pointer(db))
	defer C.alpm_list_free(list)
	code := C.alpm_db_update(s.handle, list, number(r.Force))
	if code < 0 {
		return wire.Refreshed{}, s.failed("refresh the database of", r.Repo)
	}
	return wire.Refreshed{Changed: code == 0}, nil
}

// ownedMountPoints asks which of them packages brought.
func (s *session) ownedMountPoints() map[string]bool {
	owned := map[string]bool{}
	if !s.cfg.Mounts {
		return owned
	}
	for pkg := range each[*C.alpm_pkg_t](C.alpm_db_get_pkgcache(C.alpm_get_localdb(s.handle))) {
		files := C.alpm_pkg_get_files(pkg)
		for _, m := range mountPoints {
			path, free := text(m.path + "/")
			if C.alpm_filelist_contains(files, path) != nil {
				owned[m.path] = true
			}
			free()
		}
	}
	return owned
}

// setReason changes why a package is installed.
func (s *session) setReason(r wire.Reason) error {
	pkg := s.installed(r.Name)
	if pkg == nil {
		return newError("find the installed package", r.Name, C.ALPM_ERR_PKG_NOT_FOUND)
	}
	reason := C.alpm_pkgreason_t(C.ALPM_PKG_REASON_EXPLICIT)
	if r.Reason == desc.Depend {
		reason = C.ALPM_PKG_REASON_DEPEND
	}
	if C.alpm_pkg_set_reason(pkg, reason) != 0 {
		return s.failed("set the reason of", r.Name)
	}
	return nil
}

func (s *session) installed(name string) *C.alpm_pkg_t {
	return inDatabase(C.alpm_get_localdb(s.handle), name)
}

func inDatabase(db *C.alpm_db_t, name string) *C.alpm_pkg_t {
	c, free := text(name)
	defer free()
	return C.alpm_db_get_pkg(db, c)
}

// splitTarget takes "repo/name" apart.
func splitTarget(target string) (repo, name string) {
	if repo, name, ok := strings.Cut(target, "/"); ok && repo != "" {
		return repo, name
	}
	return "", target
}
