// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/libalpm/wire"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

// The documented exit codes of this package's errors.
const (
	exitFailure = 1
	exitPackage = 4
	exitVerify  = 5
	exitNetwork = 6
	exitSpace   = 7
	exitRights  = 8
	exitHost    = 9
	exitLocked  = 10
)

// HelperKind is what is wrong with a helper.
type HelperKind string

// The kinds.
const (
	HelperMissing HelperKind = "cannot be started"
	HelperVersion HelperKind = "is of another version"
	HelperDied    HelperKind = "ended in the middle"
	HelperHung    HelperKind = "does not answer"
	HelperGarbled HelperKind = "says what cannot be understood"
)

// HelperError is a helper that does not do its part.
type HelperError struct {
	Kind HelperKind
	Err  error
	// After says in what state the root is that was being changed.
	After string
}

func (e *HelperError) Error() string { return fmt.Sprintf("rastos-libalpm %s: %v", e.Kind, e.Err) }
func (e *HelperError) Unwrap() error { return e.Err }

// ExitCode is the class "host" where the helper is not there or not ours, else
// that of a failure.
func (e *HelperError) ExitCode() int {
	if e.Kind == HelperMissing || e.Kind == HelperVersion {
		return exitHost
	}
	return exitFailure
}

// Hint tells what to do.
func (e *HelperError) Hint() string {
	if e.After != "" {
		return e.After
	}
	switch e.Kind {
	case HelperMissing:
		return `build it with "make libalpm" and put it beside rastos, or use engine = "native"`
	case HelperVersion:
		return "rastos and rastos-libalpm are built together: install both of one version"
	case HelperHung:
		return "the root may hold a package that was being installed; look at what blocks (a scriptlet, a mirror), then run the same again"
	}
	return "if the root was being changed, the package at hand may be incomplete: run the same again"
}

// Error is what libalpm says where no error of the native engine says the
// same.
type Error struct{ Said *wire.Error }

func (e *Error) Error() string {
	text := "libalpm: " + e.Said.Error()
	if n := len(e.Said.Log); n > 0 && !strings.Contains(text, e.Said.Log[n-1]) {
		text += " (" + strings.Join(e.Said.Log, "; ") + ")"
	}
	return text
}
func (e *Error) Unwrap() error { return e.Said }

// ExitCode is the class that the library's code belongs to.
func (e *Error) ExitCode() int {
	switch e.Said.Code {
	case "PKG_NOT_FOUND", "UNSATISFIED_DEPS", "CONFLICTING_DEPS", "FILE_CONFLICTS", "PKG_INVALID_ARCH", "TRANS_DUP_TARGET", "TRANS_DUP_FILENAME":
		return exitPackage
	case "PKG_INVALID", "PKG_INVALID_CHECKSUM", "PKG_INVALID_SIG", "PKG_MISSING_SIG", "SIG_MISSING", "SIG_INVALID", "DB_INVALID", "DB_INVALID_SIG":
		return exitVerify
	case "RETRIEVE", "LIBCURL", "EXTERNAL_DOWNLOAD", "SERVER_NONE", "SERVER_BAD_URL":
		return exitNetwork
	case "DISK_SPACE":
		return exitSpace
	case "BADPERMS":
		return exitRights
	case "HANDLE_LOCK":
		return exitLocked
	}
	return exitFailure
}

// typed turns the library's error into the one that the native engine has for
// the same, where there is one.
func typed(env *trans.Env, err error) error {
	var e *wire.Error
	if !errors.As(err, &e) {
		return err
	}
	if out := packageErrorOf(env, e); out != nil {
		return out
	}
	if out := verifyErrorOf(e); out != nil {
		return out
	}
	switch e.Code {
	case "HANDLE_LOCK":
		return &trans.LockError{Path: filepath.Join(env.DBPath, "db.lck")}
	case "DISK_SPACE":
		return spaceError(env, e)
	case "TRANS_HOOK_FAILED":
		return &trans.HookError{Err: &Error{e}}
	}
	return &Error{e}
}

// packageErrorOf is about packages that do not go together.
func packageErrorOf(env *trans.Env, e *wire.Error) error {
	switch e.Code {
	case "PKG_NOT_FOUND":
		return &solve.NotFoundError{Target: e.Target, Installed: strings.Contains(e.Op, "installed")}
	case "UNSATISFIED_DEPS":
		out := &solve.UnsatisfiedError{}
		for _, m := range e.Missing {
			out.Missing = append(out.Missing, solve.Missing{Package: m.Package, Version: m.Version, Dep: desc.ParseDep(m.Dep), Cause: m.Causing})
		}
		return out
	case "CONFLICTING_DEPS":
		if len(e.Conflicts) > 0 {
			c := e.Conflicts[0]
			return &solve.ConflictError{Package: c.Package, Other: c.Other, Dep: desc.ParseDep(c.Dep), Installed: c.Installed}
		}
	case "FILE_CONFLICTS":
		out := &trans.FileConflictError{}
		for _, c := range e.FileConflicts {
			out.Conflicts = append(out.Conflicts, fileConflict(env, c))
		}
		return out
	case "PKG_INVALID_ARCH":
		return archError(env, e)
	case "TRANS_DUP_TARGET":
		return &solve.DuplicateError{Name: e.Target, First: e.Target, Second: e.Target}
	}
	return nil
}

func fileConflict(env *trans.Env, c wire.FileConflict) trans.FileConflict {
	root := filepath.Clean(env.Root)
	path := strings.TrimPrefix(c.File, strings.TrimSuffix(root, "/"))
	out := trans.FileConflict{Package: c.Package, Path: strings.TrimPrefix(path, "/")}
	if c.InTarget {
		out.Other = c.Other
	} else {
		out.Owner = c.Other
	}
	return out
}

// archError takes "name-version-arch" apart: neither a version nor an
// architecture holds a dash.
func archError(env *trans.Env, e *wire.Error) error {
	out := &solve.ArchError{Allowed: append([]string{env.Arch}, env.Archs...)}
	if len(e.Invalid) > 0 {
		parts := strings.Split(e.Invalid[0], "-")
		if n := len(parts); n > 3 {
			out.Package, out.Arch = strings.Join(parts[:n-3], "-"), parts[n-1]
		}
	}
	return out
}

// verifyErrorOf is about what must not be used.
func verifyErrorOf(e *wire.Error) error {
	object, path := "packages", ""
	switch {
	case len(e.Invalid) > 0:
		object, path = filepath.Base(e.Invalid[0]), e.Invalid[0]
	case e.Target != "":
		object, path = filepath.Base(e.Target), e.Target
	}
	fail := func(cause error) error { return &trans.VerifyError{Object: object, Path: path, Err: cause} }
	switch e.Code {
	case "PKG_INVALID_CHECKSUM":
		return fail(fmt.Errorf("%w: %w", trans.ErrChecksum, &Error{e}))
	case "PKG_MISSING_SIG", "SIG_MISSING":
		return fail(&keyring.Error{Reason: keyring.Missing, Err: &Error{e}})
	case "RETRIEVE", "LIBCURL", "EXTERNAL_DOWNLOAD":
		name, only := onlySignature(e)
		if !only {
			return nil
		}
		object = name
		return fail(&keyring.Error{Reason: keyring.Missing, Err: &Error{e}})
	case "PKG_INVALID_SIG", "SIG_INVALID":
		return fail(&keyring.Error{Reason: signatureReason(e), Err: &Error{e}})
	case "PKG_INVALID", "PKG_OPEN":
		return fail(&Error{e})
	case "DB_INVALID_SIG", "DB_INVALID":
		object, path = "database "+e.Target, ""
		return fail(&Error{e})
	}
	return nil
}

// onlySignature tells whether nothing but a signature could not be downloaded,
// and of what.
func onlySignature(e *wire.Error) (name string, only bool) {
	for _, line := range e.Log {
		_, rest, ok := strings.Cut(line, "failed retrieving file '")
		if !ok {
			continue
		}
		file, _, _ := strings.Cut(rest, "'")
		if name, ok = strings.CutSuffix(file, ".sig"); !ok {
			return "", false
		}
	}
	return name, name != ""
}

// signatureReason reads the log, since the library has one code for all that
// can be wrong with a signature.
func signatureReason(e *wire.Error) keyring.Reason {
	log := strings.Join(e.Log, "\n")
	for _, r := range []struct {
		text   string
		reason keyring.Reason
	}{
		{"missing required signature", keyring.Missing}, {"is unknown trust", keyring.Untrusted}, {"marginal trust", keyring.Untrusted},
		{"never be trusted", keyring.Untrusted}, {"key is unknown", keyring.Unknown}, {"is unknown", keyring.Unknown}, {"is missing", keyring.Unknown},
		{"disabled", keyring.Disabled}, {"expired", keyring.Expired}, {"invalid", keyring.Bad},
	} {
		if strings.Contains(log, r.text) {
			return r.reason
		}
	}
	return keyring.Bad
}

// spaceError reads the sizes from the log, which alone has them, in blocks.
func spaceError(env *trans.Env, e *wire.Error) error {
	out := &trans.SpaceError{Path: env.Root}
	for _, line := range e.Log {
		var path string
		var needed, free int64
		if _, rest, ok := strings.Cut(line, "artition "); ok {
			path, rest, _ = strings.Cut(rest, " too full: ")
			if n, _ := fmt.Sscanf(rest, "%d blocks needed, %d blocks free", &needed, &free); n != 2 {
				continue
			}
			block := int64(1)
			if env.Space != nil {
				if fs, err := env.Space.FileSystem(path); err == nil {
					block = max(1, fs.BlockSize)
				}
			}
			out.Path, out.Needed, out.Free = path, needed*block, free*block
		}
	}
	return out
}
