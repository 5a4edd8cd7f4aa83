// SPDX-License-Identifier: GPL-3.0-or-later

package conf_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/conf"
)

// memory is files by name.
type memory map[string]string

func (m memory) ReadFile(name string) ([]byte, error) {
	text, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func (m memory) Glob(pattern string) (names []string, err error) {
	for name := range m {
		if ok, _ := path.Match(pattern, name); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func TestEverythingIsRead(t *testing.T) {
	cfg, err := conf.Load(memory{
		"main": `# a comment
 [options]
RootDir = /r
DBPath=/db/
CacheDir = /c1 /c2
CacheDir = /c3
HookDir = /h
GPGDir = /g
LogFile = /l
HoldPkg = a  b
IgnorePkg = linux*
IgnoreGroup = grp
NoUpgrade = etc/x
NoExtract = usr/y !usr/y/z
Architecture = i686 x86_64
XferCommand = /usr/bin/get -o '%o o' \"%u
CleanMethod = KeepCurrent KeepInstalled
SigLevel = Required DatabaseOptional
LocalFileSigLevel = Optional
RemoteFileSigLevel = PackageNever
DownloadUser = alpm
ParallelDownloads = 7
UseSyslog
Color
NoProgressBar
CheckSpace
VerbosePkgLists
DisableDownloadTimeout
ILoveCandy
DisableSandbox
DisableSandboxFilesystem
DisableSandboxSyscalls
Include = more-*
`,
		"more-2": "[two]\nServer = file:///two/$repo/os/$arch\nCacheServer = http://cache/$repo\nUsage = Sync Search\nSigLevel = PackageTrustAll\n",
		"more-1": "[one]\nServer = http://a/$repo\nServer = http://b\n",
	}, "main")
	if err != nil {
		t.Fatal(err)
	}
	// What has no exported field is told by what it does.
	var got strings.Builder
	fmt.Fprintln(&got, cfg.RootDir, cfg.DBPath, cfg.CacheDirs, cfg.HookDirs, cfg.GPGDir, cfg.LogFile)
	fmt.Fprintln(&got, cfg.HoldPkg, cfg.IgnorePkg, cfg.IgnoreGroup, cfg.NoUpgrade, cfg.NoExtract, cfg.Architectures)
	fmt.Fprintf(&got, "%q %v %v %v %v\n", cfg.XferArgv, cfg.CleanMethod, cfg.DownloadUser, cfg.ParallelDownloads, cfg.SigLevel)
	fmt.Fprintln(&got, cfg.LocalFile.Set, cfg.LocalFile.Level, cfg.RemoteFile.Set, cfg.RemoteFile.Level)
	fmt.Fprintln(&got, cfg.UseSyslog, cfg.Color, cfg.NoProgressBar, cfg.CheckSpace, cfg.VerbosePkgLists, cfg.DisableDownloadTimeout,
		cfg.ILoveCandy, cfg.DisableSandbox, cfg.DisableSandboxFilesystem, cfg.DisableSandboxSyscalls)
	for _, r := range cfg.Repos {
		fmt.Fprintln(&got, r.Name, r.Servers, r.CacheServers, r.Usage, r.SigLevel, r.OwnSigLevel)
	}
	want := `/r /db/ [/c1 /c2 /c3] [/h] /g /l
[a b] [linux*] [grp] [etc/x] [usr/y !usr/y/z] [i686 x86_64]
["/usr/bin/get" "-o" "%o o" "\"%u"] 3 alpm 7 PackageRequired PackageTrustedOnly DatabaseOptional DatabaseTrustedOnly
true PackageOptional PackageTrustedOnly DatabaseOptional DatabaseTrustedOnly true PackageNever PackageTrustedOnly DatabaseOptional DatabaseTrustedOnly
true true true true true true true true true true
one [http://a/one http://b] [] 15 PackageRequired PackageTrustedOnly DatabaseOptional DatabaseTrustedOnly false
two [file:///two/two/os/i686] [http://cache/two] 3 PackageRequired PackageTrustAll DatabaseOptional DatabaseTrustedOnly true
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestDefaults(t *testing.T) {
	cfg, err := conf.Load(memory{"main": ""}, "main")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(cfg.RootDir, cfg.DBPath, cfg.CacheDirs, cfg.HookDirs, cfg.GPGDir, cfg.LogFile, cfg.CleanMethod, cfg.SigLevel, cfg.LocalFile.Set)
	want := "//var/lib/pacman/[/var/cache/pacman/pkg/] [/etc/pacman.d/hooks/]/etc/pacman.d/gnupg//var/log/pacman.log1 " +
		"PackageRequired PackageTrustedOnly DatabaseRequired DatabaseTrustedOnlyfalse"
	if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A root of its own takes database and log along.
	cfg, err = conf.Load(memory{"main": "[options]\nRootDir = /mnt\n"}, "main")
	if err != nil || cfg.DBPath != "/mnt/var/lib/pacman/" || cfg.LogFile != "/mnt/var/log/pacman.log" || cfg.GPGDir != conf.DefaultGPGDir {
		t.Errorf("below /mnt: %v, %q, %q, %q", err, cfg.DBPath, cfg.LogFile, cfg.GPGDir)
	}
}

// TestBaseGoesFirst: what is settled before a file is read is not read over,
// and lists grow behind it.
func TestBaseGoesFirst(t *testing.T) {
	base := conf.Base{Machine: "riscv64"}
	base.RootDir, base.CacheDirs = "/mine", []string{"/first"}
	cfg, err := conf.Read(memory{"main": "[options]\nRootDir = /theirs\nCacheDir = /second\nArchitecture = auto any\n"}, "main", base)
	if err != nil || cfg.RootDir != "/mine" || !slices.Equal(cfg.CacheDirs, []string{"/first", "/second"}) ||
		!slices.Equal(cfg.Architectures, []string{"riscv64", "any"}) {
		t.Errorf("%v: %q %q %q", err, cfg.RootDir, cfg.CacheDirs, cfg.Architectures)
	}
	if len(base.CacheDirs) != 1 {
		t.Error("the base was changed")
	}
}

func TestMistakes(t *testing.T) {
	deep := memory{}
	for i := range 12 {
		deep[fmt.Sprint("deep", i)] = fmt.Sprintf("Include = deep%d\n", i+1)
	}
	for text, want := range map[string]string{
		"Color\n":                                 "config file main, line 1: All directives must belong to a section.",
		"[options]\nSigLevel = Often Never Rare":  "config file main, line 2: invalid value for 'SigLevel' : 'Often'; config file main, line 2: invalid value for 'SigLevel' : 'Rare'",
		"[options]\nSigLevel = never":             "config file main, line 2: invalid value for 'SigLevel' : 'never'",
		"[options]\nCleanMethod = Keep":           "config file main, line 2: invalid value for 'CleanMethod' : 'Keep'",
		"[options]\nParallelDownloads = 0":        "config file main, line 2: value for 'ParallelDownloads' has to be positive : '0'",
		"[options]\nParallelDownloads = 4e9":      "config file main, line 2: invalid value for 'ParallelDownloads' : '4e9'",
		"[options]\nParallelDownloads=4000000000": "config file main, line 2: value for 'ParallelDownloads' is too large : '4000000000'",
		"[options]\nXferCommand = get '%u":        "config file main, line 2: invalid value for 'XferCommand' : 'get '%u'",
		"[options]\n\nInclude":                    "config file main, line 3: directive 'Include' needs a value",
		"[options]\nInclude = nope*":              "config file nope* could not be read: No such file or directory",
		"[options]\nInclude = deep0":              "config parsing exceeded max recursion depth of 10.",
		"[r]\nServer":                             "config file main, line 2: directive 'Server' needs a value",
		"[r]\nCacheServer":                        "config file main, line 2: directive 'CacheServer' needs a value",
		"[r]\nUsage = Sync Never":                 "config file main, line 2: 'Usage' option 'Never' not recognized",
		"[r]\nServer = http://x/$arch":            "mirror 'http://x/$arch' contains the '$arch' variable, but no 'Architecture' is defined.",
	} {
		files := maps.Clone(deep)
		files["main"] = text
		_, err := conf.Load(files, "main")
		var typed *conf.Error
		if !errors.As(err, &typed) || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// TestUnknownDirectivesAreWarnings with their place, also in included files.
func TestUnknownDirectivesAreWarnings(t *testing.T) {
	cfg, err := conf.Load(memory{
		"main": "[options]\nSigLevel\nColor = yes\nInclude = sub\nFoo\n[r]\nBar = 1\nCacheDir = /x\n",
		"sub":  "\nBaz = 1\n",
	}, "main")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range cfg.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		"config file main, line 2: directive 'SigLevel' in section 'options' not recognized.",
		"config file main, line 3: directive 'Color' in section 'options' not recognized.",
		"config file sub, line 2: directive 'Baz' in section 'options' not recognized.",
		"config file main, line 5: directive 'Foo' in section 'options' not recognized.",
		"config file main, line 7: directive 'Bar' in section 'r' not recognized.",
		"config file main, line 8: directive 'CacheDir' in section 'r' not recognized.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzLoad: no text makes it fail otherwise than by a *conf.Error, and what it
// takes can be completed.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "[options]\nSigLevel = Required DatabaseOptional\n[core]\nInclude = other\nServer = $repo/$arch\n",
		"[options]\nArchitecture = auto\nXferCommand = a \"b c\" 'd' \\' %u\n[x]\nUsage = All Sync\nSigLevel = PackageTrustAll Never\n",
		"[options]\nInclude = main\n", "Include = *\n[", "[]\n=\n= =\n[[a]]\n#\n", "[options]\nParallelDownloads = 99999999999999999999\n",
	} {
		f.Add(seed, "[y]\nServer = http://y\n")
	}
	shipped, err := os.ReadFile("testdata/pacman.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(shipped), "## a list of mirrors\nServer = https://mirror.example.org/$repo/os/$arch\n#Server = http://x\n")
	f.Fuzz(func(t *testing.T, main, other string) {
		cfg, err := conf.Load(memory{"main": main, "other": other}, "main")
		var typed *conf.Error
		if err != nil && (!errors.As(err, &typed) || len(typed.Problems) == 0) {
			t.Fatalf("%T: %v", err, err)
		}
		if err == nil {
			for _, r := range cfg.Repos {
				if r.Usage == 0 || r.Usage > conf.UseAll || slices.ContainsFunc(r.Servers, func(s string) bool {
					return strings.Contains(s, "$arch") && !strings.Contains(r.Name, "$") && !strings.Contains(strings.Join(cfg.Architectures, ""), "$")
				}) {
					t.Errorf("repository %q: %+v", r.Name, r)
				}
			}
		}
	})
}
