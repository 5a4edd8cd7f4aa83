// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rastos/rastos/internal/schema"
)

// formats is the table of what strings must look like, by the name that the
// "check" tags use.
func formats() map[string]schema.Format {
	return map[string]schema.Format{
		"hostname":    {Doc: "a host name: letters, digits and dashes, in labels joined by dots", Check: checkHostname},
		"domain":      {Doc: "a domain name", Check: checkDomain},
		"timezone":    pattern("a time zone such as `Europe/Berlin`", `^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$`, "is not a time zone"),
		"locale":      pattern("a locale such as `en_GB.UTF-8`", `^(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9-]+)?(@[a-z]+)?$`, "is not a locale"),
		"keymap":      pattern("a console keymap such as `us` or `de-latin1`", `^[A-Za-z0-9_][A-Za-z0-9_+.-]*$`, "is not a keymap"),
		"package":     pattern("a package, group or provided name, perhaps as `repository/name` or `name=version`", `^([a-z0-9@_][A-Za-z0-9@_.+-]*/)?[A-Za-z0-9@_+][A-Za-z0-9@_.+-]*((=|<=|>=|<|>)[A-Za-z0-9:_.+~-]+)?$`, "is not a package name"),
		"packagename": pattern("the name of a package", `^[A-Za-z0-9@_+][A-Za-z0-9@_.+-]*$`, "is not a package name"),
		"glob":        pattern("a package name, or a shell pattern such as `linux-*`", `^[A-Za-z0-9@_.+*?\[\]!^-]+$`, "is not a pattern of package names"),
		"driftglob":   {Doc: "a kind (" + strings.Join(driftKinds, ", ") + " or `*`), a colon and a shell pattern of names, such as `package:linux-*`", Check: checkDriftGlob, Pattern: `^([a-z]+|\*):.+$`},
		"repository":  {Doc: "a repository name: letters, digits and `@_.+-`", Check: checkRepository, Pattern: `^[A-Za-z0-9@_+][A-Za-z0-9@_.+-]*$`},
		"server":      {Doc: "an http, https or file address, or a path", Check: checkServer},
		"siglevel":    {Doc: "words such as `required`, `optional`, `never`, `trustedonly`, `trustall`, each perhaps with `package` or `database` before it", Check: checkSigLevel},
		"path":        pattern("a path", `^[^\x00-\x1f]+$`, "is not a path"),
		"abspath":     {Doc: "a path that starts with /", Check: checkAbsPath, Pattern: `^/`},
		"execpath":    {Doc: "a program by its full path, with its arguments, on one line", Check: checkExec, Pattern: `^/`},
		"cmdline":     pattern("one word for the kernel, without blanks", `^[!-~]+$`, "is not one word"),
		"size":        {Doc: "a size such as `512M` or `8G`", Check: func(s string) error { return new(Size).UnmarshalText([]byte(s)) }, Pattern: `^[0-9]+[KMGT]?$`},
		"duration":    {Doc: "a span of time such as `90s` or `5m`", Check: func(s string) error { return new(Duration).UnmarshalText([]byte(s)) }, Pattern: `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^[0-9]+d$|^0$`},
		"compress":    pattern("`none`, or `zstd`, `zlib` or `lzo`, perhaps with a level: `zstd:3`", `^(none|lzo|zlib(:[1-9])?|zstd(:([1-9]|1[0-5]))?)$`, "is not a compression"),
		"label":       pattern("at most 32 letters, digits and `_.-`", `^[A-Za-z0-9_.-]{1,32}$`, "is not a label"),
		"account":     pattern("a lower-case letter or _, then letters, digits, _ and -, at most 32", `^[a-z_][a-z0-9_-]{0,31}$`, "is not an account name"),
		"sshkey":      {Doc: "a public key on one line, as in authorized_keys, without options", Check: checkSSHKey, Pattern: `^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( .*)?$`},
		"password":    {Doc: "a crypt(5) hash such as `$y$…` or `$6$…`, or `!` for a locked account", Check: checkPassword},
		"gecos":       pattern("one line without colons", `^[^:\x00-\x1f]*$`, "holds a colon or a control character"),
		"line":        pattern("one line", `^[^\x00-\x1f\x7f]*$`, "holds a line break or another control character"),
		"ip":          {Doc: "an IP address", Check: checkIP},
		"cidr":        {Doc: "an address with its prefix length, such as `192.0.2.7/24`", Check: checkCIDR},
		"interface":   pattern("an interface name of at most 15 characters, or a pattern with *", `^[A-Za-z0-9_.*?-]{1,15}$`, "is not an interface name"),
		"unit":        pattern("a service name", `^[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}$`, "is not a service name"),
		"image":       pattern("an image in an OCI registry, such as `oci://registry.example/fleet/web:stable`", `^oci://[A-Za-z0-9.:-]+/[a-z0-9._/-]+([:@][A-Za-z0-9._:-]+)?$`, "is no image of an OCI registry"),
		"signkey":     pattern("a public ed25519 key in one line of base64", `^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$`, "is no public ed25519 key"),
		"envname":     pattern("the name of an environment variable", `^[A-Za-z_][A-Za-z0-9_]*$`, "is not the name of an environment variable"),
	}
}

// driftKinds are the kinds of difference that a pattern may be about.
var driftKinds = []string{"package", "reason", "lock", "setting", "user", "service", "network", "file"}

func checkDriftGlob(s string) error {
	kind, name, ok := strings.Cut(s, ":")
	switch {
	case !ok || name == "":
		return errors.New("names no kind and pattern")
	case kind != "*" && !slices.Contains(driftKinds, kind):
		return errors.New("has the unknown kind " + kind)
	}
	return nil
}

// pattern makes a format of a regular expression that Go and ECMA read alike.
func pattern(doc, expr, wrong string) schema.Format {
	re := regexp.MustCompile(expr)
	return schema.Format{Doc: doc, Pattern: expr, Check: func(s string) error {
		if !re.MatchString(s) {
			return errors.New(wrong)
		}
		return nil
	}}
}

var hostLabel = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`) })

func checkHostname(s string) error {
	// HOST_NAME_MAX of Linux.
	if len(s) > 64 {
		return errors.New("is longer than 64 characters")
	}
	return checkDomain(s)
}

func checkDomain(s string) error {
	if len(s) > 253 {
		return errors.New("is longer than 253 characters")
	}
	for label := range strings.SplitSeq(s, ".") {
		switch {
		case label == "":
			return errors.New("has an empty label")
		case len(label) > 63:
			return errors.New("has a label longer than 63 characters")
		case !hostLabel().MatchString(label):
			return errors.New("has a label with other than letters, digits and inner dashes")
		}
	}
	return nil
}

var repositoryName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9@_+][A-Za-z0-9@_.+-]*$`) })

func checkRepository(s string) error {
	switch {
	case s == "local" || s == "options":
		return errors.New("is a name that pacman keeps for itself")
	case !repositoryName().MatchString(s):
		return errors.New("is not a repository name")
	}
	return nil
}

var variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{?[A-Za-z_]*\}?`) })

func checkServer(s string) error {
	for _, v := range variable().FindAllString(s, -1) {
		if v != "$repo" && v != "$arch" {
			return errors.New("has the unknown variable " + v)
		}
	}
	if isPath(s) {
		return nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("is not an address")
	case u.Scheme == "":
		return errors.New("has no scheme")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file":
		return errors.New("has the scheme " + u.Scheme + ", which is not supported")
	case u.Scheme == "file" && (u.Host != "" || !path.IsAbs(u.Path)):
		return errors.New("is no file address: write file:///full/path")
	case u.Scheme != "file" && u.Host == "":
		return errors.New("has no host")
	}
	return nil
}

// isPath tells a path from an address.
func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../")
}

func sigLevelWords() []string {
	return []string{"Never", "Optional", "Required", "TrustedOnly", "TrustAll"}
}

func checkSigLevel(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("is empty")
	}
	for word := range strings.FieldsSeq(s) {
		if canonicalSigWord(word) == "" {
			return errors.New("has the unknown word " + word)
		}
	}
	return nil
}

// canonicalSigWord spells a word of a signature level as pacman does, or
// returns "".
func canonicalSigWord(word string) string {
	for _, prefix := range []string{"", "Package", "Database"} {
		for _, w := range sigLevelWords() {
			if strings.EqualFold(word, prefix+w) {
				return prefix + w
			}
		}
	}
	return ""
}

func checkAbsPath(s string) error {
	switch {
	case !path.IsAbs(s):
		return errors.New("does not start with /")
	case path.Clean(s) != s:
		return errors.New("is not a clean path")
	case strings.ContainsAny(s, ":\n\x00"):
		return errors.New("holds a colon or a control character")
	}
	return nil
}

func checkExec(s string) error {
	switch {
	case !strings.HasPrefix(s, "/"):
		return errors.New("does not start with the full path of a program")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("holds a line break or another control character")
	}
	return nil
}

func checkSSHKey(s string) error {
	fields := strings.Fields(s)
	known := []string{"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
		"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"}
	switch {
	case strings.Contains(s, "PRIVATE KEY"):
		return errors.New("is a private key: never put one here")
	case strings.ContainsAny(s, "\n\r"):
		return errors.New("is more than one line")
	case len(fields) < 2 || !slices.Contains(known, fields[0]):
		return errors.New("is not a public key")
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return errors.New("is damaged: its second word is not base64")
	}
	// The blob begins with its own type, length first (RFC 4253, 6.6).
	if len(blob) < 4 {
		return errors.New("is damaged: it is cut off")
	}
	n := uint64(binary.BigEndian.Uint32(blob))
	if n > uint64(len(blob)-4) || string(blob[4:4+n]) != fields[0] || uint64(len(blob)-4) == n {
		return errors.New("is damaged: it is cut off or of another type than it says")
	}
	return nil
}

var crypt = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\$(y|gy|7|2[abxy]|6|5|sha1|md5|1)\$[!-9;-~]{8,}$`) })

func checkPassword(s string) error {
	if s == "!" || s == "*" || crypt().MatchString(strings.TrimPrefix(s, "!")) {
		return nil
	}
	return errors.New("is not a password hash")
}

func checkIP(s string) error {
	if _, err := netip.ParseAddr(s); err != nil {
		return errors.New("is not an IP address")
	}
	return nil
}

func checkCIDR(s string) error {
	if _, err := netip.ParsePrefix(s); err != nil {
		return errors.New("is not an address with a prefix length")
	}
	return nil
}
