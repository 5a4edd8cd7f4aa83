// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/fetch"
	"github.com/rastos/rastos/alpm/hook"
	"github.com/rastos/rastos/alpm/solve"
	"github.com/rastos/rastos/alpm/trans"
)

// What pacman's library calls its errors.
const (
	whyDeps      = "could not satisfy dependencies"
	whyConflicts = "conflicting dependencies"
	whyFiles     = "conflicting files"
	whyArch      = "package architecture is not valid"
	whyChecksum  = "invalid or corrupted package (checksum)"
	whySignature = "invalid or corrupted package (PGP signature)"
	whyMissing   = "package missing required signature"
	whyInvalid   = "invalid or corrupted package"
	whyOpen      = "cannot open package file"
	whyRetrieve  = "failed to retrieve some files"
	whyServer    = "no servers configured for repository"
	whySpace     = "not enough free disk space"
	whyNotFound  = "could not find or read package"
)

// prepareFailed says why there is no plan.
func (t *transaction) prepareFailed(err error) {
	if toldByLost(err) || errors.Is(err, errNoAnswer) {
		return
	}
	var (
		arch     *solve.ArchError
		unmet    *solve.UnsatisfiedError
		conflict *solve.ConflictError
	)
	failed := func(why string) { t.errorf("failed to prepare transaction (%s)", why) }
	switch {
	case errors.As(err, &arch):
		failed(whyArch)
		for _, p := range arch.All {
			t.colon("package %s-%s-%s does not have a valid architecture\n", p.Name, p.Version, p.Arch)
		}
	case errors.As(err, &unmet):
		failed(whyDeps)
		for _, m := range unmet.Trail {
			t.brokenDep(m)
		}
	case errors.As(err, &conflict):
		t.errorf("unresolvable package conflicts detected")
		failed(whyConflicts)
		reason := ""
		if conflict.Dep.Op != desc.Any {
			reason = " (" + conflict.Dep.String() + ")"
		}
		t.colon("%s and %s are in conflict%s\n", conflict.Package, conflict.Other, reason)
	default:
		failed(err.Error())
	}
}

func (t *transaction) brokenDep(m solve.Missing) {
	switch {
	case m.Cause == "":
		t.colon("unable to satisfy dependency '%s' required by %s\n", m.Dep, m.Package)
	case m.CauseVersion != "":
		t.colon("installing %s (%s) breaks dependency '%s' required by %s\n", m.Cause, m.CauseVersion, m.Dep, m.Package)
	default:
		t.colon("removing %s breaks dependency '%s' required by %s\n", m.Cause, m.Dep, m.Package)
	}
}

// commitFailed says why the transaction was not carried out, or not wholly.
func (t *transaction) commitFailed(err error) {
	var (
		repo  *trans.RepoError
		files *trans.FileConflictError
		space *trans.SpaceError
		full  *fetch.SpaceError
		load  *fetch.Error
		wrong *trans.VerifyError
		pkg   *trans.PackageError
		hook  *trans.HookError
	)
	failed := func(why string) { t.errorf("failed to commit transaction (%s)", why) }
	switch {
	case errors.As(err, &pkg):
		t.packageFailed(pkg)
	case errors.As(err, &hook):
		t.hookFailed(hook)
		failed("failed to run transaction hooks")
	case errors.Is(err, trans.ErrNoServer) && errors.As(err, &repo):
		t.errorf("%s: %s", whyServer, repo.Repo)
		failed(whyServer)
	case errors.As(err, &files):
		failed(whyFiles)
		t.fileConflicts(files.Conflicts)
	case errors.As(err, &space):
		t.errorf("Partition %s too full: %d blocks needed, %d blocks free", space.Path, blocks(space.Needed), blocks(space.Free))
		t.errorf("not enough free disk space")
		failed(whySpace)
	case errors.As(err, &load):
		t.warnf("failed to retrieve some files")
		failed(downloadFault(load))
	case errors.As(err, &full):
		t.errorf("%v", full)
		failed(whyRetrieve)
	case errors.As(err, &wrong):
		t.verifyFailed(err)
	default:
		failed(err.Error())
	}
}

// hookFailed says which hook files are wrong; of one that ran and failed that
// was said already.
func (t *transaction) hookFailed(e *trans.HookError) {
	list := []error{e.Err}
	if joined, ok := e.Err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range list {
		var wrong *hook.ParseError
		if errors.As(err, &wrong) {
			t.errorf("%v", wrong)
		}
	}
}

// blockSize is that of the blocks that pacman counts space in.
const blockSize = 4096

func blocks(bytes int64) int64 { return (bytes + blockSize - 1) / blockSize }

// packageFailed says at which package a transaction stopped in its middle.
func (t *transaction) packageFailed(e *trans.PackageError) {
	doing := map[string]string{"install": "installing", "upgrade": "upgrading", "remove": "removing"}[e.Op]
	t.errorf("problem occurred while %s %s: %v", doing, e.Package, e.Err)
	t.errorf("could not commit transaction")
	t.errorf("failed to commit transaction (transaction aborted)")
}

func (t *transaction) fileConflicts(list []trans.FileConflict) {
	for _, c := range list {
		path := t.conf.RootDir + strings.TrimSuffix(c.Path, "/")
		switch {
		case c.Other != "":
			t.printf("%s exists in both '%s' and '%s'\n", t.conf.RootDir+c.Path, c.Package, c.Other)
		case c.Owner != "":
			t.printf("%s: %s exists in filesystem (owned by %s)\n", c.Package, path, c.Owner)
		default:
			t.printf("%s: %s exists in filesystem\n", c.Package, path)
		}
	}
}

// downloadFault is the library's word for a download that failed.
func downloadFault(e *fetch.Error) string {
	if len(e.Attempts) == 0 {
		return whyServer
	}
	last := e.Cause()
	var (
		status  *fetch.StatusError
		content *fetch.ContentError
		program *fetch.ProgramError
	)
	switch {
	case errors.As(last, &content):
		return whyChecksum
	case errors.As(last, &program):
		return "error invoking external downloader"
	case errors.As(last, &status):
		return whyRetrieve
	case isUnknownHost(last):
		return "invalid url for server"
	}
	return "download library error"
}

// isUnknownHost tells a name that no server of names knows.
func isUnknownHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns)
}

// mirror words a server that failed, as pacman does of curl's errors.
func (p *progress) mirror(e trans.Event) string {
	why := e.Text
	var (
		status *fetch.StatusError
		dns    *net.DNSError
		none   *fetch.NoFileError
	)
	switch {
	case errors.As(e.Err, &none):
		why = "Couldn't open file " + none.Path
	case errors.As(e.Err, &status):
		why = "The requested URL returned error: " + strconv.Itoa(status.Code)
	case errors.As(e.Err, &dns):
		why = "Could not resolve host: " + dns.Name
	case e.Err != nil:
		why = e.Err.Error()
	}
	host := ""
	if len(e.Args) > 0 {
		host = e.Args[0]
	}
	return "failed retrieving file '" + e.Name + "' from " + host + " : " + why
}
