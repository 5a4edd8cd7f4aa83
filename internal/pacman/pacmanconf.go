// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rastos/rastos/alpm/conf"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/internal/pacman/getopt"
)

const pacmanConfHelp = `pacman-conf - query pacman's configuration file
usage:  pacman-conf [options] [<directive>...]
        pacman-conf (--repo-list|--help|--version)
options:
  -c, --config=<path>  set an alternate configuration file
  -R, --rootdir=<path> set an alternate installation root
  -r, --repo=<remote>  query options for a specific repo
  -v, --verbose        always show directive names
  -l, --repo-list      list configured repositories
  -h, --help           display this help information
  -V, --version        display version information
`

// confQuery is one run of pacman-conf.
type confQuery struct {
	*session
	file, root, repo string
	list, verbose    bool
	cfg              *conf.Config
}

// pacmanConf prints what pacman.conf says, includes and defaults filled in.
func (s *session) pacmanConf(args []string) int {
	q := &confQuery{session: s, file: conf.DefaultFile}
	directives, code, done := q.options(args)
	if done {
		return code
	}
	if !q.load() {
		s.stderr("error parsing '%s'\n", q.file)
		return 1
	}
	q.verbose = q.verbose || len(directives) != 1
	switch {
	case q.list && len(directives) > 0:
		s.stderr("error: directives may not be specified with %s\n", "--repo-list")
		return 1
	case q.list:
		for _, r := range q.cfg.Repos {
			if q.repo == "" || r.Name == q.repo {
				s.print(r.Name, "\n")
			}
		}
		return 0
	case q.repo != "":
		r := q.cfg.Repo(q.repo)
		if r == nil {
			s.stderr("error: repo '%s' not configured\n", q.repo)
			return 1
		}
		return q.show(repoLines(r), directives)
	case len(directives) == 0:
		return q.everything()
	}
	return q.show(optionLines(q.cfg), directives)
}

func (q *confQuery) options(args []string) (directives []string, code int, done bool) {
	opts, directives, err := getopt.Spec{Short: "c:hlR:r:Vv", Long: []getopt.Long{
		{Name: "config", Value: getopt.Required, Key: "c"}, {Name: "rootdir", Value: getopt.Required, Key: "R"},
		{Name: "repo", Value: getopt.Required, Key: "r"}, {Name: "repo-list", Key: "l"},
		{Name: "verbose", Key: "v"}, {Name: "help", Key: "h"}, {Name: "version", Key: "V"},
	}}.Parse(args)
	for _, o := range opts {
		switch o.Key {
		case "c":
			q.file = o.Value
		case "R":
			q.root = o.Value
		case "r":
			q.repo = o.Value
		case "l":
			q.list = true
		case "v":
			q.verbose = true
		case "h":
			q.print(pacmanConfHelp)
			return nil, 0, true
		case "V":
			q.print("pacman-conf v1.0.0\n")
			return nil, 0, true
		}
	}
	if err != nil {
		q.stderr("%s: %v\n%s", q.name, err, pacmanConfHelp)
		return nil, 1, true
	}
	return directives, 0, false
}

func (q *confQuery) load() bool {
	base := conf.Base{Machine: q.Processor}
	base.RootDir = q.root
	cfg, err := conf.Read(conf.OS{}, q.file, base)
	for _, w := range cfg.Warnings {
		q.warnf("%s", w)
	}
	if err == nil {
		err = cfg.Complete()
	}
	if err != nil {
		q.confError(err)
	}
	q.cfg = cfg
	return err == nil
}

// confLine is one directive with its values. A flag has none and prints its
// name.
type confLine struct {
	name   string
	values []string
	flag   bool
}

func (q *confQuery) line(l confLine) {
	for _, v := range l.values {
		switch {
		case l.flag:
			q.print(l.name, "\n")
		case q.verbose:
			q.print(l.name, " = ", v, "\n")
		default:
			q.print(v, "\n")
		}
	}
}

func (q *confQuery) everything() int {
	q.print("[options]\n")
	for _, l := range optionLines(q.cfg) {
		q.line(l)
	}
	for i := range q.cfg.Repos {
		r := &q.cfg.Repos[i]
		q.print("[", r.Name, "]\n")
		for _, l := range repoLines(r) {
			q.line(l)
		}
	}
	return 0
}

// show prints the directives that were asked for, or all of them.
func (q *confQuery) show(lines []confLine, directives []string) (code int) {
	if len(directives) == 0 {
		for _, l := range lines {
			q.line(l)
		}
	}
	for _, want := range directives {
		known := false
		for _, l := range lines {
			if strings.EqualFold(l.name, want) {
				known = true
				q.line(l)
			}
		}
		switch {
		case known:
			continue
		case strings.EqualFold(want, "Include"):
			q.stderr("warning: '%s' directives cannot be queried\n", "Include")
		default:
			q.stderr("warning: unknown directive '%s'\n", want)
		}
		code = 1
	}
	return code
}

// optionLines are the directives of [options], in the order in which they are
// listed.
func optionLines(c *conf.Config) []confLine {
	text := func(name, value string) confLine {
		if value == "" {
			return confLine{name: name}
		}
		return confLine{name: name, values: []string{value}}
	}
	list := func(name string, values []string) confLine { return confLine{name: name, values: values} }
	flag := func(name string, on bool) confLine {
		if !on {
			return confLine{name: name, flag: true}
		}
		return confLine{name: name, values: []string{name}, flag: true}
	}
	return []confLine{
		text("RootDir", c.RootDir), text("DBPath", c.DBPath), list("CacheDir", c.CacheDirs),
		list("HookDir", c.HookDirs), text("GPGDir", c.GPGDir), text("LogFile", c.LogFile),
		list("HoldPkg", c.HoldPkg), list("IgnorePkg", c.IgnorePkg), list("IgnoreGroup", c.IgnoreGroup),
		list("NoUpgrade", c.NoUpgrade), list("NoExtract", c.NoExtract),
		list("Architecture", c.Architectures), text("XferCommand", c.XferCommand),
		text("DownloadUser", c.DownloadUser),
		flag("UseSyslog", c.UseSyslog), flag("Color", c.Color), flag("CheckSpace", c.CheckSpace),
		flag("VerbosePkgLists", c.VerbosePkgLists), flag("DisableDownloadTimeout", c.DisableDownloadTimeout),
		flag("ILoveCandy", c.ILoveCandy), flag("NoProgressBar", c.NoProgressBar),
		flag("DisableSandbox", c.DisableSandbox), flag("DisableSandboxFilesystem", c.DisableSandboxFilesystem),
		flag("DisableSandboxSyscalls", c.DisableSandboxSyscalls),
		text("ParallelDownloads", strconv.Itoa(max(1, c.ParallelDownloads))),
		list("CleanMethod", cleanWords(c.CleanMethod)),
		list("SigLevel", append(levelWords("Package", c.SigLevel.Package), levelWords("Database", c.SigLevel.Database)...)),
		list("LocalFileSigLevel", fileWords(c.LocalFile)), list("RemoteFileSigLevel", fileWords(c.RemoteFile)),
	}
}

func repoLines(r *conf.Repo) []confLine {
	var level []string
	if r.OwnSigLevel {
		level = append(levelWords("Package", r.SigLevel.Package), levelWords("Database", r.SigLevel.Database)...)
	}
	return []confLine{
		{name: "Usage", values: usageWords(r.Usage)}, {name: "SigLevel", values: level},
		{name: "CacheServer", values: r.CacheServers}, {name: "Server", values: r.Servers},
	}
}

func cleanWords(m conf.CleanMethod) (words []string) {
	if m&conf.KeepInstalled != 0 {
		words = append(words, "KeepInstalled")
	}
	if m&conf.KeepCurrent != 0 {
		words = append(words, "KeepCurrent")
	}
	return words
}

func usageWords(u conf.Usage) (words []string) {
	if u == conf.UseAll {
		return []string{"All"}
	}
	for _, w := range []struct {
		bit  conf.Usage
		word string
	}{{conf.UseSync, "Sync"}, {conf.UseSearch, "Search"}, {conf.UseInstall, "Install"}, {conf.UseUpgrade, "Upgrade"}} {
		if u&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	return words
}

func fileWords(f conf.FileSigLevel) []string {
	if !f.Set {
		return nil
	}
	return levelWords("Package", f.Level.Package)
}

func levelWords(what string, l keyring.Level) []string {
	if l.Check == keyring.Never {
		return []string{what + "Never"}
	}
	return []string{fmt.Sprint(what, l.Check), fmt.Sprint(what, l.Trust)}
}
