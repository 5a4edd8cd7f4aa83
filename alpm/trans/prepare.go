// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/pkgfile"
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
		u.Arch = []string{env.Arch}
	}
	if len(req.Targets) > 0 || len(req.Files) > 0 || req.SysUpgrade {
		if u.Repos, err = openRepos(ctx, &env); err != nil {
			return nil, err
		}
	}
	files, infos, err := loadFiles(req.Files)
	if err != nil {
		return nil, err
	}
	sol, err := solve.Solve(u, solveRequest(req, infos))
	if err != nil {
		return nil, err
	}
	return newPlan(&env, req.Options, sol, files), nil
}

func solveRequest(req Request, infos []*desc.Package) solve.Request {
	return solve.Request{
		Targets: req.Targets, Packages: infos, Remove: req.Remove,
		SysUpgrade: req.SysUpgrade, Downgrade: req.Downgrade, Needed: req.Needed,
		AsDeps: req.AsDeps, AsExplicit: req.AsExplicit,
		Recursive: req.Recursive, RecursiveAll: req.RecursiveAll, Cascade: req.Cascade, Unneeded: req.Unneeded,
		NoVersions: req.NoVersions, NoDeps: req.NoDeps, NoConflicts: req.NoConflicts,
		Answer: req.Answer, Select: req.Select, Tell: req.Tell,
	}
}

// loadFiles reads the packages given as archives.
func loadFiles(paths []string) (map[*desc.Package]string, []*desc.Package, error) {
	files := make(map[*desc.Package]string, len(paths))
	var infos []*desc.Package
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, nil, err
		}
		info, err := pkgfile.LoadInfo(abs)
		if err != nil {
			return nil, nil, err
		}
		info.Files = nil // Run reads them again; a plan is to stay small
		files[info] = abs
		infos = append(infos, info)
	}
	return files, infos, nil
}

func newPlan(env *Env, opt Options, sol *solve.Solution, files map[*desc.Package]string) *Plan {
	p := &Plan{Notes: sol.Notes, Options: opt}
	for _, in := range sol.Install {
		st := Step{
			Package: in.Package, Repo: in.Repo, File: files[in.Package], Old: in.Old, Reason: in.Reason,
			Target: in.Target, RequiredBy: in.RequiredBy, Replaces: in.Replaces,
		}
		if st.File == "" {
			st.Download = missingBytes(env, &st)
		}
		p.Install = append(p.Install, st)
	}
	for _, rm := range sol.Remove {
		p.Remove = append(p.Remove, Removal{Package: rm.Package, Cause: rm.Cause, By: rm.By})
	}
	p.sum()
	return p
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
	if part, err := os.Stat(archivePath(env, st) + ".part"); err == nil {
		return max(0, size-part.Size())
	}
	return size
}

// archivePath is where the archive of a step is.
func archivePath(env *Env, st *Step) string {
	if st.File != "" {
		return st.File
	}
	return filepath.Join(env.CacheDir, st.Package.Filename)
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
