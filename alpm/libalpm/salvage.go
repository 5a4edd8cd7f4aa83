// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// libalpm removes what was installed, with its entry in the database, before
// the new version is there: killed in between, it leaves files that belong to
// nobody and a package that nothing knows of. What follows keeps enough to bring
// the database back to a state that the same change can start from again.

// keep copies the entries of all installed packages that a plan changes, and
// notes which of the helper's mount points are not there.
func (s *session) keep(plan *trans.Plan) error {
	local, err := s.env.LocalDir()
	if err != nil {
		return err
	}
	var old []*desc.Package
	for _, st := range plan.Install {
		if st.Old != nil {
			old = append(old, st.Old)
		}
	}
	for _, rm := range plan.Remove {
		old = append(old, rm.Package)
	}
	err = os.Mkdir(s.before(), 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.before(), localdb.VersionFile), []byte(localdb.Version+"\n"), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the database: %w", err)
	}
	for _, p := range old {
		to := s.kept(p.Entry())
		if _, err := os.Stat(to); err == nil {
			continue // removed and installed again
		}
		if err := os.CopyFS(to, os.DirFS(filepath.Join(local, p.Entry()))); err != nil {
			return fmt.Errorf("keep the database entry of %s: %w", p.Name, err)
		}
	}
	for _, name := range mountPoints() {
		if _, err := os.Lstat(filepath.Join(s.env.Root, name)); errors.Is(err, fs.ErrNotExist) {
			s.unmade = append(s.unmade, name)
		}
	}
	return nil
}

// before is a database of the installed packages that a change is about.
func (s *session) before() string { return filepath.Join(s.dir, "before") }

// kept is the copy of a database entry.
func (s *session) kept(entry string) string { return filepath.Join(s.before(), entry) }

// mountPoints are those that the helper makes in a root.
func mountPoints() []string { return []string{"dev", "proc", "run", "sys"} }

// salvage brings the database in order after the helper died while it changed
// the root, and says what came of it: the package at hand counts as what it was
// before, and nothing that only its new version has is in the way of the next
// try. Packages that were done stay done.
func (s *session) salvage(plan *trans.Plan) (string, error) {
	s.clearMountPoints()
	if s.busy == "" {
		if s.done == s.total {
			return "all packages are in their places; hooks that follow on them may not have run", nil
		}
		return "no package is half done; the same again does the rest", nil
	}
	local, err := s.env.LocalDir()
	if err != nil {
		return "", err
	}
	before, now := s.versions(plan)
	if now != nil {
		if err := os.RemoveAll(filepath.Join(local, now.Entry())); err != nil {
			return "", err
		}
	}
	if before != nil {
		if err := putBack(s.kept(before.Entry()), filepath.Join(local, before.Entry())); err != nil {
			return "", fmt.Errorf("put the database entry of %s back: %w", before.Name, err)
		}
	}
	if now != nil && !plan.Options.DBOnly {
		if err := s.takeAway(plan, before, now); err != nil {
			return "", err
		}
	}
	if before == nil {
		return "what there was of " + s.busy + " is taken away again; run the same again", nil
	}
	return fmt.Sprintf("the database has %s %s again, as before, but some of its files may be missing: run the same again", before.Name, before.Version), nil
}

// afterDeath salvages what can be where err says that the helper is gone, and
// lets err tell of it.
func (s *session) afterDeath(plan *trans.Plan, err error) error {
	var gone *HelperError
	if !s.started || !errors.As(err, &gone) {
		return err
	}
	after, salvageErr := s.salvage(plan)
	gone.After = after
	if salvageErr != nil {
		return errors.Join(err, fmt.Errorf("the database of installed packages could not be brought in order: %w", salvageErr))
	}
	return err
}

// versions are the package at hand as it was, and as it was to be.
func (s *session) versions(plan *trans.Plan) (before, now *desc.Package) {
	var goes *desc.Package
	for _, rm := range plan.Remove {
		if rm.Package.Name == s.busy {
			goes = rm.Package
		}
	}
	if s.operation == "remove" {
		return goes, nil
	}
	for i := range plan.Install {
		if st := &plan.Install[i]; st.Package.Name == s.busy {
			now = st.Package
			before = st.Old
			if goes != nil {
				before = nil // that was removed, and comes back
			}
		}
	}
	return before, now
}

// putBack replaces a directory by a copy, which lasts when it returns.
func putBack(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	entries, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	for _, name := range append([]string{".", ".."}, names(entries)...) {
		f, err := os.Open(filepath.Join(to, name))
		if err != nil {
			return err
		}
		err = errors.Join(f.Sync(), f.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

func names(entries []fs.DirEntry) (out []string) {
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// takeAway removes the files of a package that was being installed, but for
// those that its old version or another package has, and those that may have
// been there before: they would be in the way of the next try.
func (s *session) takeAway(plan *trans.Plan, before, now *desc.Package) error {
	archive, err := s.archive(plan, now.Name)
	if err != nil {
		return err
	}
	info, err := pkgfile.LoadInfo(archive)
	if err != nil {
		return err
	}
	owned, err := s.owned(plan)
	if err != nil {
		return err
	}
	tree, err := rootfs.Open(s.env.Root)
	if err != nil {
		return err
	}
	defer tree.Close()
	for _, name := range slices.Backward(info.Files) {
		if owned[name] || s.mayHaveBeen(plan, info, name) {
			continue
		}
		if err := tree.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !strings.HasSuffix(name, "/") {
			return fmt.Errorf("take /%s away again: %w", name, err)
		}
	}
	return nil
}

// mayHaveBeen tells whether a file may have been in the root before the package
// came: the check for files in the way lets these pass.
func (s *session) mayHaveBeen(plan *trans.Plan, info *desc.Package, name string) bool {
	return slices.ContainsFunc(info.Backup, func(b desc.Backup) bool { return b.Path == name }) ||
		solve.LastMatch(plan.Options.Overwrite, name) || solve.LastMatch(s.env.NoExtract, name)
}

func (s *session) archive(plan *trans.Plan, name string) (string, error) {
	for _, st := range plan.Install {
		switch {
		case st.Package.Name != name:
		case st.File != "":
			return st.File, nil
		default:
			for _, dir := range append([]string{s.env.CacheDir}, s.env.Caches...) {
				at := filepath.Join(dir, path.Base(st.Package.Filename))
				if _, err := os.Stat(at); err == nil {
					return at, nil
				}
			}
		}
	}
	return "", fmt.Errorf("the archive of %s is not in the cache any more", name)
}

// owned are the files of all packages: as they are, and as those that the plan
// changes were before.
func (s *session) owned(plan *trans.Plan) (map[string]bool, error) {
	local, err := s.env.LocalDir()
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, dir := range []string{local, s.before()} {
		db, err := localdb.Open(dir)
		if err != nil {
			return nil, err
		}
		for _, p := range db.Packages() {
			if err := db.LoadFiles(p); err != nil {
				return nil, err
			}
			for _, f := range p.Files {
				out[f] = true
			}
		}
	}
	return out, nil
}

// clearMountPoints removes those that the helper made and did not take away.
func (s *session) clearMountPoints() {
	tree, err := rootfs.Open(s.env.Root)
	if err != nil {
		return
	}
	defer tree.Close()
	for _, name := range s.unmade {
		_ = tree.Remove(name) // not one that holds something
	}
}
