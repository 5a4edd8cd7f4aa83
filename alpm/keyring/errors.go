// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"fmt"
	"strings"
)

// Reason says why a verification failed.
type Reason int

// The reasons.
const (
	Missing   Reason = iota // there is no signature
	Malformed               // what is there is no signature that can be checked
	Unknown                 // the keyring does not have the signer's key
	Bad                     // the signature is not of this data
	Expired                 // the signature's lifetime is over, or the key's was when it signed
	Revoked                 // the signer's key was revoked
	Disabled                // the signer's key was disabled by the keyring's owner
	Untrusted               // nobody trusted vouches for the signer's key
	NoKeyring               // there is no keyring to check with
)

// An Error is a verification that failed.
type Error struct {
	Reason Reason
	Key    string // fingerprint or key id of the signer, in hexadecimal; may be empty
	User   string // its user ID, if known
	Err    error  // details, may be nil
}

func (e *Error) Error() string {
	who := strings.TrimSpace(e.User + " " + e.Key)
	var text string
	switch e.Reason {
	case Missing:
		text = "the signature is missing"
	case Malformed:
		text = "the signature is malformed"
	case Unknown:
		text = "signed by the unknown key " + e.Key
	case Bad:
		text = "bad signature by " + who + ": the data was changed, or the signature belongs to other data"
	case Expired:
		text = "expired signature by " + who
	case Revoked:
		text = "signed by a revoked key: " + who
	case Disabled:
		text = "signed by a disabled key: " + who
	case Untrusted:
		text = "signed by a key that is not trusted: " + who
	case NoKeyring:
		text = "no keyring"
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", text, e.Err)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what may be done about it.
func (e *Error) Hint() string {
	switch e.Reason {
	case Missing:
		return "sign it, or ask for no signature with siglevel Optional"
	case Unknown:
		return "update the keyring package, or import the key once you know whose it is"
	case Bad, Malformed:
		return "download it again, from another mirror if need be"
	case Untrusted:
		return "update the keyring package, or sign the key locally if you trust its owner"
	case NoKeyring:
		return "make one with pacman-key --init and pacman-key --populate"
	}
	return ""
}

// ExitCode is that of failed verifications.
func (e *Error) ExitCode() int { return 5 }
