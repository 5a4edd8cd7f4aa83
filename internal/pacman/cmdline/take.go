// SPDX-License-Identifier: GPL-3.0-or-later

package cmdline

import (
	"strconv"
	"strings"

	"github.com/rastos/rastos/internal/pacman/getopt"
)

// take applies one option. What the operation does not know may be one of
// all operations.
func (o *Options) take(wrong *Mistakes, g getopt.Option) bool {
	known := map[Op][]func(string, string) bool{
		OpDatabase: {o.database}, OpQuery: {o.query}, OpRemove: {o.trans, o.removal},
		OpUpgrade: {o.trans, o.install}, OpSync: {o.trans, o.install, o.sync}, OpFiles: {o.trans, o.files},
	}
	for _, f := range known[o.Op] {
		if f(g.Key, g.Value) {
			return true
		}
	}
	return o.global(wrong, g)
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
func (o *Options) global(wrong *Mistakes, g getopt.Option) bool {
	switch g.Key {
	case "arch":
		o.Arch = append(o.Arch, g.Value)
	case "ask":
		o.HasAsk, o.Ask = true, atoi(g.Value)
	case "cachedir":
		o.CacheDirs = append(o.CacheDirs, g.Value)
	case "color":
		return o.setColor(wrong, g.Value)
	case "config":
		o.Config = g.Value
	case "debug":
		return o.setDebug(wrong, g)
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

func (o *Options) setColor(wrong *Mistakes, when string) bool {
	switch when {
	case "never", "auto", "always":
		o.Color = when
		return true
	}
	wrong.add("invalid argument '%s' for %s", when, "--color")
	return false
}

func (o *Options) setDebug(wrong *Mistakes, g getopt.Option) bool {
	level := 1
	if g.HasValue {
		if level = atoi(g.Value); level != 1 && level != 2 {
			wrong.add("'%s' is not a valid debug level", g.Value)
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
