// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/verify"
)

// fileLists is where a package file's own lists come from. Like pacman's, -kk
// has none of a file's .MTREE: it is about what is installed.
type fileLists struct{}

func (fileLists) LoadFiles(*desc.Package) error       { return nil }
func (fileLists) Mtree(*desc.Package) ([]byte, error) { return nil, nil }

// check is -k and -kk: it looks at the files of packages and gives what was
// found of each to report, in order.
func (q *query) check(list []*desc.Package, file *packageFile, report func(verify.Result)) bool {
	var db verify.Database = q.local
	if file != nil {
		db = fileLists{}
	}
	opt := verify.Options{
		Root: q.conf.RootDir, Local: q.conf.DBPath + "local", Full: q.opt.Check > 1,
		NoExtract: func(path string) bool { return solve.LastMatch(q.conf.NoExtract, path) },
	}
	err := verify.Check(q.ctx, db, list, opt, func(r verify.Result) error {
		report(r)
		return nil
	})
	if err != nil {
		q.errorf("%v", err)
	}
	return err == nil
}

// printCheck prints what is wrong with the files of a package, and counts. It
// returns false if something is.
func (q *query) printCheck(r verify.Result) bool {
	name, full := r.Package.Name, q.opt.Check > 1
	damaged := ""
	for _, f := range r.Findings {
		q.printFinding(f, full)
		if q.opt.Quiet && f.Damage() && f.At != damaged && (full || f.Kind == verify.Missing) {
			q.print(name, " ", f.At, "\n")
			damaged = f.At
		}
	}
	switch {
	case r.Err != nil:
		q.errorf("%s: %v", name, r.Err)
	case q.opt.Quiet:
	case r.NoMtree:
		q.print(name, ": no mtree file\n")
	default:
		what := "missing"
		if full {
			what = "altered"
		}
		q.printf("%s: %d total file%s, %d %s file%s\n", name, r.Files, plural(r.Files), r.Altered, what, plural(r.Altered))
	}
	return r.OK()
}

// printFinding prints one finding. Quiet leaves out what the line with the
// file's name stands for.
func (q *query) printFinding(f verify.Finding, full bool) {
	switch {
	case f.Kind == verify.LinkUnread:
		q.errorf("%s", f)
	case f.Kind == verify.TooLong, f.Kind == verify.Unrecognised, f.Kind == verify.Type && !full:
		q.warnf("%s", f)
	case q.opt.Quiet:
	case f.Backup:
		q.printf("%sbackup file%s: %s\n", q.tint.Title, q.tint.Off, f)
	default:
		q.warnf("%s", f)
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
