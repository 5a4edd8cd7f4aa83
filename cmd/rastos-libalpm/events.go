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

var eventNames = map[C.alpm_event_type_t]string{
	C.ALPM_EVENT_CHECKDEPS_START: "checkdeps-start", C.ALPM_EVENT_CHECKDEPS_DONE: "checkdeps-done",
	C.ALPM_EVENT_FILECONFLICTS_START: "fileconflicts-start", C.ALPM_EVENT_FILECONFLICTS_DONE: "fileconflicts-done",
	C.ALPM_EVENT_RESOLVEDEPS_START: "resolvedeps-start", C.ALPM_EVENT_RESOLVEDEPS_DONE: "resolvedeps-done",
	C.ALPM_EVENT_INTERCONFLICTS_START: "interconflicts-start", C.ALPM_EVENT_INTERCONFLICTS_DONE: "interconflicts-done",
	C.ALPM_EVENT_TRANSACTION_START: "transaction-start", C.ALPM_EVENT_TRANSACTION_DONE: "transaction-done",
	C.ALPM_EVENT_PACKAGE_OPERATION_START: "package-operation-start", C.ALPM_EVENT_PACKAGE_OPERATION_DONE: "package-operation-done",
	C.ALPM_EVENT_INTEGRITY_START: "integrity-start", C.ALPM_EVENT_INTEGRITY_DONE: "integrity-done",
	C.ALPM_EVENT_LOAD_START: "load-start", C.ALPM_EVENT_LOAD_DONE: "load-done", C.ALPM_EVENT_SCRIPTLET_INFO: "scriptlet-info",
	C.ALPM_EVENT_DB_RETRIEVE_START: "db-retrieve-start", C.ALPM_EVENT_DB_RETRIEVE_DONE: "db-retrieve-done",
	C.ALPM_EVENT_DB_RETRIEVE_FAILED: "db-retrieve-failed", C.ALPM_EVENT_PKG_RETRIEVE_START: "pkg-retrieve-start",
	C.ALPM_EVENT_PKG_RETRIEVE_DONE: "pkg-retrieve-done", C.ALPM_EVENT_PKG_RETRIEVE_FAILED: "pkg-retrieve-failed",
	C.ALPM_EVENT_DISKSPACE_START: "diskspace-start", C.ALPM_EVENT_DISKSPACE_DONE: "diskspace-done",
	C.ALPM_EVENT_OPTDEP_REMOVAL: "optdep-removal", C.ALPM_EVENT_DATABASE_MISSING: "database-missing",
	C.ALPM_EVENT_KEYRING_START: "keyring-start", C.ALPM_EVENT_KEYRING_DONE: "keyring-done",
	C.ALPM_EVENT_KEY_DOWNLOAD_START: "key-download-start", C.ALPM_EVENT_KEY_DOWNLOAD_DONE: "key-download-done",
	C.ALPM_EVENT_PACNEW_CREATED: "pacnew-created", C.ALPM_EVENT_PACSAVE_CREATED: "pacsave-created",
	C.ALPM_EVENT_HOOK_START: "hook-start", C.ALPM_EVENT_HOOK_DONE: "hook-done",
	C.ALPM_EVENT_HOOK_RUN_START: "hook-run-start", C.ALPM_EVENT_HOOK_RUN_DONE: "hook-run-done",
}

var operationNames = map[C.alpm_package_operation_t]string{
	C.ALPM_PACKAGE_INSTALL: "install", C.ALPM_PACKAGE_UPGRADE: "upgrade", C.ALPM_PACKAGE_REINSTALL: "reinstall",
	C.ALPM_PACKAGE_DOWNGRADE: "downgrade", C.ALPM_PACKAGE_REMOVE: "remove",
}

//export goEvent
func goEvent(h C.uintptr_t, event *C.alpm_event_t) {
	s := of(h)
	kind := (*C.alpm_event_any_t)(unsafe.Pointer(event))._type
	e := wire.Event{Source: wire.SourceEvent, Name: eventNames[kind]}
	switch p := unsafe.Pointer(event); kind {
	case C.ALPM_EVENT_TRANSACTION_START:
		s.mu.Lock() // an interrupt that came first ends the program while it has this
		s.changing = true
		s.mu.Unlock()
	case C.ALPM_EVENT_TRANSACTION_DONE:
		s.done = true
	default:
		fill(&e, kind, p)
	}
	if kind == C.ALPM_EVENT_PACKAGE_OPERATION_DONE && e.New != "" {
		s.finished(e.Package)
	}
	s.tell(e)
}

// fill copies what an event tells besides its name.
func fill(e *wire.Event, kind C.alpm_event_type_t, p unsafe.Pointer) {
	switch kind {
	case C.ALPM_EVENT_PACKAGE_OPERATION_START, C.ALPM_EVENT_PACKAGE_OPERATION_DONE:
		op := (*C.alpm_event_package_operation_t)(p)
		e.Operation, e.Old, e.New, e.Package = operationNames[op.operation], version(op.oldpkg), version(op.newpkg), name(op.newpkg)
		if e.Package == "" {
			e.Package = name(op.oldpkg)
		}
	case C.ALPM_EVENT_SCRIPTLET_INFO:
		e.Text = C.GoString((*C.alpm_event_scriptlet_info_t)(p).line)
	case C.ALPM_EVENT_OPTDEP_REMOVAL:
		o := (*C.alpm_event_optdep_removal_t)(p)
		e.Package, e.Text = name(o.pkg), depText(o.optdep)
	case C.ALPM_EVENT_DATABASE_MISSING:
		e.Text = C.GoString((*C.alpm_event_database_missing_t)(p).dbname)
	case C.ALPM_EVENT_PACNEW_CREATED:
		n := (*C.alpm_event_pacnew_created_t)(p)
		e.Package, e.Old, e.New, e.File, e.Flag = name(n.newpkg), version(n.oldpkg), version(n.newpkg), C.GoString(n.file), n.from_noupgrade != 0
	case C.ALPM_EVENT_PACSAVE_CREATED:
		n := (*C.alpm_event_pacsave_created_t)(p)
		e.Package, e.Old, e.File = name(n.oldpkg), version(n.oldpkg), C.GoString(n.file)
	case C.ALPM_EVENT_HOOK_START, C.ALPM_EVENT_HOOK_DONE:
		e.Flag = (*C.alpm_event_hook_t)(p).when == C.ALPM_HOOK_POST_TRANSACTION
	case C.ALPM_EVENT_HOOK_RUN_START, C.ALPM_EVENT_HOOK_RUN_DONE:
		h := (*C.alpm_event_hook_run_t)(p)
		e.File, e.Text, e.Done, e.Total = C.GoString(h.name), C.GoString(h.desc), int64(h.position), int64(h.total)
	case C.ALPM_EVENT_PKG_RETRIEVE_START:
		r := (*C.alpm_event_pkg_retrieve_t)(p)
		e.Done, e.Total = int64(r.num), int64(r.total_size)
	}
}

// added describes a package that the transaction installs.
func (s *session) added(wanted string) *desc.Package {
	for p := range each[*C.alpm_pkg_t](C.alpm_trans_get_add(s.handle)) {
		if name(p) == wanted {
			return describe(p)
		}
	}
	return nil
}
