// SPDX-License-Identifier: GPL-3.0-or-later

// Package libalpmtest is the system's libalpm as a judge for tests: whatever
// the native package engine does on a tree, the library does on a second one,
// and both must come out the same.
package libalpmtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/libalpm"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/testkit"
)

// PackageEngine is what both engines are.
type PackageEngine interface {
	Sync(ctx context.Context, env trans.Env, events trans.Events) (changed []string, err error)
	Prepare(ctx context.Context, env trans.Env, req trans.Request) (*trans.Plan, error)
	Download(ctx context.Context, env trans.Env, plan *trans.Plan, events trans.Events) error
	Run(ctx context.Context, env trans.Env, plan *trans.Plan, events trans.Events) error
}

// Engine is the system's libalpm, by a helper that is built if need be.
func Engine(t testing.TB) libalpm.Engine {
	t.Helper()
	return libalpm.Engine{Start: Starter(t)}
}

// Starter starts that helper.
func Starter(t testing.TB) libalpm.Start {
	t.Helper()
	path := testkit.NeedLibalpm(t)
	return func() (*libalpm.Pipe, error) {
		c, err := run.Runner{}.Converse(path)
		if err != nil {
			return nil, err
		}
		return &libalpm.Pipe{In: c.In, Out: c.Out, Wait: c.Wait, Kill: c.Kill}, nil
	}
}

// Outcome is what became of a request.
type Outcome struct {
	Plan   *trans.Plan
	Err    error
	Events []trans.Event
}

// Do has an engine sync, prepare and run a request.
func Do(ctx context.Context, e PackageEngine, env trans.Env, req trans.Request) (out Outcome) {
	if _, out.Err = e.Sync(ctx, env, nil); out.Err != nil {
		return out
	}
	if out.Plan, out.Err = e.Prepare(ctx, env, req); out.Err != nil {
		return out
	}
	out.Err = e.Run(ctx, env, out.Plan, func(e trans.Event) { out.Events = append(out.Events, e) })
	return out
}

// Steps words a plan: what is compared of it.
func Steps(p *trans.Plan) []string {
	if p == nil {
		return nil
	}
	var out []string
	for _, st := range p.Install {
		line := fmt.Sprintf("install %s/%s %s as %s", st.Repo, st.Package.Name, st.Package.Version, st.Reason)
		if st.Old != nil {
			line += " over " + st.Old.Version
		}
		if st.File != "" {
			line += " from " + filepath.Base(st.File)
		}
		if st.Target != "" {
			line += " for " + st.Target
		}
		needed := slices.Clone(st.RequiredBy)
		slices.Sort(needed)
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s needed by %v replaces %v", line, needed, st.Replaces)))
	}
	for _, rm := range p.Remove {
		out = append(out, fmt.Sprintf("remove %s %s: %s %s", rm.Package.Name, rm.Package.Version, rm.Cause, rm.By))
	}
	return append(out, fmt.Sprintf("installed %d removed %d", p.Sizes.Installed, p.Sizes.Removed))
}

// ErrorKind names an error's class: the type of the first of the chain that
// has an exit code, and that code.
func ErrorKind(err error) string {
	if err == nil {
		return ""
	}
	var coded interface {
		error
		ExitCode() int
	}
	if !errors.As(err, &coded) {
		return "error"
	}
	return fmt.Sprintf("%T, exit code %d", coded, coded.ExitCode())
}

// Tree describes everything below a root: type, mode, owner, content, the time
// of files that packages brought, and the database of installed packages
// without its dates. made is when the packages were: later files are the
// test's or a scriptlet's. What is in skip, and below it, is left out.
func Tree(t testing.TB, root string, made time.Time, skip ...string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if slices.Contains(skip, rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if rel == "." {
			return nil
		}
		line, err := describe(path, rel, d, made)
		lines = append(lines, line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

func describe(path, rel string, d fs.DirEntry, made time.Time) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	st := info.Sys().(*syscall.Stat_t)
	line := fmt.Sprintf("%s %v %d:%d", rel, info.Mode(), st.Uid, st.Gid)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		return line + " -> " + to, err
	case !info.Mode().IsRegular():
		return line, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if strings.Contains(rel, "lib/pacman/local/") {
		if d.Name() == "desc" {
			data = undated(data)
		}
	} else if !info.ModTime().After(made) {
		line += fmt.Sprintf(" %d", info.ModTime().Unix())
	}
	return fmt.Sprintf("%s %q", line, data), nil
}

// undated blanks what differs from one run, or one version of the library, to
// another.
func undated(data []byte) []byte {
	data = regexp.MustCompile(`%INSTALLDATE%\n\d+`).ReplaceAll(data, []byte("%INSTALLDATE%\n0"))
	return regexp.MustCompile(`(?s)%XDATA%\n.*?\n\n`).ReplaceAll(data, nil)
}

// Differences lists the lines that only one of the two has.
func Differences(native, library []string) []string {
	var out []string
	for _, line := range native {
		if !slices.Contains(library, line) {
			out = append(out, "native:  "+line)
		}
	}
	for _, line := range library {
		if !slices.Contains(native, line) {
			out = append(out, "libalpm: "+line)
		}
	}
	return out
}
