// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"strconv"
	"strings"

	"github.com/rastos/rastos/internal/pacman/getopt"
)

// Op is an operation: the letter of its option.
type Op string

// The operations.
const (
	OpNone     Op = ""
	OpDatabase Op = "D"
	OpFiles    Op = "F"
	OpQuery    Op = "Q"
	OpRemove   Op = "R"
	OpSync     Op = "S"
	OpDeptest  Op = "T"
	OpUpgrade  Op = "U"
)

// Options are what the command line says. A number counts how often an option
// was given.
type Options struct {
	Op            Op
	Help, Version bool
	Targets       []string

	// Of all operations.
	Arch, CacheDirs, HookDirs    []string
	Config, DBPath, GPGDir       string
	LogFile, Root, SysRoot       string
	Color                        string // "", "auto", "always", "never"
	NoConfirm, HasAsk            bool
	Ask                          int // bits of questions whose answer is turned round
	DisableTimeout, NoProgress   bool
	Debug, Verbose               int
	Quiet                        bool
	AllDeps, AllExplicit         bool // --asdeps, --asexplicit
	Check, Info, Groups, Refresh int
	List, Search                 bool
	NoVersions, NoDeps           bool // -d, -dd
	DBOnly, NoScriptlet          bool
	Print                        bool
	PrintFormat                  string
	Assume, Overwrite            []string
	Needed, DownloadOnly         bool
	Live                         bool // rastOS: at once, not in a new node
	Ignore, IgnoreGroup          []string
	Clean, SysUpgrade            int  // of -S
	Cascade, NoSave, Unneeded    bool // of -R
	Recursive, RecursiveAll      bool
	Changelog, Deps, Explicit    bool // of -Q
	Foreign, Native, Owns, File  bool
	Upgrades                     bool
	Unrequired                   int
	Regex, MachineReadable       bool // of -F
}

// spec is what getopt has to know of every option.
func spec() getopt.Spec {
	s := getopt.Spec{Short: "DFQRSTUVb:cdefghiklmnopqr:stuvwxy"}
	for _, l := range []string{
		"database D", "files F", "query Q", "remove R", "sync S", "deptest T", "upgrade U", "version V", "help h",
		"dbpath :", "cascade", "changelog", "clean", "nodeps", "deps", "explicit", "groups", "info", "check", "list",
		"foreign", "native", "nosave", "owns", "file", "print", "quiet", "root :", "sysroot :", "recursive", "search",
		"regex", "machinereadable", "unrequired", "upgrades", "sysupgrade", "unneeded", "verbose", "downloadonly",
		"refresh", "noconfirm", "confirm", "config :", "ignore :", "assume-installed :", "debug ?", "force",
		"overwrite :", "noprogressbar", "noscriptlet", "ask :", "cachedir :", "hookdir :", "asdeps", "logfile :",
		"ignoregroup :", "needed", "asexplicit", "arch :", "print-format :", "gpgdir :", "dbonly", "color :",
		"disable-download-timeout", "live",
	} {
		name, kind, _ := strings.Cut(l, " ")
		long := getopt.Long{Name: name, Key: name}
		switch kind {
		case ":":
			long.Value = getopt.Required
		case "?":
			long.Value = getopt.Optional
		case "":
		default:
			long.Key = kind
		}
		s.Long = append(s.Long, long)
	}
	return s
}

// parseOptions reads the command line; ok is false when it was wrong, and
// that was said.
func (s *session) parseOptions(args []string) (o *Options, ok bool) {
	given, operands, err := spec().Parse(args[1:])
	if err != nil {
		s.stderr("%s: %v\n", args[0], err)
		return nil, false
	}
	o = &Options{Targets: operands}
	several := false
	for _, g := range given {
		switch {
		case strings.Contains("DFQRSTU", g.Key):
			several = several || o.Op != OpNone
			o.Op = Op(g.Key)
		case g.Key == "V":
			o.Version = true
		case g.Key == "h":
			o.Help = true
		}
	}
	if several {
		s.errorf("only one operation may be used at a time")
		return nil, false
	}
	if o.Help || o.Version {
		return o, true
	}
	for _, g := range given {
		if !strings.Contains("DFQRSTUVh", g.Key) && !o.take(s, g) {
			s.errorf("invalid option '%s'", g.Name)
			return nil, false
		}
	}
	o.NoConfirm = o.NoConfirm || o.HasAsk
	return o, s.compatible(o)
}

// take applies one option. What the operation does not know may be one of
// all operations.
func (o *Options) take(s *session, g getopt.Option) bool {
	known := map[Op][]func(string, string) bool{
		OpDatabase: {o.database}, OpQuery: {o.query}, OpRemove: {o.trans, o.removal},
		OpUpgrade: {o.trans, o.install}, OpSync: {o.trans, o.install, o.sync}, OpFiles: {o.trans, o.files},
	}
	for _, f := range known[o.Op] {
		if f(g.Key, g.Value) {
			return true
		}
	}
	return o.global(s, g)
}

func (o *Options) database(key, _ string) bool {
	switch key {
	case "asdeps":
		o.AllDeps = true
	case "asexplicit":
		o.AllExplicit = true
	case "check", "k":
		o.Check++
	case "quiet", "q":
		o.Quiet = true
	default:
		return false
	}
	return true
}

func (o *Options) query(key, _ string) bool {
	switch key {
	case "changelog", "c":
		o.Changelog = true
	case "deps", "d":
		o.Deps = true
	case "explicit", "e":
		o.Explicit = true
	case "groups", "g":
		o.Groups++
	case "info", "i":
		o.Info++
	case "check", "k":
		o.Check++
	case "list", "l":
		o.List = true
	case "foreign", "m":
		o.Foreign = true
	case "native", "n":
		o.Native = true
	case "owns", "o":
		o.Owns = true
	case "file", "p":
		o.File = true
	case "quiet", "q":
		o.Quiet = true
	case "search", "s":
		o.Search = true
	case "unrequired", "t":
		o.Unrequired++
	case "upgrades", "u":
		o.Upgrades = true
	default:
		return false
	}
	return true
}

// trans are the options common to -S, -U, -R and, as in pacman, -F.
func (o *Options) trans(key, value string) bool {
	switch key {
	case "nodeps", "d":
		o.NoDeps = o.NoVersions
		o.NoVersions = true
	case "dbonly":
		o.DBOnly, o.NoScriptlet = true, true
	case "noprogressbar":
		o.NoProgress = true
	case "noscriptlet":
		o.NoScriptlet = true
	case "print", "p":
		o.Print = true
	case "print-format":
		o.Print, o.PrintFormat = true, value
	case "live":
		o.Live = true
	case "assume-installed":
		o.Assume = append(o.Assume, commas(value)...)
	default:
		return false
	}
	return true
}

func (o *Options) removal(key, _ string) bool {
	switch key {
	case "cascade", "c":
		o.Cascade = true
	case "nosave", "n":
		o.NoSave = true
	case "recursive", "s":
		o.RecursiveAll = o.Recursive
		o.Recursive = true
	case "unneeded", "u":
		o.Unneeded = true
	default:
		return false
	}
	return true
}

// install are the options common to -S and -U.
func (o *Options) install(key, value string) bool {
	switch key {
	case "overwrite":
		o.Overwrite = append(o.Overwrite, commas(value)...)
	case "asdeps":
		o.AllDeps = true
	case "asexplicit":
		o.AllExplicit = true
	case "needed":
		o.Needed = true
	case "ignore":
		o.Ignore = append(o.Ignore, commas(value)...)
	case "ignoregroup":
		o.IgnoreGroup = append(o.IgnoreGroup, commas(value)...)
	case "downloadonly", "w":
		o.DownloadOnly = true
	default:
		return false
	}
	return true
}

func (o *Options) sync(key, _ string) bool {
	switch key {
	case "clean", "c":
		o.Clean++
	case "groups", "g":
		o.Groups++
	case "info", "i":
		o.Info++
	case "list", "l":
		o.List = true
	case "quiet", "q":
		o.Quiet = true
	case "search", "s":
		o.Search = true
	case "sysupgrade", "u":
		o.SysUpgrade++
	case "refresh", "y":
		o.Refresh++
	default:
		return false
	}
	return true
}

func (o *Options) files(key, _ string) bool {
	switch key {
	case "list", "l":
		o.List = true
	case "refresh", "y":
		o.Refresh++
	case "regex", "x":
		o.Regex = true
	case "machinereadable":
		o.MachineReadable = true
	case "quiet", "q":
		o.Quiet = true
	default:
		return false
	}
	return true
}

// global are the options of all operations.
func (o *Options) global(s *session, g getopt.Option) bool {
	switch g.Key {
	case "arch":
		o.Arch = append(o.Arch, g.Value)
	case "ask":
		o.HasAsk, o.Ask = true, atoi(g.Value)
	case "cachedir":
		o.CacheDirs = append(o.CacheDirs, g.Value)
	case "color":
		return o.setColor(s, g.Value)
	case "config":
		o.Config = g.Value
	case "debug":
		return o.setDebug(s, g)
	case "gpgdir":
		o.GPGDir = g.Value
	case "hookdir":
		o.HookDirs = append(o.HookDirs, g.Value)
	case "logfile":
		o.LogFile = g.Value
	case "noconfirm":
		o.NoConfirm = true
	case "confirm":
		o.NoConfirm = false
	case "dbpath", "b":
		o.DBPath = g.Value
	case "root", "r":
		o.Root = g.Value
	case "sysroot":
		o.SysRoot = g.Value
	case "disable-download-timeout":
		o.DisableTimeout = true
	case "verbose", "v":
		o.Verbose++
	default:
		return false
	}
	return true
}

func (o *Options) setColor(s *session, when string) bool {
	switch when {
	case "never":
		s.paint(false)
	case "auto":
		s.paint(s.StdoutIsTerminal)
	case "always":
		s.paint(true)
	default:
		s.errorf("invalid argument '%s' for %s", when, "--color")
		return false
	}
	o.Color = when
	return true
}

func (o *Options) setDebug(s *session, g getopt.Option) bool {
	level := 1
	if g.HasValue {
		if level = atoi(g.Value); level != 1 && level != 2 {
			s.errorf("'%s' is not a valid debug level", g.Value)
			return false
		}
	}
	o.Debug, o.NoProgress = max(o.Debug, level), true
	return true
}

// commas splits a list as strtok does: nothing between two commas is nothing.
func commas(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// atoi reads the number that a text begins with, 0 if it begins with none.
func atoi(text string) int {
	text = strings.TrimLeft(text, " \t")
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && (text[0] == '-' || text[0] == '+')) {
		end++
	}
	n, _ := strconv.Atoi(text[:end])
	return n
}

// needsRoot tells whether the operation changes the system.
func (o *Options) needsRoot() bool {
	if o.SysRoot != "" {
		return true
	}
	switch o.Op {
	case OpDatabase:
		return o.Check == 0
	case OpUpgrade, OpRemove:
		return !o.Print
	case OpSync:
		shows := o.Groups > 0 || o.Info > 0 || o.List || o.Search || o.Print
		return o.Clean > 0 || o.Refresh > 0 || !shows
	case OpFiles:
		return o.Refresh > 0
	}
	return false
}
