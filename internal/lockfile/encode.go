// SPDX-License-Identifier: GPL-3.0-or-later

package lockfile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const head = `# Written by rastos from what it installed; see docs/lock.md. Keep it with the
# manifest: with --locked exactly this is installed again.
`

// Encode writes a lock in its one form. It refuses what Decode would refuse.
func Encode(l *Lock) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, &Error{Err: err}
	}
	var b bytes.Buffer
	b.WriteString(head)
	fmt.Fprintf(&b, "version = %d\nmanifest = %q\n", FormatVersion, l.Manifest)
	for _, p := range l.Packages {
		fmt.Fprintf(&b, "\n[[package]]\nname = %s\nversion = %s\n", quote(p.Name), quote(p.Version))
		if p.Repository != "" {
			fmt.Fprintf(&b, "repository = %s\nfilename = %s\nsize = %d\nsha256 = %q\n", quote(p.Repository), quote(p.Filename), p.Size, p.SHA256)
		}
	}
	writeNumbers(&b, "users", l.Users)
	writeNumbers(&b, "groups", l.Groups)
	return b.Bytes(), nil
}

func writeNumbers(b *bytes.Buffer, table string, numbers map[string]int) {
	if len(numbers) == 0 {
		return
	}
	fmt.Fprintf(b, "\n[%s]\n", table)
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		fmt.Fprintf(b, "%s = %d\n", key(name), numbers[name])
	}
}

// key writes a name bare where TOML allows that.
func key(name string) string {
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
		default:
			return quote(name)
		}
	}
	return name
}

// quote writes a basic string. What is quoted was checked: of what TOML wants
// escaped, only these two can be in it.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
