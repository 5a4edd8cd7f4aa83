// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

// #include "bridge.h"
import "C"

import (
	"runtime/cgo"
	"strings"
	"unsafe"

	"github.com/rastos/rastos/alpm/libalpm/wire"
)

func of(h C.uintptr_t) *session { return cgo.Handle(h).Value().(*session) }

//export goLog
func goLog(h C.uintptr_t, level C.alpm_loglevel_t, msg *C.char) {
	s := of(h)
	line := strings.TrimRight(C.GoString(msg), "\n")
	kind := "function"
	switch {
	case level&C.ALPM_LOG_ERROR != 0:
		kind = "error"
		s.errors = append(s.errors, line)
	case level&C.ALPM_LOG_WARNING != 0:
		kind = "warning"
	case level&C.ALPM_LOG_DEBUG != 0:
		kind = "debug"
	}
	if s.cfg.Debug || kind == "error" || kind == "warning" {
		s.tell(wire.Event{Source: wire.SourceLog, Name: kind, Text: line})
	}
}

//export goProgress
func goProgress(h C.uintptr_t, kind C.alpm_progress_t, pkg *C.char, percent C.int, howmany, current C.size_t) {
	of(h).tell(wire.Event{
		Source: wire.SourceProgress, Name: progressNames[kind], Package: C.GoString(pkg), Percent: int(percent),
		Done: int64(current), Total: int64(howmany),
	})
}

var progressNames = map[C.alpm_progress_t]string{
	C.ALPM_PROGRESS_ADD_START: "add", C.ALPM_PROGRESS_UPGRADE_START: "upgrade", C.ALPM_PROGRESS_DOWNGRADE_START: "downgrade",
	C.ALPM_PROGRESS_REINSTALL_START: "reinstall", C.ALPM_PROGRESS_REMOVE_START: "remove",
	C.ALPM_PROGRESS_CONFLICTS_START: "conflicts", C.ALPM_PROGRESS_DISKSPACE_START: "diskspace",
	C.ALPM_PROGRESS_INTEGRITY_START: "integrity", C.ALPM_PROGRESS_LOAD_START: "load", C.ALPM_PROGRESS_KEYRING_START: "keyring",
}

//export goDownload
func goDownload(h C.uintptr_t, file *C.char, kind C.alpm_download_event_type_t, data unsafe.Pointer) {
	e := wire.Event{Source: wire.SourceDownload, File: C.GoString(file)}
	switch kind {
	case C.ALPM_DOWNLOAD_INIT:
		e.Name, e.Flag = "init", (*C.alpm_download_event_init_t)(data).optional != 0
	case C.ALPM_DOWNLOAD_PROGRESS:
		p := (*C.alpm_download_event_progress_t)(data)
		e.Name, e.Done, e.Total = "progress", int64(p.downloaded), int64(p.total)
	case C.ALPM_DOWNLOAD_RETRY:
		e.Name, e.Flag = "retry", (*C.alpm_download_event_retry_t)(data).resume != 0
	case C.ALPM_DOWNLOAD_COMPLETED:
		c := (*C.alpm_download_event_completed_t)(data)
		e.Name, e.Total, e.Result = "completed", int64(c.total), int(c.result)
	}
	of(h).tell(e)
}

//export goFetch
func goFetch(h C.uintptr_t, url, dir *C.char, force C.int) C.int {
	answer := wire.Fetched{Result: -1}
	if !of(h).ask(wire.TypeFetch, wire.Fetch{URL: C.GoString(url), Dir: C.GoString(dir), Force: force != 0}, &answer) {
		return -1
	}
	return C.int(answer.Result)
}

//export goQuestion
func goQuestion(h C.uintptr_t, question *C.alpm_question_t) {
	s := of(h)
	asked := (*C.alpm_question_any_t)(unsafe.Pointer(question))
	q := s.question(asked._type, unsafe.Pointer(question))
	answer := q.Default()
	if given := 0; s.ask(wire.TypeQuestion, q, &given) && q.Allows(given) {
		answer = given
	}
	s.note(q, answer)
	asked.answer = C.int(answer)
}

// question copies what is asked. All kinds begin with their type and answer.
func (s *session) question(kind C.alpm_question_type_t, p unsafe.Pointer) wire.Question {
	switch kind {
	case C.ALPM_QUESTION_INSTALL_IGNOREPKG:
		pkg := (*C.alpm_question_install_ignorepkg_t)(p).pkg
		return wire.Question{Kind: wire.InstallIgnored, Package: describe(pkg), Repo: repoOf(pkg)}
	case C.ALPM_QUESTION_REPLACE_PKG:
		q := (*C.alpm_question_replace_t)(p)
		return wire.Question{Kind: wire.ReplacePackage, Package: describe(q.newpkg), Other: describe(q.oldpkg),
			Repo: C.GoString(C.alpm_db_get_name(q.newdb))}
	case C.ALPM_QUESTION_CONFLICT_PKG:
		q := (*C.alpm_question_conflict_t)(p)
		c := s.conflict(q.conflict)
		return wire.Question{Kind: wire.Conflict, Package: s.added(c.Package), Other: describe(s.installed(c.Other)), Dep: c.Dep}
	case C.ALPM_QUESTION_CORRUPTED_PKG:
		q := (*C.alpm_question_corrupted_t)(p)
		return wire.Question{Kind: wire.Corrupted, File: C.GoString(q.filepath), Reason: C.GoString(C.alpm_strerror(q.reason))}
	case C.ALPM_QUESTION_REMOVE_PKGS:
		out := wire.Question{Kind: wire.RemovePackages}
		for pkg := range each[*C.alpm_pkg_t]((*C.alpm_question_remove_pkgs_t)(p).packages) {
			out.Packages = append(out.Packages, describe(pkg))
		}
		return out
	case C.ALPM_QUESTION_SELECT_PROVIDER:
		q := (*C.alpm_question_select_provider_t)(p)
		out := wire.Question{Kind: wire.SelectProvider, Dep: depText(q.depend)}
		for pkg := range each[*C.alpm_pkg_t](q.providers) {
			out.Choices = append(out.Choices, wire.Found{Package: describe(pkg), Repo: repoOf(pkg)})
		}
		return out
	}
	q := (*C.alpm_question_import_key_t)(p)
	return wire.Question{Kind: wire.ImportKey, Key: C.GoString(C.bridge_key_fingerprint(q)), User: C.GoString(C.bridge_key_user(q))}
}

// note keeps what the answer means for the plan and for errors.
func (s *session) note(q wire.Question, answer int) {
	switch {
	case q.Kind == wire.Corrupted:
		s.corrupt = append(s.corrupt, q.File)
	case answer == 0 || q.Other == nil || q.Package == nil:
	case q.Kind == wire.ReplacePackage:
		s.causes[q.Other.Name] = wire.Removal{Cause: "replaced", By: q.Package.Name}
	case q.Kind == wire.Conflict:
		s.causes[q.Other.Name] = wire.Removal{Cause: "conflict", By: q.Package.Name}
	}
}
