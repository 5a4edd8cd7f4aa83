// SPDX-License-Identifier: GPL-3.0-or-later

//go:build libalpm

package main

import (
	"fmt"

	"github.com/rastos/rastos/alpm/libalpm/wire"
)

// do makes one call.
func (s *session) do(call wire.Message) (any, error) {
	if call.Method == wire.MethodOpen {
		return nil, s.open()
	}
	if s.handle == nil {
		return nil, fmt.Errorf("%s before %s", call.Method, wire.MethodOpen)
	}
	switch call.Method {
	case wire.MethodRefresh:
		return taking(call, s.refresh)
	case wire.MethodPackages:
		return taking(call, s.packages)
	case wire.MethodPackage:
		return taking(call, s.packageNamed)
	case wire.MethodSearch:
		return taking(call, s.search)
	case wire.MethodGroups:
		return taking(call, s.groups)
	case wire.MethodSatisfier:
		return taking(call, s.satisfier)
	case wire.MethodRequiredBy:
		return taking(call, func(in wire.In) ([]string, error) { return s.needing(in, false) })
	case wire.MethodOptionalFor:
		return taking(call, func(in wire.In) ([]string, error) { return s.needing(in, true) })
	case wire.MethodSetReason:
		return doing(call, s.setReason)
	}
	return s.doTransaction(call)
}

func (s *session) doTransaction(call wire.Message) (any, error) {
	switch call.Method {
	case wire.MethodBegin:
		return doing(call, s.beginTransaction)
	case wire.MethodTarget:
		return doing(call, s.addTarget)
	case wire.MethodFile:
		return doing(call, s.addFile)
	case wire.MethodRemove:
		return doing(call, s.addRemoval)
	case wire.MethodSysUpgrade:
		return doing(call, s.sysUpgrade)
	case wire.MethodPrepare:
		return s.prepare()
	case wire.MethodCommit:
		return taking(call, s.commit)
	case wire.MethodRelease:
		return nil, s.release()
	}
	return nil, fmt.Errorf("unknown method %q", call.Method)
}

// taking decodes what a method takes.
func taking[In, Out any](call wire.Message, method func(In) (Out, error)) (any, error) {
	var in In
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	return method(in)
}

// doing is taking for a method that gives nothing.
func doing[In any](call wire.Message, method func(In) error) (any, error) {
	return taking(call, func(in In) (any, error) { return nil, method(in) })
}
