// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/trans"
)

// archiveFailed says what is wrong with a signature, and returns the library's
// word for what is wrong with an archive.
func (t *transaction) archiveFailed(name string, err error) string {
	var sig *keyring.Error
	switch {
	case !errors.As(err, &sig):
	case sig.Reason == keyring.Missing:
		t.errorf(noSignature, name)
	default:
		t.signatureFailed(name, sig)
		if sig.Reason == keyring.Malformed && t.required(name) {
			t.errorf(noSignature, name) // in what is none
		}
	}
	return archiveFault(err)
}

// required tells whether a package of the plan must have a signature.
func (t *transaction) required(name string) bool {
	for i := range t.plan.Install {
		if st := &t.plan.Install[i]; st.Package.Name == name {
			r := t.conf.Repo(st.Repo)
			return r != nil && r.SigLevel.Package.Check == keyring.Required
		}
	}
	return false
}

func archiveFault(err error) string {
	var sig *keyring.Error
	switch {
	case errors.As(err, &sig) && sig.Reason == keyring.Missing:
		return whyMissing
	case errors.As(err, &sig):
		return whySignature
	case errors.Is(err, trans.ErrChecksum):
		return whyChecksum
	case errors.Is(err, fs.ErrNotExist):
		return whyNotFound
	}
	return whyInvalid
}

// signatureFailed says what is wrong with a signature.
func (s *session) signatureFailed(name string, e *keyring.Error) {
	if e.Reason == keyring.NoKeyring {
		s.warnf("Public keyring not found; have you run '%s'?", "pacman-key --init")
		return
	}
	if e.Reason == keyring.Malformed {
		s.errorf(malformed, name)
		s.errorf(gpgNoData)
		return
	}
	s.errorf("%s: %s", name, signatureFault(e))
}

func signatureFault(e *keyring.Error) string {
	who := e.User
	if who == "" {
		who = e.Key
	}
	switch e.Reason {
	case keyring.Unknown:
		return "key \"" + who + "\" is unknown"
	case keyring.Disabled:
		return "key \"" + who + "\" is disabled"
	case keyring.Expired:
		return "signature from \"" + who + "\" is expired"
	case keyring.Untrusted:
		return "signature from \"" + who + "\" is unknown trust"
	}
	return "signature from \"" + who + "\" is invalid"
}

// verifyFailed tells of archives that are not what they should be. The keys of
// unknown signers are offered, as pacman does; no key server is asked.
func (t *transaction) verifyFailed(err error) {
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	if t.keysMissing(list) {
		t.errorf("required key missing from keyring")
		t.errorf("failed to commit transaction (unexpected error)")
		return
	}
	why := whyInvalid
	for _, e := range list {
		var wrong *trans.VerifyError
		if !errors.As(e, &wrong) {
			t.errorf("%v", e)
			continue
		}
		if why = t.told[wrong]; why == "" {
			why = t.archiveFailed(archiveName(wrong), wrong.Err)
		}
		if why == whyInvalid {
			defer t.printf("%s is invalid or corrupted\n", strings.TrimSuffix(filepath.Base(wrong.Path), ".sig"))
		}
	}
	t.errorf("failed to commit transaction (%s)", why)
}

// archiveName is what an archive is called: by its package, or its file.
func archiveName(e *trans.VerifyError) string {
	if e.Package != "" {
		return e.Package
	}
	return e.Path
}

// keysMissing offers the keys of signers that the keyring does not have.
func (t *transaction) keysMissing(list []error) bool {
	offered := map[string]bool{}
	for _, e := range list {
		var sig *keyring.Error
		if !errors.As(e, &sig) || sig.Reason != keyring.Unknown || offered[sig.Key] {
			continue
		}
		if len(offered) == 0 {
			t.print("downloading required keys...\n")
		}
		offered[sig.Key] = true
		if t.ask.turned(askKey, t.ask.yesno("Import PGP key %s?", sig.Key)) {
			t.errorf("key \"%s\" could not be looked up remotely", sig.Key)
		}
	}
	return len(offered) > 0
}

// corrupt asks whether a wrong archive in the cache is to be deleted.
func (t *transaction) corrupt(e *trans.VerifyError) bool {
	t.show.mu.Lock()
	defer t.show.mu.Unlock()
	why := t.archiveFailed(archiveName(e), e.Err)
	if why == whyInvalid {
		why = whyChecksum
	}
	t.told[e] = why
	return t.ask.turned(askCorrupt, t.ask.yesno("File %s is corrupted (%s).\nDo you want to delete it?", e.Path, why))
}
