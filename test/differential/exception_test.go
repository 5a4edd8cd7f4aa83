// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"maps"
	"strings"
)

// exception is a way in which ours differs on purpose. A story in which it
// shows is told no further.
//
// What the generator leaves out because of another:
//   - A package that a repository has twice: pacman takes one of them, ours
//     refuses the database, which repo-add does not make.
//   - Whether an empty directory is there when pre_install runs: ours makes new
//     directories while it stages, and takes them away again if it must.
//   - A link among the backup files: libalpm hashes whatever the link leads to
//     at that moment, or writes "(null)"; ours writes "(null)" and compares
//     where links lead.
//   - A package that replaces or conflicts with itself.
type exception struct {
	name, why string
	shows     func(r *reached) bool
}

// reached is where both programs are after a command.
type reached struct {
	outcomes []outcome // of each program
	trees    []map[string]string
}

func exceptions() []exception {
	return []exception{
		{
			name: "directory-for-file",
			why: "a person put a directory where a package has a file: libalpm finds out in the middle of the transaction, " +
				"and leaves half a package; ours refuses before anything is changed",
			shows: func(r *reached) bool {
				return strings.Contains(r.outcomes[0].err, "extract: not overwriting dir with file") && r.outcomes[1].code == 1 &&
					strings.Contains(r.outcomes[1].err, "conflicting files")
			},
		},
		{
			name: "directory-for-pacnew",
			why: "a person put a directory where a .pacnew is to go, and something into it: libalpm says that the file is there, or leaves half a package; " +
				"ours leaves the file out and says so",
			shows: func(r *reached) bool {
				return strings.Contains(r.outcomes[0].err, ".pacnew (Could not unlink)") && r.outcomes[1].code == 0
			},
		},
		{
			name: "search",
			why:  "pacman takes the first package that it comes upon and gives up where that leads nowhere; ours searches on",
			shows: func(r *reached) bool {
				return strings.Contains(r.outcomes[0].err, "failed to prepare transaction") &&
					!strings.Contains(r.outcomes[1].err, "failed to prepare transaction")
			},
		},
		{
			name: "search-in-place-of-a-question",
			why:  "the same, where pacman may leave out what it found nothing for: ours searches on first",
			shows: func(r *reached) bool {
				const gaveUp = "cannot be upgraded due to unresolvable dependencies"
				return strings.Contains(r.outcomes[0].out, gaveUp) && !strings.Contains(r.outcomes[1].out, gaveUp)
			},
		},
		{
			name:  "directory-for-file-told",
			why:   "a directory for a file, where there are other conflicts too: ours tells of it with them",
			shows: func(r *reached) bool { return r.toldMore() },
		},
		{
			name: "hard-link-to-what-is-kept",
			why: "of a file with two names one is kept, by NoUpgrade or as a backup file: libalpm links the other name to what the person made of it, " +
				"ours to the package's file, which is beside it as .pacnew",
			shows: func(r *reached) bool { return r.otherLinks() },
		},
		{
			name: "moved-and-missing",
			why: "a file that goes from one package to another, and that a person had removed: pacman installs it with the new owner and " +
				"removes it with the old one's upgrade; with ours it stays",
			shows: func(r *reached) bool { return r.ownedKept() },
		},
		{
			name: "shared-and-saved",
			why: "a file that two packages own, and that the new version of one has no more: pacman takes it away, or puts it aside as .pacsave " +
				"where it is a backup file; with ours the other one keeps it",
			shows: func(r *reached) bool { return r.savedFromOwner() },
		},
		{
			name: "replaced-and-upgraded",
			why: "a dependency that one package of an upgrade replaces, and that is upgraded itself: pacman forgets that nobody asked for it; " +
				"with ours an upgrade keeps the reason",
			shows: func(r *reached) bool { return r.reasonKept() },
		},
		{
			name: "sum-of-what-was-not-extracted",
			why: "a backup file that --dbonly or NoExtract leaves out: pacman writes (null) for its sum, so that it takes the file for changed from " +
				"then on; ours writes the sum that the package's .MTREE has",
			shows: func(r *reached) bool { return r.truerSums() },
		},
	}
}

// ownedKept tells whether the trees differ in nothing but files that pacman
// has lost and installed packages own, and in what scriptlets saw of them.
func (r *reached) ownedKept() bool {
	if r.outcomes[0] != r.outcomes[1] {
		return false
	}
	for name, line := range r.trees[1] {
		their := r.trees[0][name]
		if their != line && name != "seen" && (their != "" || !r.owned(name)) {
			return false
		}
	}
	for name := range r.trees[0] {
		if r.trees[1][name] == "" {
			return false
		}
	}
	return true
}

// savedFromOwner tells the same of files that pacman put aside.
func (r *reached) savedFromOwner() bool {
	theirs, tree, found := r.outcomes[0], maps.Clone(r.trees[0]), false
	for line := range strings.Lines(r.outcomes[0].err) {
		rest, warned := strings.CutPrefix(line, "warning: ROOT/")
		path, saved, _ := strings.Cut(rest, " saved as ROOT/")
		if saved = strings.TrimSuffix(saved, "\n"); !warned || saved == "" || r.trees[0][path] != "" || !r.owned(path) || r.trees[1][saved] != "" {
			continue
		}
		found = true
		theirs.err = strings.Replace(theirs.err, line, "", 1)
		delete(tree, saved)
		const log = "var/log/pacman.log"
		tree[log] = strings.Replace(tree[log], "[ALPM] "+strings.TrimSuffix(line, "\n")+`\n`, "", 1)
	}
	m := &reached{outcomes: []outcome{theirs, r.outcomes[1]}, trees: []map[string]string{tree, r.trees[1]}}
	return found && m.ownedKept()
}

// owned tells whether an installed package has a file of that name.
func (r *reached) owned(name string) bool {
	for entry, line := range r.trees[1] {
		if strings.HasPrefix(entry, "var/lib/pacman/local/") && strings.HasSuffix(entry, "/files") &&
			(strings.Contains(line, `\n`+name+`\n`) || strings.Contains(line, `\n`+name+`/\n`)) {
			return true
		}
	}
	return false
}

// otherLinks tells whether the trees differ in nothing but files with several
// names, one of which is a .pacnew.
func (r *reached) otherLinks() bool {
	pacnew := false
	for name := range r.trees[1] {
		if a, b := r.trees[0][name], r.trees[1][name]; a != b {
			if !strings.Contains(a+b, " = ") {
				return false
			}
			pacnew = pacnew || strings.HasSuffix(name, ".pacnew")
		}
	}
	return pacnew && r.outcomes[0] == r.outcomes[1] && len(r.trees[0]) == len(r.trees[1])
}

// reasonKept tells whether the trees differ in nothing but the reason of
// packages that were removed and installed at once.
func (r *reached) reasonKept() bool {
	if r.outcomes[0] != r.outcomes[1] || len(r.trees[0]) != len(r.trees[1]) {
		return false
	}
	said := r.outcomes[0].out
	for path, line := range r.trees[1] {
		entry, isDesc := strings.CutSuffix(strings.TrimPrefix(path, "var/lib/pacman/local/"), "/desc")
		switch {
		case line == r.trees[0][path]:
			continue
		case !isDesc || strings.Replace(line, `%REASON%\n1\n\n`, "", 1) != r.trees[0][path]:
			return false
		}
		name, _, _ := strings.Cut(entry, "-")
		if !strings.Contains(said, "removing "+name+"...\n") || !strings.Contains(said, "installing "+name+"...\n") {
			return false
		}
	}
	return true
}

// truerSums tells whether the trees differ in nothing but sums of backup
// files that pacman has not.
func (r *reached) truerSums() bool {
	if r.outcomes[0] != r.outcomes[1] || len(r.trees[0]) != len(r.trees[1]) {
		return false
	}
	for name, line := range r.trees[0] {
		if line == r.trees[1][name] {
			continue
		}
		theirs, ours := strings.Split(line, `\n`), strings.Split(r.trees[1][name], `\n`)
		if !strings.HasPrefix(name, "var/lib/pacman/local/") || len(theirs) != len(ours) {
			return false
		}
		for i := range theirs {
			path, none := strings.CutSuffix(theirs[i], `\t(null)`)
			if theirs[i] != ours[i] && !(none && strings.HasPrefix(ours[i], path+`\t`)) {
				return false
			}
		}
	}
	return true
}

// toldMore tells whether both refuse for conflicting files, and ours names
// directories in the way besides.
func (r *reached) toldMore() bool {
	a, b := r.outcomes[0], r.outcomes[1]
	if a.code != 1 || b.code != 1 || a.err != b.err || !strings.Contains(a.err, "conflicting files") {
		return false
	}
	said := map[string]bool{}
	for line := range strings.Lines(a.out) {
		said[line] = true
	}
	var rest strings.Builder
	for line := range strings.Lines(b.out) {
		_, path, _ := strings.Cut(line, ": ROOT/")
		path, _, _ = strings.Cut(path, " exists in filesystem")
		if said[line] || !strings.HasPrefix(r.trees[1][path], "d") {
			rest.WriteString(line)
		}
	}
	return rest.String() == a.out
}
