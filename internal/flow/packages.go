// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/report"
)

// Settings are the tool's own settings that the package stories use.
type Settings struct {
	CacheDir string
	WorkDir  string
	Workers  int // packages unpacked at once; 0: the engine's choice
	Parallel int // downloads at once; 0: the engine's choice
}

// packageEnv is the package engine's view of a tree being built: the manifest's
// repositories, their keys, the tree's own database. syncDir holds the
// repositories' databases, gpgDir the keys where the manifest names none.
func (m *Machine) packageEnv(mf *manifest.Manifest, s Settings, root, syncDir, gpgDir string) (trans.Env, error) {
	env := trans.Env{
		Root: root, DBPath: filepath.Join(root, dbPath), SyncDir: syncDir,
		CacheDir: filepath.Join(s.CacheDir, "pkg"),
		Chroot:   m.Chroot, Space: m.Space,
		Fetcher:  &fetch.Fetcher{Parallel: s.Parallel},
		HookDirs: []string{filepath.Join(root, SystemHooks), filepath.Join(root, localHooks)},
		Arch:     "x86_64", Clock: m.Now, Workers: s.Workers,
		IgnorePkg: mf.Packages.Ignore, LearnKeys: true,
	}
	var err error
	if env.Keyring, err = repositoryKeys(mf.Repositories, gpgDir); err != nil {
		return env, err
	}
	base, err := keyring.ParseSigLevel(keyring.SigLevel{}, "Required")
	if err != nil {
		return env, err
	}
	env.FileSigLevel = base
	for _, r := range mf.Repositories {
		level, err := keyring.ParseSigLevel(base, r.SigLevelWords()...)
		if err != nil {
			return env, fmt.Errorf("repository %s: %w", r.Name, err)
		}
		env.Repos = append(env.Repos, trans.Repo{Name: r.Name, Servers: r.Servers, SigLevel: level, Usage: usage(r)})
	}
	return env, nil
}

// download gets the archives of a plan. 0700: what is verified in the cache is
// installed from there.
func download(ctx context.Context, engine PackageEngine, env trans.Env, p *trans.Plan, events trans.Events) error {
	if err := os.MkdirAll(env.CacheDir, 0o700); err != nil {
		return fmt.Errorf("make the package cache: %w", err)
	}
	return engine.Download(ctx, env, p, events)
}

// usage is what a repository may be used for in a transaction. Its database is
// refreshed in any case.
func usage(r manifest.Repository) solve.Usage {
	var u solve.Usage
	for _, word := range r.Usage {
		switch word {
		case "all":
			u |= solve.UseInstall | solve.UseUpgrade | solve.UseSearch
		case "install":
			u |= solve.UseInstall
		case "upgrade":
			u |= solve.UseUpgrade
		case "search":
			u |= solve.UseSearch
		}
	}
	if u != 0 {
		u |= solve.UseSync
	}
	return u
}

// Where pacman keeps its keyring: below a root, and on this machine.
const (
	keyringInTree = "etc/pacman.d/gnupg"
	pacmanHome    = "/" + keyringInTree
)

// keyError is a repository's key that cannot be used.
type keyError struct {
	repo, file string
	err        error
}

func (e *keyError) Error() string {
	text := fmt.Sprintf("the key of repository %s: %v", e.repo, e.err)
	if !strings.Contains(text, e.file) {
		text = fmt.Sprintf("the key of repository %s, %s: %v", e.repo, e.file, e.err)
	}
	return text
}
func (e *keyError) Unwrap() error { return e.err }
func (e *keyError) Hint() string {
	if errors.Is(e.err, fs.ErrNotExist) {
		return "key names a file with the public key, relative to the manifest; leave it out to use the keyring of this host's pacman"
	}
	return "it wants a public key, as gpg --export writes it"
}
func (e *keyError) ExitCode() int { return 3 }

// repositoryKeys is the manifest's own keys, or, where it names none, the
// pacman keyring in gpgDir.
func repositoryKeys(repos []manifest.Repository, gpgDir string) (*keyring.Ring, error) {
	var keys []io.Reader
	for _, r := range repos {
		if r.Key == "" {
			continue
		}
		data, err := os.ReadFile(r.Key)
		if err == nil {
			_, err = keyring.FromKeys(bytes.NewReader(data))
		}
		if err != nil {
			return nil, &keyError{r.Name, r.Key, err}
		}
		keys = append(keys, bytes.NewReader(data))
	}
	if len(keys) > 0 {
		return keyring.FromKeys(keys...)
	}
	return pacmanKeys(gpgDir)
}

// pacmanKeys is pacman's keyring in a folder. Where there is none, every
// signature is refused later, with a hint.
func pacmanKeys(home string) (*keyring.Ring, error) {
	ring, err := keyring.Load(home)
	var none *keyring.Error
	if errors.Is(err, os.ErrNotExist) || errors.As(err, &none) && none.Reason == keyring.NoKeyring {
		return nil, nil
	}
	return ring, err
}

// packageEvents shows what the engine does: one task for each stage, a line
// for what a person should not miss.
func packageEvents(sink report.Sink) trans.Events {
	p := &packageSink{sink: sink, open: map[string]*report.Task{}, loaded: map[string]int64{}}
	return p.event
}

type packageSink struct {
	sink   report.Sink
	open   map[string]*report.Task
	loaded map[string]int64 // bytes of each file that is being downloaded
	total  int64            // bytes of those that are done
}

// stages names the tasks that count packages.
func stage(k trans.EventKind) string {
	switch k {
	case trans.EventVerify:
		return "verify packages"
	case trans.EventStage:
		return "stage packages"
	case trans.EventRemove:
		return "remove packages"
	case trans.EventInstall, trans.EventUpgrade:
		return "install packages"
	}
	return ""
}

func (p *packageSink) event(e trans.Event) {
	if e.Kind == trans.EventInstall || e.Kind == trans.EventUpgrade || e.Kind == trans.EventCheck || e.Kind == trans.EventStage {
		p.endDownload()
	}
	switch e.Kind {
	case trans.EventSync:
		p.count("database "+e.Name, e, report.Bytes, e.Finished, e.Text)
	case trans.EventDownload:
		p.download(e)
	case trans.EventRecover:
		report.Notef(p.sink, "%s", e.Text)
	case trans.EventHook:
		report.Notef(p.sink, "hook %d of %d: %s", e.Done, e.Total, cmp.Or(e.Text, e.Name))
	case trans.EventStage:
		p.count(stage(e.Kind), e, report.Items, e.Done >= e.Total, fmt.Sprint(e.Total))
	case trans.EventVerify, trans.EventRemove, trans.EventInstall, trans.EventUpgrade:
		p.count(stage(e.Kind), e, report.Items, e.Total > 0 && e.Done >= e.Total && e.Finished, fmt.Sprint(e.Total))
	case trans.EventOutput:
		p.sink.Emit(report.Event{Kind: report.Output, Task: e.Name, Message: e.Text})
	case trans.EventLearn:
		reportLesson(p.sink, trans.Lesson{Package: e.Name, Version: e.Text, Keys: e.Keys, Vouched: e.Args})
	case trans.EventPopulate:
		report.Notef(p.sink, "the keyring took in %s of %s", countKeys(len(e.Args)), e.Name)
	case trans.EventPacnew, trans.EventPacsave:
		report.Warnf(p.sink, "%s: wrote %s", e.Name, e.Path)
	case trans.EventWarning:
		report.Warnf(p.sink, "%s", joinWords(e.Name, e.Path, e.Text))
	}
}

// download sums all files up to one task, which ends when none is under way.
func (p *packageSink) download(e trans.Event) {
	const name = "download packages"
	t, ok := p.open[name]
	if !ok {
		t = report.Begin(p.sink, name, 0, report.Bytes)
		p.open[name] = t
	}
	p.loaded[e.Name] = e.Done
	if e.Finished {
		p.total += e.Done
		delete(p.loaded, e.Name)
	}
	done := p.total
	for _, n := range p.loaded {
		done += n
	}
	t.Progress(done)
}

// endDownload closes the download's task once the next stage begins.
func (p *packageSink) endDownload() {
	const name = "download packages"
	if t, ok := p.open[name]; ok {
		t.End(nil, report.Size(p.total))
		delete(p.open, name)
	}
}

func joinWords(words ...string) string {
	out := ""
	for _, w := range words {
		if w == "" {
			continue
		}
		if out != "" {
			out += ": "
		}
		out += w
	}
	return out
}

func (p *packageSink) count(name string, e trans.Event, unit report.Unit, end bool, summary string) {
	t, ok := p.open[name]
	if !ok {
		t = report.Begin(p.sink, name, e.Total, unit)
		p.open[name] = t
	}
	t.Progress(e.Done)
	if end {
		t.End(nil, summary)
		delete(p.open, name)
	}
}
