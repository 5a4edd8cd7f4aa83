// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

// #include "bridge.h"
import "C"

import (
	"iter"
	"unsafe"

	"github.com/rastos/rastos/alpm/desc"
)

// each goes through a list of the library's; P is the pointer in it.
func each[P any](list *C.alpm_list_t) iter.Seq[P] {
	return func(yield func(P) bool) {
		for i := list; i != nil; i = i.next {
			if !yield(*(*P)(unsafe.Pointer(&i.data))) {
				return
			}
		}
	}
}

func texts(list *C.alpm_list_t) []string {
	var out []string
	for c := range each[*C.char](list) {
		out = append(out, C.GoString(c))
	}
	return out
}

func depText(d *C.alpm_depend_t) string {
	c := C.alpm_dep_compute_string(d)
	defer C.free(unsafe.Pointer(c))
	return C.GoString(c)
}

func depTexts(list *C.alpm_list_t) []string {
	var out []string
	for d := range each[*C.alpm_depend_t](list) {
		out = append(out, depText(d))
	}
	return out
}

// describe copies a package; nil stays nil.
func describe(p *C.alpm_pkg_t) *desc.Package {
	if p == nil {
		return nil
	}
	d := &desc.Package{
		Name: C.GoString(C.alpm_pkg_get_name(p)), Base: C.GoString(C.alpm_pkg_get_base(p)),
		Version: C.GoString(C.alpm_pkg_get_version(p)), Description: C.GoString(C.alpm_pkg_get_desc(p)),
		URL: C.GoString(C.alpm_pkg_get_url(p)), Arch: C.GoString(C.alpm_pkg_get_arch(p)),
		Packager: C.GoString(C.alpm_pkg_get_packager(p)),

		Licenses: texts(C.alpm_pkg_get_licenses(p)), Groups: texts(C.alpm_pkg_get_groups(p)),
		Depends: depTexts(C.alpm_pkg_get_depends(p)), OptDepends: depTexts(C.alpm_pkg_get_optdepends(p)),
		MakeDepends: depTexts(C.alpm_pkg_get_makedepends(p)), CheckDepends: depTexts(C.alpm_pkg_get_checkdepends(p)),
		Conflicts: depTexts(C.alpm_pkg_get_conflicts(p)), Provides: depTexts(C.alpm_pkg_get_provides(p)),
		Replaces: depTexts(C.alpm_pkg_get_replaces(p)),

		BuildDate: int64(C.alpm_pkg_get_builddate(p)), InstalledSize: int64(C.alpm_pkg_get_isize(p)),
	}
	for at := C.bridge_xdata(p); at != nil; at = at.next {
		d.XData = append(d.XData, C.GoString(C.bridge_xdata_name(at))+"="+C.GoString(C.bridge_xdata_value(at)))
	}
	switch C.alpm_pkg_get_origin(p) {
	case C.ALPM_PKG_FROM_LOCALDB:
		d.InstallDate, d.Reason = int64(C.alpm_pkg_get_installdate(p)), reasonOf(p)
		d.Validation = validation(C.alpm_pkg_get_validation(p))
	case C.ALPM_PKG_FROM_SYNCDB:
		d.Filename, d.CompressedSize = C.GoString(C.alpm_pkg_get_filename(p)), int64(C.alpm_pkg_get_size(p))
		d.MD5, d.SHA256 = C.GoString(C.alpm_pkg_get_md5sum(p)), C.GoString(C.alpm_pkg_get_sha256sum(p))
		d.PGPSig = C.GoString(C.alpm_pkg_get_base64_sig(p))
	}
	return d
}

func reasonOf(p *C.alpm_pkg_t) desc.Reason {
	if C.bridge_reason(p) != 0 {
		return desc.Depend
	}
	return desc.Explicit
}

func validation(mask C.int) []string {
	var out []string
	for _, v := range []struct {
		bit  C.int
		name string
	}{
		{C.ALPM_PKG_VALIDATION_NONE, "none"}, {C.ALPM_PKG_VALIDATION_MD5SUM, "md5"},
		{C.ALPM_PKG_VALIDATION_SHA256SUM, "sha256"}, {C.ALPM_PKG_VALIDATION_SIGNATURE, "pgp"},
	} {
		if mask&v.bit != 0 {
			out = append(out, v.name)
		}
	}
	return out
}

// addFiles fills in what a package owns.
func addFiles(d *desc.Package, p *C.alpm_pkg_t) {
	if list := C.alpm_pkg_get_files(p); list != nil {
		for _, f := range unsafe.Slice(list.files, int(list.count)) {
			d.Files = append(d.Files, C.GoString(f.name))
		}
	}
	for b := range each[*C.alpm_backup_t](C.alpm_pkg_get_backup(p)) {
		d.Backup = append(d.Backup, desc.Backup{Path: C.GoString(b.name), MD5: C.GoString(b.hash)})
	}
}

func name(p *C.alpm_pkg_t) string {
	if p == nil {
		return ""
	}
	return C.GoString(C.alpm_pkg_get_name(p))
}

func version(p *C.alpm_pkg_t) string {
	if p == nil {
		return ""
	}
	return C.GoString(C.alpm_pkg_get_version(p))
}

// repoOf names the repository of a package; "" for others.
func repoOf(p *C.alpm_pkg_t) string {
	if p == nil || C.alpm_pkg_get_origin(p) != C.ALPM_PKG_FROM_SYNCDB {
		return ""
	}
	return C.GoString(C.alpm_db_get_name(C.alpm_pkg_get_db(p)))
}
