// SPDX-License-Identifier: GPL-3.0-or-later

package account

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rastos/rastos/internal/mistake"
)

// A UserError is a user of the manifest that cannot be made as written.
type UserError struct {
	User   string
	Reason string
	Advice string
}

func (e *UserError) Error() string { return fmt.Sprintf("user %s: %s", e.User, e.Reason) }

// Hint says what to write instead, where that is known.
func (e *UserError) Hint() string { return e.Advice }

// ExitCode is that of a mistake in the manifest.
func (e *UserError) ExitCode() int { return 3 }

// The names that useradd takes, and that mean the same in every program.
var nameFormat = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}\$?$`) })

// CheckName checks the name of a user or group.
func CheckName(name string) error {
	if !nameFormat().MatchString(name) {
		return fmt.Errorf("%q is no name for an account: it begins with a small letter or _, then come small letters, digits, _ and -, 31 in all", name)
	}
	return nil
}

// The hashes of crypt(5) that are strong enough to be stored today.
var hashFormat = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\$(y|gy|7|2[abxy]|6|5|sm3|scrypt|argon2id|argon2i)\$[./A-Za-z0-9$=,+*-]{8,500}$`)
})

// CheckHash checks the hash of a password. "!" and "*" alone, or before a
// hash, lock it.
func CheckHash(hash string) error {
	if hash == "!" || hash == "*" || hash == "!!" || hash == "!*" {
		return nil
	}
	if !hashFormat().MatchString(strings.TrimPrefix(hash, "!")) {
		// The value is not repeated: it may be the password itself.
		return errors.New("the password hash is none of crypt(5): it begins with $y$, $6$ or the like, as mkpasswd prints it")
	}
	return nil
}

var keyTypes = []string{
	"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
	"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
}

// CheckKey checks a public SSH key: "type base64 comment" on one line, where
// the encoded part begins with the type again.
func CheckKey(key string) error {
	fields := strings.Fields(key)
	if len(fields) < 2 || strings.ContainsAny(key, "\n\r\x00") {
		return errors.New("an SSH key is one line: its type, its data in base64, a comment")
	}
	if !slices.Contains(keyTypes, fields[0]) {
		if strings.HasPrefix(fields[0], "-----") {
			return errors.New("this is a private key; the public one is in the file whose name ends in .pub")
		}
		return fmt.Errorf("unknown type of SSH key %q", fields[0])
	}
	data, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return fmt.Errorf("the SSH key is damaged: %w", err)
	}
	inner, rest, ok := sshString(data)
	if !ok || inner != fields[0] {
		return fmt.Errorf("the SSH key is damaged: its data are not of type %s", fields[0])
	}
	for len(rest) > 0 {
		if _, rest, ok = sshString(rest); !ok {
			return errors.New("the SSH key is damaged: its data are truncated")
		}
	}
	if len(data) < 4+len(inner)+4+32 {
		return errors.New("the SSH key is damaged: its data are truncated")
	}
	return nil
}

// sshString splits one length-prefixed string off (RFC 4251, section 5).
func sshString(data []byte) (s string, rest []byte, ok bool) {
	if len(data) < 4 {
		return "", nil, false
	}
	size := uint64(binary.BigEndian.Uint32(data))
	if size > uint64(len(data)-4) {
		return "", nil, false
	}
	return string(data[4 : 4+size]), data[4+size:], true
}

// checkText refuses what would break out of a field.
func checkText(what, value string) error {
	if strings.ContainsAny(value, ":\n\r\x00") {
		return fmt.Errorf("the %s may hold no colon and no line break", what)
	}
	return nil
}

// nearest finds the name that was most likely meant.
func nearest(name string, among []string) string {
	// The group of administrators has two names in the world.
	for wanted, other := range map[string]string{"wheel": "sudo", "sudo": "wheel"} {
		if name == wanted && slices.Contains(among, other) {
			return other
		}
	}
	return mistake.Nearest(name, among)
}
