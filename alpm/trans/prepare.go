// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/solve"
)

// Prepare works out what the request means here. It changes nothing.
func Prepare(ctx context.Context, env Env, req Request) (*Plan, error) {
	local, err := openLocal(&env)
	if err != nil {
		return nil, err
	}
	u := solve.Universe{
		Installed: local.Packages(), IgnorePkg: env.IgnorePkg, IgnoreGroup: env.IgnoreGroup,
		HoldPkg: env.HoldPkg, Assume: req.Assume,
	}
	if env.Arch != "" {
		u.Arch = append([]string{env.Arch}, env.Archs...)
	}
	if len(req.Targets)+len(req.Files)+len(req.Remote) > 0 || req.SysUpgrade {
		if u.Repos, err = openRepos(ctx, &env); err != nil {
			return nil, err
		}
	}
	files, err := loadFiles(ctx, &env, req)
	if err != nil {
		return nil, err
	}
	sol, err := solve.Solve(u, solveRequest(req, files))
	if broken := unread(u.Repos); broken != nil {
		return nil, broken
	}
	if err != nil {
		return nil, files.blame(err)
	}
	return newPlan(&env, req.Options, sol, files), nil
}

func solveRequest(req Request, files *files) solve.Request {
	return solve.Request{
		Targets: req.Targets, Packages: files.infos, Unread: files.wrong, Remove: req.Remove,
		SysUpgrade: req.SysUpgrade, Downgrade: req.Downgrade, HoldBack: req.HoldBack, Needed: req.Needed,
		AsDeps: req.AsDeps, AsExplicit: req.AsExplicit,
		Recursive: req.Recursive, RecursiveAll: req.RecursiveAll, Cascade: req.Cascade, Unneeded: req.Unneeded,
		NoVersions: req.NoVersions, NoDeps: req.NoDeps, NoConflicts: req.NoConflicts,
		Answer: req.Answer, Select: req.Select, Tell: req.Tell, Lost: files.lost(req.Lost),
	}
}

func newPlan(env *Env, opt Options, sol *solve.Solution, files *files) *Plan {
	p := &Plan{Notes: sol.Notes, Held: sol.Held, Options: opt, proven: files.proven}
	nowhere := notCached(env, len(sol.Install))
	for _, in := range sol.Install {
		st := Step{
			Package: in.Package, Repo: in.Repo, File: files.path[in.Package], Old: in.Old, Reason: in.Reason,
			Target: in.Target, RequiredBy: in.RequiredBy, Replaces: in.Replaces,
		}
		st.Remote = files.remote[in.Package]
		switch {
		case st.File != "":
		case nowhere(in.Package.Filename):
			st.Download = in.Package.CompressedSize
		default:
			st.Download = missingBytes(env, &st)
		}
		p.Install = append(p.Install, st)
	}
	for _, rm := range sol.Remove {
		p.Remove = append(p.Remove, Removal{Package: rm.Package, Cause: rm.Cause, By: rm.By})
	}
	p.Sum()
	return p
}

// manyFiles is how many files are looked for one by one before it is quicker
// to list the caches.
const manyFiles = 64

// notCached returns who knows that the caches have nothing of an archive, not
// even a part. It need not know.
func notCached(env *Env, files int) func(name string) bool {
	there := map[string]bool{}
	if files >= manyFiles {
		for _, dir := range append([]string{env.CacheDir}, env.Caches...) {
			entries, err := os.ReadDir(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return func(string) bool { return false }
			}
			for _, e := range entries {
				there[e.Name()] = true
			}
		}
	}
	return func(name string) bool { return files >= manyFiles && !there[name] && !there[name+".part"] }
}

// missingBytes is how much of an archive is still to be downloaded.
func missingBytes(env *Env, st *Step) int64 {
	size := st.Package.CompressedSize
	info, err := os.Stat(archivePath(env, st))
	switch {
	case err == nil && info.Size() == size:
		return 0
	case err == nil:
		return size
	}
	if part, err := os.Stat(filepath.Join(env.CacheDir, st.Package.Filename+".part")); err == nil {
		return max(0, size-part.Size())
	}
	return size
}

// archivePath is where the archive of a step is, or is to come.
func archivePath(env *Env, st *Step) string {
	if st.File != "" {
		return st.File
	}
	return env.cached(st.Package.Filename)
}

// cached is where a file is in the caches; one that is in none belongs into
// CacheDir.
func (e *Env) cached(name string) string {
	path := filepath.Join(e.CacheDir, name)
	if len(e.Caches) == 0 || isRegular(path) {
		return path
	}
	for _, dir := range e.Caches {
		if other := filepath.Join(dir, name); isRegular(other) {
			return other
		}
	}
	return path
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// openLocal opens the database of installed packages. DBPath/local may be a
// link into another part of the tree; it is resolved here, since entries are
// renamed into place, and the link and its target may be on different file
// systems.
func openLocal(env *Env) (*localdb.DB, error) {
	dir, err := localDir(env)
	if err != nil {
		return nil, err
	}
	return localdb.OpenWith(dir, localdb.Options{Fast: !env.Durable})
}

// maxLinks ends a circle of links.
const maxLinks = 16

func localDir(env *Env) (string, error) {
	dir := filepath.Join(env.DBPath, "local")
	for range maxLinks {
		target, err := os.Readlink(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return dir, nil
		case err != nil: // not a link
			return dir, nil
		case filepath.IsAbs(target):
			dir = filepath.Join(env.Root, target)
		default:
			dir = filepath.Join(filepath.Dir(dir), target)
		}
	}
	return "", fmt.Errorf("open local database: too many links at %s", filepath.Join(env.DBPath, "local"))
}
