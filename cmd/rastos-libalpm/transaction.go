// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

// #include "bridge.h"
import "C"

import (
	"unsafe"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/libalpm/wire"
)

func (s *session) beginTransaction(f wire.Flags) error {
	flags := C.int(0)
	for _, b := range []struct {
		set bool
		bit C.int
	}{
		{f.NoDeps, C.ALPM_TRANS_FLAG_NODEPS}, {f.NoVersions, C.ALPM_TRANS_FLAG_NODEPVERSION},
		{f.NoSave, C.ALPM_TRANS_FLAG_NOSAVE}, {f.Cascade, C.ALPM_TRANS_FLAG_CASCADE},
		{f.Recursive, C.ALPM_TRANS_FLAG_RECURSE}, {f.RecursiveAll, C.ALPM_TRANS_FLAG_RECURSE | C.ALPM_TRANS_FLAG_RECURSEALL},
		{f.DBOnly, C.ALPM_TRANS_FLAG_DBONLY}, {f.NoHooks, C.bridge_no_hooks()},
		{f.AsDeps, C.ALPM_TRANS_FLAG_ALLDEPS}, {f.AsExplicit, C.ALPM_TRANS_FLAG_ALLEXPLICIT},
		{f.DownloadOnly, C.ALPM_TRANS_FLAG_DOWNLOADONLY}, {f.NoScriptlet, C.ALPM_TRANS_FLAG_NOSCRIPTLET},
		{f.NoConflicts, C.ALPM_TRANS_FLAG_NOCONFLICTS}, {f.Needed, C.ALPM_TRANS_FLAG_NEEDED},
		{f.Unneeded, C.ALPM_TRANS_FLAG_UNNEEDED}, {f.NoLock, C.ALPM_TRANS_FLAG_NOLOCK},
	} {
		if b.set {
			flags |= b.bit
		}
	}
	if f.NoHooks && C.bridge_no_hooks() == 0 {
		C.alpm_option_set_hookdirs(s.handle, nil)
	}
	s.targets, s.causes, s.done = map[string]string{}, map[string]wire.Removal{}, false
	if C.alpm_trans_init(s.handle, flags) != 0 {
		return s.failed("begin a transaction", "")
	}
	return nil
}

// addTarget finds what a target names as pacman does: a package, or else what
// provides it, or else a group.
func (s *session) addTarget(t wire.Target) error {
	repo, wanted := splitTarget(t.Name)
	list := C.alpm_get_syncdbs(s.handle)
	if repo != "" {
		db, err := s.database(repo)
		if err != nil {
			return err
		}
		list = C.alpm_list_add(nil, unsafe.Pointer(db))
		defer C.alpm_list_free(list)
		// Whoever names the repository wants it.
		var before C.int
		C.alpm_db_get_usage(db, &before)
		C.alpm_db_set_usage(db, before|C.ALPM_DB_USAGE_INSTALL)
		defer C.alpm_db_set_usage(db, before)
	}
	if t.Version != "" {
		return s.addExactly(list, wanted, t)
	}
	c, free := text(wanted)
	defer free()
	if p := C.alpm_find_dbs_satisfier(s.handle, list, c); p != nil {
		return s.add(p, t.Name)
	}
	if C.alpm_errno(s.handle) == C.ALPM_ERR_PKG_IGNORED {
		return nil // by answer
	}
	members := C.alpm_find_group_pkgs(list, c)
	defer C.alpm_list_free(members)
	if members == nil && !groupExists(list, c) {
		return newError("find", t.Name, C.ALPM_ERR_PKG_NOT_FOUND)
	}
	for p := range each[*C.alpm_pkg_t](members) {
		if err := s.add(p, t.Name); err != nil {
			return err
		}
	}
	return nil
}

func groupExists(dbs *C.alpm_list_t, name *C.char) bool {
	for db := range each[*C.alpm_db_t](dbs) {
		if C.alpm_db_get_group(db, name) != nil {
			return true
		}
	}
	return false
}

// addExactly adds one version of a package and no other.
func (s *session) addExactly(dbs *C.alpm_list_t, wanted string, t wire.Target) error {
	for db := range each[*C.alpm_db_t](dbs) {
		if p := inDatabase(db, wanted); p != nil && version(p) == t.Version {
			return s.add(p, t.Name)
		}
	}
	return newError("find", t.Name+" "+t.Version, C.ALPM_ERR_PKG_NOT_FOUND)
}

func (s *session) add(p *C.alpm_pkg_t, target string) error {
	if C.alpm_add_pkg(s.handle, p) != 0 {
		return s.failed("add", target)
	}
	if _, there := s.targets[name(p)]; !there {
		s.targets[name(p)] = target
	}
	return nil
}

func (s *session) addFile(f wire.File) error {
	level := s.cfg.FileSigLevel
	if f.Remote {
		level = s.cfg.RemoteSigLevel
	}
	var p *C.alpm_pkg_t
	code := with(f.Path, func(c *C.char) C.int { return C.alpm_pkg_load(s.handle, c, 1, sigLevel(level), &p) })
	if code != 0 {
		return s.failed("load", f.Path)
	}
	if err := s.add(p, ""); err != nil {
		C.alpm_pkg_free(p)
		return err
	}
	s.targets[name(p)] = f.Path
	return nil
}

func (s *session) addRemoval(t wire.Target) error {
	var list []*C.alpm_pkg_t
	if p := s.installed(t.Name); p != nil {
		list = append(list, p)
	} else {
		c, free := text(t.Name)
		defer free()
		group := C.alpm_db_get_group(C.alpm_get_localdb(s.handle), c)
		if group == nil {
			return newError("find the installed package", t.Name, C.ALPM_ERR_PKG_NOT_FOUND)
		}
		for p := range each[*C.alpm_pkg_t](group.packages) {
			list = append(list, p)
		}
	}
	for _, p := range list {
		if C.alpm_remove_pkg(s.handle, p) != 0 && C.alpm_errno(s.handle) != C.ALPM_ERR_TRANS_DUP_TARGET {
			return s.failed("remove", name(p))
		}
		s.causes[name(p)] = wire.Removal{Cause: "requested"}
	}
	return nil
}

func (s *session) sysUpgrade(u wire.SysUpgrade) error {
	if C.alpm_sync_sysupgrade(s.handle, number(u.Downgrade)) != 0 {
		return s.failed("look for upgrades", "")
	}
	for p := range each[*C.alpm_pkg_t](C.alpm_trans_get_add(s.handle)) {
		if _, there := s.targets[name(p)]; !there {
			s.targets[name(p)] = name(p)
		}
	}
	return nil
}

func (s *session) prepare() (wire.Plan, error) {
	var data *C.alpm_list_t
	if C.alpm_trans_prepare(s.handle, &data) != 0 {
		return wire.Plan{}, s.withData(s.failed("prepare the transaction", ""), data)
	}
	p := wire.Plan{Install: []wire.Step{}, Remove: []wire.Removal{}}
	for pkg := range each[*C.alpm_pkg_t](C.alpm_trans_get_add(s.handle)) {
		p.Install = append(p.Install, s.step(pkg))
	}
	for pkg := range each[*C.alpm_pkg_t](C.alpm_trans_get_remove(s.handle)) {
		rm := s.causes[name(pkg)]
		rm.Package = describe(pkg)
		p.Remove = append(p.Remove, rm)
	}
	return p, nil
}

func (s *session) step(pkg *C.alpm_pkg_t) wire.Step {
	st := wire.Step{Package: describe(pkg), Repo: repoOf(pkg), Target: s.targets[name(pkg)]}
	if C.alpm_pkg_get_origin(pkg) == C.ALPM_PKG_FROM_FILE {
		st.File = st.Target
		st.Target = name(pkg)
	} else {
		st.Download = int64(C.alpm_pkg_download_size(pkg))
	}
	st.Reason = reasonOf(pkg)
	if old := s.installed(name(pkg)); old != nil {
		st.Old = describe(old)
		if _, goes := s.causes[name(pkg)]; !goes { // else the library has forgotten it when the new one comes
			st.Reason = st.Old.Reason
		}
	}
	switch flags := C.alpm_trans_get_flags(s.handle); {
	case flags&C.ALPM_TRANS_FLAG_ALLDEPS != 0:
		st.Reason = desc.Depend
	case flags&C.ALPM_TRANS_FLAG_ALLEXPLICIT != 0:
		st.Reason = desc.Explicit
	}
	for gone := range each[*C.alpm_pkg_t](C.alpm_trans_get_remove(s.handle)) {
		if s.causes[name(gone)].By == name(pkg) {
			st.Replaces = append(st.Replaces, name(gone))
		}
	}
	return st
}

func (s *session) commit(c wire.Commit) (wire.Committed, error) {
	s.reasons = map[string]desc.Reason{}
	for _, r := range c.Reasons {
		s.reasons[r.Name] = r.Reason
	}
	var data *C.alpm_list_t
	if C.alpm_trans_commit(s.handle, &data) != 0 {
		return wire.Committed{}, s.withData(s.failed("carry out the transaction", ""), data)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return wire.Committed{Interrupted: s.interrupted && !s.done}, nil
}

// finished gives a package that was just installed the reason that the client
// has for it: what was repeated from a plan is explicit to the library.
func (s *session) finished(pkg string) {
	if reason, ok := s.reasons[pkg]; ok {
		if err := s.setReason(wire.Reason{Name: pkg, Reason: reason}); err != nil {
			s.errors = append(s.errors, err.Error())
			s.tell(wire.Event{Source: wire.SourceLog, Name: "error", Package: pkg, Text: err.Error()})
		}
	}
}

func (s *session) release() error {
	if C.alpm_trans_release(s.handle) != 0 {
		return s.failed("end the transaction", "")
	}
	return nil
}
