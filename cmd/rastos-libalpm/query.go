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

func (s *session) packages(in wire.In) ([]*desc.Package, error) {
	db, err := s.database(in.Repo)
	if err != nil {
		return nil, err
	}
	out := []*desc.Package{}
	for p := range each[*C.alpm_pkg_t](C.alpm_db_get_pkgcache(db)) {
		out = append(out, describe(p))
	}
	return out, nil
}

func (s *session) packageNamed(in wire.In) ([]*desc.Package, error) {
	db, err := s.database(in.Repo)
	if err != nil {
		return nil, err
	}
	p := inDatabase(db, in.Name)
	if p == nil {
		return []*desc.Package{}, nil
	}
	d := describe(p)
	if in.Repo == "" {
		addFiles(d, p)
	}
	return []*desc.Package{d}, nil
}

func (s *session) search(in wire.In) ([]*desc.Package, error) {
	db, err := s.database(in.Repo)
	if err != nil {
		return nil, err
	}
	var needles, found *C.alpm_list_t
	for _, f := range in.Find {
		needles = C.alpm_list_add(needles, unsafe.Pointer(C.CString(f)))
	}
	defer C.bridge_free_strings(needles)
	if C.alpm_db_search(db, needles, &found) != 0 {
		return nil, s.failed("search in", in.Repo)
	}
	defer C.alpm_list_free(found)
	out := []*desc.Package{}
	for p := range each[*C.alpm_pkg_t](found) {
		out = append(out, describe(p))
	}
	return out, nil
}

func (s *session) groups(in wire.In) ([]wire.Group, error) {
	db, err := s.database(in.Repo)
	if err != nil {
		return nil, err
	}
	out := []wire.Group{}
	for g := range each[*C.alpm_group_t](C.alpm_db_get_groupcache(db)) {
		group := wire.Group{Name: C.GoString(g.name)}
		if in.Name != "" && group.Name != in.Name {
			continue
		}
		for p := range each[*C.alpm_pkg_t](g.packages) {
			group.Packages = append(group.Packages, name(p))
		}
		out = append(out, group)
	}
	return out, nil
}

func (s *session) satisfier(in wire.In) ([]wire.Found, error) {
	dep, free := text(in.Name)
	defer free()
	var p *C.alpm_pkg_t
	if in.All {
		p = C.alpm_find_dbs_satisfier(s.handle, C.alpm_get_syncdbs(s.handle), dep)
	} else {
		db, err := s.database(in.Repo)
		if err != nil {
			return nil, err
		}
		p = C.alpm_find_satisfier(C.alpm_db_get_pkgcache(db), dep)
	}
	if p == nil {
		return []wire.Found{}, nil
	}
	return []wire.Found{{Package: describe(p), Repo: repoOf(p)}}, nil
}

// needing tells which packages need one, or would like it.
func (s *session) needing(in wire.In, optional bool) ([]string, error) {
	db, err := s.database(in.Repo)
	if err != nil {
		return nil, err
	}
	p := inDatabase(db, in.Name)
	if p == nil {
		return nil, newError("find the package", in.Name, C.ALPM_ERR_PKG_NOT_FOUND)
	}
	var list *C.alpm_list_t
	if optional {
		list = C.alpm_pkg_compute_optionalfor(p)
	} else {
		list = C.alpm_pkg_compute_requiredby(p)
	}
	defer C.bridge_free_strings(list)
	return append([]string{}, texts(list)...), nil
}
