// SPDX-License-Identifier: GPL-3.0-or-later

package keyring

import (
	"fmt"
	"strings"
)

// Check says whether something has to be signed.
type Check int

// The values of Check. The zero value is the strict one.
const (
	Required Check = iota // a signature must be there and good
	Optional              // none is fine; one that is there must be good
	Never                 // signatures are not looked at
)

func (c Check) String() string { return [...]string{"Required", "Optional", "Never"}[c] }

// Trust says whose signatures count.
type Trust int

// The values of Trust. The zero value is the strict one.
const (
	TrustedOnly Trust = iota // keys that the web of trust reaches
	TrustAll                 // every key in the keyring
)

func (t Trust) String() string { return [...]string{"TrustedOnly", "TrustAll"}[t] }

// A Level is what is asked of one signature. Its zero value asks for a
// signature by a trusted key.
type Level struct {
	Check Check
	Trust Trust
}

// A SigLevel is pacman's SigLevel. Its zero value is the default since pacman
// 7.1: packages and databases must be signed by trusted keys.
type SigLevel struct{ Package, Database Level }

// String writes the level so that ParseSigLevel reads it back.
func (l SigLevel) String() string {
	return fmt.Sprintf("Package%v Package%v Database%v Database%v",
		l.Package.Check, l.Package.Trust, l.Database.Check, l.Database.Trust)
}

// A LevelError is a word that no SigLevel has.
type LevelError struct{ Word string }

func (e *LevelError) Error() string { return fmt.Sprintf("unknown SigLevel word %q", e.Word) }

// Hint lists the words there are.
func (e *LevelError) Hint() string {
	return "it is made of Never, Optional, Required, TrustedOnly and TrustAll, each alone or after Package or Database"
}

// ExitCode is that of a mistake in a configuration.
func (e *LevelError) ExitCode() int { return 3 }

// ParseSigLevel applies the words of a SigLevel line to base, in order; what
// no word mentions stays as in base. So a repository's line is merged into the
// one of [options], and that into the default, SigLevel{}. Words may be joined
// by spaces; case matters only as far as telling words apart, not at all.
func ParseSigLevel(base SigLevel, words ...string) (SigLevel, error) {
	level := base
	for _, word := range strings.Fields(strings.Join(words, " ")) {
		targets := []*Level{&level.Package, &level.Database}
		rest := strings.ToLower(word)
		if r, ok := strings.CutPrefix(rest, "package"); ok {
			rest, targets = r, targets[:1]
		} else if r, ok := strings.CutPrefix(rest, "database"); ok {
			rest, targets = r, targets[1:]
		}
		for _, target := range targets {
			switch rest {
			case "never":
				target.Check = Never
			case "optional":
				target.Check = Optional
			case "required":
				target.Check = Required
			case "trustedonly":
				target.Trust = TrustedOnly
			case "trustall":
				target.Trust = TrustAll
			default:
				return base, &LevelError{Word: word}
			}
		}
	}
	return level, nil
}
