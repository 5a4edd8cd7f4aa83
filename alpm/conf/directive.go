// SPDX-License-Identifier: GPL-3.0-or-later

package conf

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// flags are the options without a value.
var flags = map[string]func(*Config) *bool{
	"UseSyslog":                func(c *Config) *bool { return &c.UseSyslog },
	"Color":                    func(c *Config) *bool { return &c.Color },
	"NoProgressBar":            func(c *Config) *bool { return &c.NoProgressBar },
	"CheckSpace":               func(c *Config) *bool { return &c.CheckSpace },
	"VerbosePkgLists":          func(c *Config) *bool { return &c.VerbosePkgLists },
	"DisableDownloadTimeout":   func(c *Config) *bool { return &c.DisableDownloadTimeout },
	"ILoveCandy":               func(c *Config) *bool { return &c.ILoveCandy },
	"DisableSandbox":           func(c *Config) *bool { return &c.DisableSandbox },
	"DisableSandboxFilesystem": func(c *Config) *bool { return &c.DisableSandboxFilesystem },
	"DisableSandboxSyscalls":   func(c *Config) *bool { return &c.DisableSandboxSyscalls },
}

// lists are the options whose words add up.
var lists = map[string]func(*Config) *[]string{
	"NoUpgrade":   func(c *Config) *[]string { return &c.NoUpgrade },
	"NoExtract":   func(c *Config) *[]string { return &c.NoExtract },
	"IgnorePkg":   func(c *Config) *[]string { return &c.IgnorePkg },
	"IgnoreGroup": func(c *Config) *[]string { return &c.IgnoreGroup },
	"HoldPkg":     func(c *Config) *[]string { return &c.HoldPkg },
	"CacheDir":    func(c *Config) *[]string { return &c.CacheDirs },
	"HookDir":     func(c *Config) *[]string { return &c.HookDirs },
}

// paths are the options of which the first counts, that of the command line
// before all.
var paths = map[string]func(*Config) *string{
	"DBPath":       func(c *Config) *string { return &c.DBPath },
	"RootDir":      func(c *Config) *string { return &c.RootDir },
	"GPGDir":       func(c *Config) *string { return &c.GPGDir },
	"LogFile":      func(c *Config) *string { return &c.LogFile },
	"DownloadUser": func(c *Config) *string { return &c.DownloadUser },
}

// words splits a list at blanks, as pacman does: a tab is no blank there.
func words(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ' ' })
}

func (r *reader) option(at place, key, value string, has bool) error {
	if !has {
		if flag, ok := flags[key]; ok {
			*flag(r.cfg) = true
		} else {
			r.unknown(at, key)
		}
		return nil
	}
	if list, ok := lists[key]; ok {
		into := list(r.cfg)
		*into = append(slices.Clip(*into), words(value)...)
		return nil
	}
	if path, ok := paths[key]; ok {
		if into := path(r.cfg); *into == "" {
			*into = value
		}
		return nil
	}
	switch key {
	case "Architecture":
		for _, arch := range words(value) {
			r.cfg.AddArchitecture(arch, r.machine)
		}
	case "XferCommand":
		argv, err := split(value)
		if err != nil || len(argv) == 0 {
			return at.fail("invalid value for '%s' : '%s'", key, value)
		}
		r.cfg.XferCommand, r.cfg.XferArgv = value, argv
	case "CleanMethod":
		return r.cleanMethod(at, value)
	case "SigLevel":
		return sigLevel(at, value, &r.cfg.sigWords)
	case "LocalFileSigLevel":
		return sigLevel(at, value, &r.cfg.LocalFile.words)
	case "RemoteFileSigLevel":
		return sigLevel(at, value, &r.cfg.RemoteFile.words)
	case "ParallelDownloads":
		return r.parallel(at, value)
	default:
		r.unknown(at, key)
	}
	return nil
}

// AddArchitecture adds one that may be installed; "auto" is the machine's.
func (c *Config) AddArchitecture(arch, machine string) {
	if arch == "auto" {
		arch = machine
	}
	c.Architectures = append(slices.Clip(c.Architectures), arch)
}

func (r *reader) cleanMethod(at place, value string) error {
	for _, word := range words(value) {
		switch word {
		case "KeepInstalled":
			r.cfg.CleanMethod |= KeepInstalled
		case "KeepCurrent":
			r.cfg.CleanMethod |= KeepCurrent
		default:
			return at.fail("invalid value for '%s' : '%s'", "CleanMethod", word)
		}
	}
	return nil
}

func (r *reader) parallel(at place, value string) error {
	const key = "ParallelDownloads"
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return at.fail("invalid value for '%s' : '%s'", key, value)
	case n < 1:
		return at.fail("value for '%s' has to be positive : '%s'", key, value)
	case n > math.MaxInt32:
		return at.fail("value for '%s' is too large : '%s'", key, value)
	}
	r.cfg.ParallelDownloads = int(n)
	return nil
}

// sigLevel takes the words of a line over if all of them are known.
func sigLevel(at place, value string, into *[]string) error {
	var bad []Problem
	for _, word := range words(value) {
		rest, ok := strings.CutPrefix(word, "Package")
		if !ok {
			rest = strings.TrimPrefix(word, "Database")
		}
		if !slices.Contains([]string{"Never", "Optional", "Required", "TrustedOnly", "TrustAll"}, rest) {
			bad = append(bad, at.problem("invalid value for '%s' : '%s'", "SigLevel", word))
		}
	}
	if len(bad) > 0 {
		return &Error{Problems: bad}
	}
	*into = append(slices.Clip(*into), words(value)...)
	return nil
}

func (r *reader) repo(at place, key, value string, has bool) error {
	repo := &r.cfg.Repos[len(r.cfg.Repos)-1]
	if !has && slices.Contains([]string{"Server", "CacheServer", "SigLevel", "Usage"}, key) {
		return at.fail("directive '%s' needs a value", key)
	}
	switch key {
	case "Server":
		repo.Servers = append(repo.Servers, value)
	case "CacheServer":
		repo.CacheServers = append(repo.CacheServers, value)
	case "SigLevel":
		return sigLevel(at, value, &repo.sigWords)
	case "Usage":
		return usage(at, value, repo)
	default:
		r.unknown(at, key)
	}
	return nil
}

func usage(at place, value string, repo *Repo) error {
	known := map[string]Usage{
		"Sync": UseSync, "Search": UseSearch, "Install": UseInstall, "Upgrade": UseUpgrade, "All": UseAll,
	}
	var bad []Problem
	for _, word := range words(value) {
		if known[word] == 0 {
			bad = append(bad, at.problem("'%s' option '%s' not recognized", "Usage", word))
		}
		repo.Usage |= known[word]
	}
	if len(bad) > 0 {
		return &Error{Problems: bad}
	}
	return nil
}

var errQuote = errors.New("a quote is not closed")

// split makes words of a command. Quotes of both kinds hold blanks; a
// backslash is only special before a quote.
func split(command string) ([]string, error) {
	var out []string
	rest := strings.TrimLeft(command, spaces)
	for rest != "" {
		var word strings.Builder
		for rest != "" && !strings.ContainsRune(spaces, rune(rest[0])) {
			c := rest[0]
			switch {
			case c == '\'' || c == '"':
				n, ok := quoted(rest[1:], c, &word)
				if !ok {
					return nil, errQuote
				}
				rest = rest[1+n:]
			case c == '\\' && len(rest) > 1 && (rest[1] == '\'' || rest[1] == '"'):
				word.WriteByte(rest[1])
				rest = rest[2:]
			default:
				word.WriteByte(c)
				rest = rest[1:]
			}
		}
		out = append(out, word.String())
		rest = strings.TrimLeft(rest, spaces)
	}
	return out, nil
}

// quoted reads up to the closing quote and returns how much it went on.
func quoted(rest string, quote byte, into *strings.Builder) (n int, ok bool) {
	for i := 0; i < len(rest); i++ {
		switch {
		case rest[i] == quote:
			return i + 1, true
		case rest[i] == '\\' && i+1 < len(rest) && rest[i+1] == quote:
			i++
		}
		into.WriteByte(rest[i])
	}
	return 0, false
}
