// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/trans"
)

// syncWork is what a sync does to a node beside replaying packages: files that
// changed otherwise are merged, reasons carried over, and what came out is pinned.
func (m *Machine) syncWork(sys *System, p *ChangePlan, r *replay, base, newest int, files bool) (*nodeWork, error) {
	mf, err := m.runningManifest()
	if err != nil {
		return nil, err
	}
	skip, err := r.skip()
	if err != nil {
		return nil, err
	}
	work := &nodeWork{mf: mf, reason: syncReason(newest, p), files: files, conflicts: &[]NodeConflict{}}
	work.tree = func(ctx context.Context, env trans.Env, t Tree) error {
		*work.conflicts = nil
		if files {
			found, err := sys.Deploys.Carry(sys.Nodes.Root(base), sys.Nodes.Root(newest), env.Root, skip)
			if err != nil {
				return err
			}
			for _, c := range found {
				*work.conflicts = append(*work.conflicts, NodeConflict{What: "/" + c.Path, Why: c.Reason, Beside: c.Beside})
			}
		}
		if err := trans.SetReasons(ctx, env, r.reasons); err != nil {
			return err
		}
		return m.pinChange(ctx, env, t, mf, p)
	}
	return work, nil
}

func syncReason(newest int, p *ChangePlan) string {
	reason := fmt.Sprintf("sync with node %d", newest)
	if !p.Packages.Empty() {
		reason += ": " + summary(p.Packages)
	}
	return reason
}

// skip tells what is not carried over as a file: what packages bring, which the
// replay brings as well, what is made from other files, and what is no part of a
// system but of its work.
func (r *replay) skip() (func(name string) bool, error) {
	owned := map[string]bool{}
	for _, db := range r.dbs[:2] {
		for _, name := range r.delta {
			p := db.Package(name)
			if p == nil {
				continue
			}
			if err := db.LoadFiles(p); err != nil {
				return nil, err
			}
			for _, f := range p.Files {
				// A configuration file may have been changed beside its package.
				if !strings.HasPrefix(f, "etc/") && !strings.HasSuffix(f, "/") {
					owned[f] = true
				}
			}
		}
	}
	return func(name string) bool { return owned[name] || derived(name) }, nil
}

// derivedDirs are folders whose files hooks make from others, or that belong to no
// system but to its work.
var derivedDirs = []string{
	"usr/lib/rastos/pacman/", "var/lib/pacman/", "var/cache/", "var/log/", "var/tmp/", "usr/share/mime/",
	"root/", "home/", "tmp/", "run/", "dev/", "proc/", "sys/",
}

// derivedFiles are patterns of such files by themselves.
var derivedFiles = []string{
	"etc/ld.so.cache", "etc/.updated", "var/.updated", "etc/.pwd.lock", systemLockPath, "etc/udev/hwdb.bin", "usr/lib/udev/hwdb.bin",
	"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-",
	"usr/lib/modules/*/modules.*", "usr/share/glib-2.0/schemas/gschemas.compiled", "usr/share/icons/*/icon-theme.cache",
	"usr/share/applications/mimeinfo.cache", "usr/share/info/dir", "usr/lib/locale/locale-archive",
}

// derivedSuffixes end the names of files that a transaction or a merge lays aside.
var derivedSuffixes = []string{".pacnew", ".pacsave", ".rastnew"}

func derived(name string) bool {
	match := func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }
	return slices.ContainsFunc(derivedDirs, func(dir string) bool { return strings.HasPrefix(name, dir) }) ||
		slices.ContainsFunc(derivedSuffixes, func(s string) bool { return strings.HasSuffix(name, s) }) ||
		slices.ContainsFunc(derivedFiles, match)
}
