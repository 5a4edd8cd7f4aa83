// SPDX-License-Identifier: GPL-3.0-or-later

package mount

import (
	"strings"

	"golang.org/x/sys/unix"
)

// flagWords are the options that mount(2) takes as flags.
var flagWords = map[string]struct {
	flag  uintptr
	clear bool
}{
	"ro": {unix.MS_RDONLY, false}, "rw": {unix.MS_RDONLY, true},
	"nosuid": {unix.MS_NOSUID, false}, "suid": {unix.MS_NOSUID, true},
	"nodev": {unix.MS_NODEV, false}, "dev": {unix.MS_NODEV, true},
	"noexec": {unix.MS_NOEXEC, false}, "exec": {unix.MS_NOEXEC, true},
	"sync": {unix.MS_SYNCHRONOUS, false}, "async": {unix.MS_SYNCHRONOUS, true},
	"dirsync": {unix.MS_DIRSYNC, false},
	"remount": {unix.MS_REMOUNT, false},
	"bind":    {unix.MS_BIND, false}, "rbind": {unix.MS_BIND | unix.MS_REC, false},
	"move":    {unix.MS_MOVE, false},
	"noatime": {unix.MS_NOATIME, false}, "atime": {unix.MS_NOATIME, true},
	"nodiratime": {unix.MS_NODIRATIME, false}, "diratime": {unix.MS_NODIRATIME, true},
	"relatime": {unix.MS_RELATIME, false}, "norelatime": {unix.MS_RELATIME, true},
	"strictatime": {unix.MS_STRICTATIME, false}, "nostrictatime": {unix.MS_STRICTATIME, true},
	"lazytime": {unix.MS_LAZYTIME, false}, "nolazytime": {unix.MS_LAZYTIME, true},
	"silent": {unix.MS_SILENT, false}, "loud": {unix.MS_SILENT, true},
	"nosymfollow": {unix.MS_NOSYMFOLLOW, false}, "symfollow": {unix.MS_NOSYMFOLLOW, true},
	"defaults": {0, false},
}

// propagationWords change how mounts spread, in a call of their own.
var propagationWords = map[string]uintptr{
	"private": unix.MS_PRIVATE, "rprivate": unix.MS_PRIVATE | unix.MS_REC,
	"slave": unix.MS_SLAVE, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"shared": unix.MS_SHARED, "rshared": unix.MS_SHARED | unix.MS_REC,
	"unbindable": unix.MS_UNBINDABLE, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// Options are parsed mount options.
type Options struct {
	Flags       uintptr
	Propagation []uintptr
	Data        string // what is left for the file system
}

// ParseOptions sorts comma-separated options into flags and the rest. Options
// that only user space knows (x-…, _netdev, nofail, noauto, user…) are dropped.
func ParseOptions(s string) Options {
	var o Options
	var data []string
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if f, ok := flagWords[word]; ok {
			if f.clear {
				o.Flags &^= f.flag
			} else {
				o.Flags |= f.flag
			}
			continue
		}
		if p, ok := propagationWords[word]; ok {
			o.Propagation = append(o.Propagation, p)
			continue
		}
		if word != "" && !userSpace(word) {
			data = append(data, word)
		}
	}
	o.Data = strings.Join(data, ",")
	return o
}

func userSpace(word string) bool {
	switch word {
	case "auto", "noauto", "nofail", "_netdev", "user", "nouser", "users", "owner", "group":
		return true
	}
	return strings.HasPrefix(word, "x-") || strings.HasPrefix(word, "X-") || strings.HasPrefix(word, "comment=")
}
