// SPDX-License-Identifier: GPL-3.0-or-later

package cmdline

// clash is two options that may not be used together.
type clash struct {
	both     bool
	one, two string
}

// clash is the first pair of options that exclude each other, if any do.
func (o *Options) clash() (clash, bool) {
	var list []clash
	switch o.Op {
	case OpDatabase:
		list = databaseClashes(o)
	case OpSync:
		list = append(installClashes(o), syncClashes(o)...)
	case OpQuery:
		list = queryClashes(o)
	case OpRemove:
		list = append(transClashes(o), removeClashes(o)...)
	case OpUpgrade:
		list = installClashes(o)
	}
	for _, c := range list {
		if c.both {
			return c, true
		}
	}
	return clash{}, false
}

// with pairs an option that was given with others.
func with(one string, others ...clash) []clash {
	for i := range others {
		others[i].one = one
	}
	return others
}

func other(given bool, name string) clash { return clash{both: given, two: name} }

func databaseClashes(o *Options) []clash {
	list := with("--asdeps", other(o.AllDeps && o.AllExplicit, "--asexplicit"))
	if o.Check > 0 {
		list = append(list, clash{o.AllDeps, "--asdeps", "--check"}, clash{o.AllExplicit, "--asexplicit", "--check"})
	}
	return list
}

func queryClashes(o *Options) []clash {
	display := []clash{
		other(o.Changelog, "--changelog"), other(o.Check > 0, "--check"),
		other(o.Info > 0, "--info"), other(o.List, "--list"),
	}
	filter := []clash{
		other(o.Deps, "--deps"), other(o.Explicit, "--explicit"), other(o.Upgrades, "--upgrade"),
		other(o.Unrequired > 0, "--unrequired"), other(o.Native, "--native"), other(o.Foreign, "--foreign"),
	}
	groups, owns := other(o.Groups > 0, "--groups"), other(o.Owns, "--owns")
	var list []clash
	switch {
	case o.File:
		list = with("--file", groups, other(o.Search, "--search"), owns)
	case o.Search:
		list = with("--search", append(append([]clash{groups, owns}, display...), filter...)...)
	case o.Owns:
		list = with("--owns", append(append([]clash{groups}, display...), filter...)...)
	case o.Groups > 0:
		list = with("--groups", display...)
	}
	return append(list, clash{o.Deps && o.Explicit, "--deps", "--explicit"}, clash{o.Native && o.Foreign, "--native", "--foreign"})
}

func transClashes(o *Options) []clash {
	if !o.Print {
		return nil
	}
	return with("--print", other(o.DBOnly, "--dbonly"), other(o.NoScriptlet, "--noscriptlet"))
}

func removeClashes(o *Options) []clash {
	if !o.NoSave {
		return nil
	}
	return with("--nosave", other(o.Print, "--print"), other(o.DBOnly, "--dbonly"))
}

func installClashes(o *Options) []clash {
	return append(transClashes(o), clash{o.AllDeps && o.AllExplicit, "--asdeps", "--asexplicit"})
}

func syncClashes(o *Options) []clash {
	groups, info, list := other(o.Groups > 0, "--groups"), other(o.Info > 0, "--info"), other(o.List, "--list")
	search, upgrade := other(o.Search, "--search"), other(o.SysUpgrade > 0, "--sysupgrade")
	download := other(o.DownloadOnly, "--downloadonly")
	switch {
	case o.Clean > 0:
		return with("--clean", groups, info, list, other(o.Refresh > 0, "--refresh"), search, upgrade, download)
	case o.Info > 0:
		return with("--info", groups, list, search, upgrade, download)
	case o.Search:
		return with("--search", groups, list, upgrade, download)
	case o.List:
		return with("--list", groups, upgrade, download)
	case o.Groups > 0:
		return with("--groups", upgrade, download)
	}
	return nil
}
