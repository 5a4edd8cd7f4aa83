// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// root is the system that one of the programs works on.
type root struct {
	dir, conf string
	program   program
}

func newRoot(dir, shell string, p program) (*root, error) {
	r := &root{dir: dir, conf: dir + ".conf", program: p}
	for _, d := range []string{"var/lib/pacman/sync", "var/log", "etc/pacman.d/hooks", "usr/bin", "bin", "tmp", "dev"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	// A database that is there: pacman makes an empty one even when it then
	// changes nothing, ours does not.
	local := filepath.Join(dir, "var/lib/pacman/local")
	if err := os.Mkdir(local, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(local, "ALPM_DB_VERSION"), []byte("9\n"), 0o644); err != nil {
		return nil, err
	}
	return r, os.Link(shell, filepath.Join(dir, "bin/sh"))
}

// configure writes pacman.conf.
func (r *root) configure(cache string, options, repos []string) error {
	text := fmt.Sprintf("[options]\nArchitecture = x86_64\nSigLevel = Never\nRootDir = %[1]s\nDBPath = %[1]s/var/lib/pacman\nCacheDir = %[2]s\n"+
		"LogFile = %[1]s/var/log/pacman.log\nHookDir = %[1]s/etc/pacman.d/hooks\n%[3]s", r.dir, cache, strings.Join(options, ""))
	for _, name := range repos {
		text += "[" + name + "]\nServer = file:///nowhere\n"
	}
	return os.WriteFile(r.conf, []byte(text), 0o644)
}

// edit does what a person did to the files; what is not possible is not done.
func (r *root) edit(st statement) error {
	in, err := os.OpenRoot(r.dir)
	if err != nil {
		return err
	}
	defer in.Close()
	path := word(st.words, 1)
	mode, err := strconv.ParseUint(word(st.words, 2), 8, 32)
	if err != nil {
		mode = 0o644
	}
	if st.verb() != "remove" {
		_ = in.MkdirAll(filepath.Dir(path), 0o755)
	}
	switch st.verb() {
	case "write":
		if in.WriteFile(path, []byte(word(st.words, 3)), fs.FileMode(mode)) == nil {
			_ = in.Chtimes(path, edited(), edited())
		}
	case "mkdir":
		_ = in.Mkdir(path, fs.FileMode(mode))
	case "link":
		_ = in.Symlink(word(st.words, 2), path)
	case "remove":
		_ = in.RemoveAll(path)
	}
	return nil
}

// edited is the time of files that people wrote.
func edited() time.Time { return epoch().Add(-time.Hour) }

// patterns take out of a file what tells the time or the version of pacman.
func patterns() (stamp, dates, later *regexp.Regexp) {
	return regexp.MustCompile(`(?m)^\[[^]]*\] `), regexp.MustCompile(`(?m)^(%INSTALLDATE%)\n\d+`), regexp.MustCompile(`%XDATA%\n[^\n]*\n\n`)
}

// tree describes all below the root, a line for each name.
func (r *root) tree() (map[string]string, error) {
	stamp, dates, later := patterns()
	lines := map[string]string{}
	inodes := map[uint64][]string{}
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(r.dir, path)
		switch rel {
		case ".", "var/lib/pacman/rastos.history": // pacman keeps none
			return nil
		case "var/lib/pacman/sync", "dev": // pacman's chroot has no device there and makes a file
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + to
		case info.Mode().IsRegular() && rel != "bin/sh":
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			switch {
			case rel == "var/log/pacman.log":
				text := strings.Split(string(bytes.ReplaceAll(stamp.ReplaceAll(data, nil), []byte(r.dir), []byte("ROOT"))), "\n")
				slices.Sort(text)
				data = []byte(strings.Join(text, "\n"))
			case strings.HasPrefix(rel, "var/lib/pacman/local/"):
				data = later.ReplaceAll(dates.ReplaceAll(data, []byte("$1")), nil)
			case !info.ModTime().After(epoch()):
				line += fmt.Sprintf(" %d", info.ModTime().Unix()-epoch().Unix())
			}
			line += fmt.Sprintf(" %q", data)
			if st.Nlink > 1 {
				inodes[st.Ino] = append(inodes[st.Ino], rel)
			}
		}
		lines[rel] = line
		return nil
	})
	for _, names := range inodes {
		for _, name := range names {
			lines[name] += " = " + names[0]
		}
	}
	return lines, err
}

// difference tells how two trees differ.
func difference(theirs, ours map[string]string) string {
	var names []string
	for name := range theirs {
		names = append(names, name)
	}
	for name := range ours {
		if _, both := theirs[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		if theirs[name] != ours[name] {
			fmt.Fprintf(&out, "%s\n  pacman: %s\n  ours:   %s\n", name, orNone(theirs[name]), orNone(ours[name]))
		}
	}
	return out.String()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
