// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

// #include "bridge.h"
import "C"

import (
	"strconv"

	"github.com/rastos/rastos/alpm/libalpm/wire"
)

// codes are the library's errors by their names, which stay the same where
// numbers move between versions.
var codes = map[C.alpm_errno_t]string{
	C.ALPM_ERR_MEMORY: "MEMORY", C.ALPM_ERR_SYSTEM: "SYSTEM", C.ALPM_ERR_BADPERMS: "BADPERMS",
	C.ALPM_ERR_NOT_A_FILE: "NOT_A_FILE", C.ALPM_ERR_NOT_A_DIR: "NOT_A_DIR", C.ALPM_ERR_WRONG_ARGS: "WRONG_ARGS",
	C.ALPM_ERR_DISK_SPACE: "DISK_SPACE", C.ALPM_ERR_HANDLE_NULL: "HANDLE_NULL", C.ALPM_ERR_HANDLE_NOT_NULL: "HANDLE_NOT_NULL",
	C.ALPM_ERR_HANDLE_LOCK: "HANDLE_LOCK", C.ALPM_ERR_DB_OPEN: "DB_OPEN", C.ALPM_ERR_DB_CREATE: "DB_CREATE",
	C.ALPM_ERR_DB_NULL: "DB_NULL", C.ALPM_ERR_DB_NOT_NULL: "DB_NOT_NULL", C.ALPM_ERR_DB_NOT_FOUND: "DB_NOT_FOUND",
	C.ALPM_ERR_DB_INVALID: "DB_INVALID", C.ALPM_ERR_DB_INVALID_SIG: "DB_INVALID_SIG", C.ALPM_ERR_DB_VERSION: "DB_VERSION",
	C.ALPM_ERR_DB_WRITE: "DB_WRITE", C.ALPM_ERR_DB_REMOVE: "DB_REMOVE", C.ALPM_ERR_SERVER_BAD_URL: "SERVER_BAD_URL",
	C.ALPM_ERR_SERVER_NONE: "SERVER_NONE", C.ALPM_ERR_TRANS_NOT_NULL: "TRANS_NOT_NULL", C.ALPM_ERR_TRANS_NULL: "TRANS_NULL",
	C.ALPM_ERR_TRANS_DUP_TARGET: "TRANS_DUP_TARGET", C.ALPM_ERR_TRANS_DUP_FILENAME: "TRANS_DUP_FILENAME",
	C.ALPM_ERR_TRANS_NOT_INITIALIZED: "TRANS_NOT_INITIALIZED", C.ALPM_ERR_TRANS_NOT_PREPARED: "TRANS_NOT_PREPARED",
	C.ALPM_ERR_TRANS_ABORT: "TRANS_ABORT", C.ALPM_ERR_TRANS_TYPE: "TRANS_TYPE", C.ALPM_ERR_TRANS_NOT_LOCKED: "TRANS_NOT_LOCKED",
	C.ALPM_ERR_TRANS_HOOK_FAILED: "TRANS_HOOK_FAILED", C.ALPM_ERR_PKG_NOT_FOUND: "PKG_NOT_FOUND",
	C.ALPM_ERR_PKG_IGNORED: "PKG_IGNORED", C.ALPM_ERR_PKG_INVALID: "PKG_INVALID",
	C.ALPM_ERR_PKG_INVALID_CHECKSUM: "PKG_INVALID_CHECKSUM", C.ALPM_ERR_PKG_INVALID_SIG: "PKG_INVALID_SIG",
	C.ALPM_ERR_PKG_MISSING_SIG: "PKG_MISSING_SIG", C.ALPM_ERR_PKG_OPEN: "PKG_OPEN", C.ALPM_ERR_PKG_CANT_REMOVE: "PKG_CANT_REMOVE",
	C.ALPM_ERR_PKG_INVALID_NAME: "PKG_INVALID_NAME", C.ALPM_ERR_PKG_INVALID_ARCH: "PKG_INVALID_ARCH",
	C.ALPM_ERR_SIG_MISSING: "SIG_MISSING", C.ALPM_ERR_SIG_INVALID: "SIG_INVALID",
	C.ALPM_ERR_UNSATISFIED_DEPS: "UNSATISFIED_DEPS", C.ALPM_ERR_CONFLICTING_DEPS: "CONFLICTING_DEPS",
	C.ALPM_ERR_FILE_CONFLICTS: "FILE_CONFLICTS", C.ALPM_ERR_RETRIEVE: "RETRIEVE", C.ALPM_ERR_INVALID_REGEX: "INVALID_REGEX",
	C.ALPM_ERR_LIBARCHIVE: "LIBARCHIVE", C.ALPM_ERR_LIBCURL: "LIBCURL", C.ALPM_ERR_EXTERNAL_DOWNLOAD: "EXTERNAL_DOWNLOAD",
	C.ALPM_ERR_GPGME: "GPGME", C.ALPM_ERR_MISSING_CAPABILITY_SIGNATURES: "MISSING_CAPABILITY_SIGNATURES",
}

func code(errno C.alpm_errno_t) string {
	if name, ok := codes[errno]; ok {
		return name
	}
	return strconv.Itoa(int(errno))
}

func newError(op, target string, errno C.alpm_errno_t) *wire.Error {
	return &wire.Error{Op: op, Target: target, Code: code(errno), Errno: int(errno), Message: C.GoString(C.alpm_strerror(errno))}
}

// failed is what the library says of the call just made.
func (s *session) failed(op, target string) *wire.Error {
	e := newError(op, target, C.alpm_errno(s.handle))
	e.Invalid = s.corrupt
	return e
}

// withData adds what prepare and commit tell besides, and frees it.
func (s *session) withData(e *wire.Error, data *C.alpm_list_t) *wire.Error {
	switch e.Code {
	case "UNSATISFIED_DEPS":
		for m := range each[*C.alpm_depmissing_t](data) {
			e.Missing = append(e.Missing, wire.MissingDep{
				Package: C.GoString(m.target), Dep: depText(m.depend), Causing: C.GoString(m.causingpkg),
				Version: s.versionOf(C.GoString(m.target), m.causingpkg != nil),
			})
		}
		C.bridge_free_missing(data)
	case "CONFLICTING_DEPS":
		for c := range each[*C.alpm_conflict_t](data) {
			e.Conflicts = append(e.Conflicts, s.conflict(c))
		}
		C.bridge_free_conflicts(data)
	case "FILE_CONFLICTS":
		for c := range each[*C.alpm_fileconflict_t](data) {
			e.FileConflicts = append(e.FileConflicts, wire.FileConflict{
				Package: C.GoString(c.target), File: C.GoString(c.file), Other: C.GoString(c.ctarget),
				InTarget: c._type == C.ALPM_FILECONFLICT_TARGET,
			})
		}
		C.bridge_free_file_conflicts(data)
	case "PKG_INVALID", "PKG_INVALID_CHECKSUM", "PKG_INVALID_SIG", "PKG_INVALID_ARCH":
		e.Invalid = append(e.Invalid, texts(data)...)
		C.bridge_free_strings(data)
	}
	return e
}

func (s *session) conflict(c *C.alpm_conflict_t) wire.DepConflict {
	other := C.GoString(C.bridge_conflict_second(c))
	return wire.DepConflict{
		Package: C.GoString(C.bridge_conflict_first(c)), Other: other, Dep: depText(c.reason),
		Installed: s.installed(other) != nil && !s.adds(other),
	}
}

// adds tells whether the transaction installs a package of that name.
func (s *session) adds(wanted string) bool {
	for p := range each[*C.alpm_pkg_t](C.alpm_trans_get_add(s.handle)) {
		if name(p) == wanted {
			return true
		}
	}
	return false
}

// versionOf finds the version of a package with a missing dependency.
func (s *session) versionOf(wanted string, installed bool) string {
	if installed {
		return version(s.installed(wanted))
	}
	for p := range each[*C.alpm_pkg_t](C.alpm_trans_get_add(s.handle)) {
		if name(p) == wanted {
			return version(p)
		}
	}
	for db := range each[*C.alpm_db_t](C.alpm_get_syncdbs(s.handle)) {
		if p := inDatabase(db, wanted); p != nil {
			return version(p)
		}
	}
	return ""
}
