// SPDX-License-Identifier: GPL-3.0-or-later

// Package cmdline is what pacman's command line says, as a value: which operation
// with which options and targets. It knows which options each operation takes,
// which exclude each other and which operations need root; getopt knows how
// options are written. Every option of pacman 6.0.2 is understood, and --live.
package cmdline

import (
	"fmt"
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

// Mistakes are what is wrong with options that could be read, each a line.
type Mistakes []string

func (m Mistakes) Error() string { return strings.Join(m, "\n") }

func (m *Mistakes) add(format string, args ...any) { *m = append(*m, fmt.Sprintf(format, args...)) }

// Parse reads a command line without the program's name. Words that are no
// options give getopt's error; options that are wrong give Mistakes, and what
// was read before them is returned as well.
func Parse(args []string) (*Options, error) {
	given, operands, err := spec().Parse(args)
	if err != nil {
		return nil, err
	}
	o := &Options{Targets: operands}
	if !o.operation(given) {
		return o, Mistakes{"only one operation may be used at a time"}
	}
	if o.Help || o.Version {
		return o, nil
	}
	var wrong Mistakes
	for _, g := range given {
		if !strings.Contains("DFQRSTUVh", g.Key) && !o.take(&wrong, g) {
			wrong.add("invalid option '%s'", g.Name)
			return o, wrong
		}
	}
	o.NoConfirm = o.NoConfirm || o.HasAsk
	if c, clashes := o.clash(); clashes {
		return o, Mistakes{fmt.Sprintf("invalid option: '%s' and '%s' may not be used together", c.one, c.two)}
	}
	return o, nil
}

// Permuted is a command line in the order in which getopt leaves it: options
// first.
func Permuted(args []string) []string { return spec().Permuted(args) }

// operation finds what is to be done; false where that is more than one thing.
func (o *Options) operation(given []getopt.Option) bool {
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
	return !several
}

// NeedsRoot tells whether the operation changes the system.
func (o *Options) NeedsRoot() bool {
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
