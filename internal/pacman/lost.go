// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"
	"os"
	"strings"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

// What is said of more than one thing.
const (
	duplicate   = "'%s': duplicate target"
	noSignature = "%s: missing required signature"
	malformed   = "%s: signature format error"
	gpgNoData   = "GPGME error: No data" // of what is no signature
)

// toldByLost tells whether what is wrong are targets, each of which was told
// when it was come upon.
func toldByLost(err error) bool {
	var (
		list *solve.NotFoundListError
		one  *solve.NotFoundError
		dup  *solve.DuplicateError
		file *trans.FileError
	)
	return errors.As(err, &list) || errors.As(err, &one) || errors.As(err, &dup) || errors.As(err, &file)
}

// lost says of a target that it is none, when it is come upon.
func (t *transaction) lost(err error) {
	var (
		none *solve.NotFoundError
		dup  *solve.DuplicateError
		file *trans.FileError
	)
	isFile := errors.As(err, &file)
	switch {
	case errors.As(err, &none):
		t.notFound(none)
	case errors.As(err, &dup) && isFile:
		t.errorf(duplicate, file.File)
	case errors.As(err, &dup):
		t.errorf(duplicate, dup.Name)
	case isFile:
		t.fileFailed(file)
	}
}

func (t *transaction) notFound(e *solve.NotFoundError) {
	switch {
	case e.Repository != "":
		t.errorf("database not found: %s", e.Repository)
	case e.Installed:
		t.errorf("target not found: %s", strings.TrimPrefix(e.Target, "local/"))
	default:
		name := e.Target
		if repo, rest, ok := strings.Cut(name, "/"); ok && repo != "" {
			name = rest
		}
		t.errorf("target not found: %s", name)
	}
	if f, err := os.Open(e.Target); err == nil && !e.Installed {
		f.Close()
		t.warnf("'%s' is a file, did you mean %s instead of %s?", e.Target, "-U/--upgrade", "-S/--sync")
	}
}

// fileFailed says what is wrong with a file of -U.
func (t *transaction) fileFailed(file *trans.FileError) {
	why := archiveFault(file.Err)
	var sig *keyring.Error
	if errors.As(file.Err, &sig) && sig.Reason == keyring.Malformed {
		t.signatureFailed(file.File, sig)
	}
	if t.unreadable(file.File, file.Err) {
		why = whyOpen
	}
	t.errorf("'%s': %s", file.File, why)
}
