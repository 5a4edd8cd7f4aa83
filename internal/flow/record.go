// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/alpm/desc"
	"github.com/rastos/rastos/alpm/history"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/lockfile"
)

// historyName is the file, beside the database of installed packages, that
// keeps what was done to them.
const historyName = "rastos.history"

// recorder writes one change of packages into the history.
type recorder struct {
	log    history.Log
	entry  history.Entry
	tree   trans.Env // whose packages change
	inNode bool      // whether it counts is known when the node is deployed
	id     string    // "": nothing was written
}

// historyLog is that of a database of installed packages. The nodes of a
// machine share one, beside the databases of the repositories.
func (w *World) historyLog(dbPath string) history.Log {
	if w.sys != nil {
		dbPath = filepath.Dir(w.syncDir)
	}
	return history.Log{Path: filepath.Join(dbPath, historyName), Now: w.machine.Now}
}

// recorder is for one change of a tree; where changes go into a node, the tree
// is filled in when it is there.
func (w *World) recorder(tree trans.Env) *recorder {
	m := w.machine
	return &recorder{
		log: w.historyLog(tree.DBPath), entry: history.Entry{Command: m.Command, User: m.User, Undoes: w.undoes},
		tree: tree, inNode: w.sys != nil,
	}
}

// Begin writes down what is about to happen. What the last transaction was cut
// off from is finished or taken back by now, and settled here.
func (r *recorder) Begin(plan *trans.Plan) (end func(error), err error) {
	versions, err := r.versions()
	if err != nil {
		return nil, err
	}
	if err := r.log.Close(versions); err != nil {
		return nil, err
	}
	r.entry.Changes, r.entry.Keys = changesOf(plan, r.pins()), lessonsOf(plan)
	r.id, err = r.log.Begin(r.entry)
	return r.ran, err
}

// pins are what the tree's lock says of the archives that are installed.
func (r *recorder) pins() *lockfile.Lock {
	lock, err := readLock(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(r.tree.Root, name)) }, systemLockPath)
	if err != nil || lock == nil {
		return &lockfile.Lock{} // it would only have told where to find them again
	}
	return lock
}

// versions tells what is installed.
func (r *recorder) versions() (func(name string) string, error) {
	db, err := trans.Installed(r.tree)
	if err != nil {
		return nil, err
	}
	return func(name string) string {
		if p := db.Package(name); p != nil {
			return p.Version
		}
		return ""
	}, nil
}

// ran is told how the engine's part went. One that has to be finished by the
// next command is settled by that.
func (r *recorder) ran(err error) {
	var cut *trans.UnfinishedError
	switch {
	case errors.As(err, &cut):
	case err == nil && !r.inNode:
		r.end(history.End{Result: history.Done})
	case err != nil && r.inNode:
		r.end(history.End{Result: history.Failed, Error: err.Error()})
	case err != nil:
		r.end(r.failed(err))
	}
}

// failed tells how much of a change was made in place: a hook may have failed
// after all of it.
func (r *recorder) failed(err error) history.End {
	end := history.End{Result: history.Failed, Error: err.Error()}
	versions, readErr := r.versions()
	if readErr != nil {
		return end
	}
	switch made := r.entry.Made(versions); {
	case made == len(r.entry.Changes):
		end.Result = history.Done
	case made > 0:
		end.Note = fmt.Sprintf("%d of %d changes were made", made, len(r.entry.Changes))
	}
	return end
}

// deployed is told what became of the node that a change was made in.
func (r *recorder) deployed(d deploy.Deployment, err error) {
	switch {
	case r.id == "":
	case err != nil:
		r.end(history.End{Result: history.Failed, Error: err.Error()})
	default:
		r.end(history.End{Result: history.Done, Node: d.Node, Deployment: d.Number})
	}
}

// end writes the end once. If that cannot be written any more, the next
// transaction settles this one by what is installed then.
func (r *recorder) end(e history.End) {
	id := r.id
	r.id = ""
	if id != "" {
		_ = r.log.End(id, e)
	}
}

// changesOf is what a plan changes, in the history's terms.
func changesOf(plan *trans.Plan, pins *lockfile.Lock) []history.Change {
	var out []history.Change
	for i := range plan.Install {
		st := &plan.Install[i]
		p := st.Package
		c := history.Change{Name: p.Name, New: &history.Version{
			Version: p.Version, Arch: p.Arch, Reason: st.Reason.String(), Repo: st.Repo,
			File: p.Filename, SHA256: p.SHA256, Size: p.CompressedSize,
		}}
		if st.File != "" {
			c.New.File = st.File
			if abs, err := filepath.Abs(st.File); err == nil {
				c.New.File = abs
			}
		}
		if st.Old != nil {
			c.Old = installedVersion(st.Old, pins)
		}
		out = append(out, c)
	}
	for _, rm := range plan.Remove {
		out = append(out, history.Change{Name: rm.Package.Name, Old: installedVersion(rm.Package, pins)})
	}
	return out
}

// lessonsOf is what a plan taught the keyring, in the history's terms.
func lessonsOf(plan *trans.Plan) (out []history.Lesson) {
	for _, l := range plan.Learned() {
		lesson := history.Lesson{Package: l.Package, Version: l.Version, Vouched: l.Vouched}
		for _, k := range l.Keys {
			lesson.Keys = append(lesson.Keys, history.Key{Fingerprint: k.Key, User: k.User, What: k.What, Trusted: k.Trusted})
		}
		out = append(out, lesson)
	}
	return out
}

// installedVersion is what the database of installed packages and the lock know.
func installedVersion(p *desc.Package, pins *lockfile.Lock) *history.Version {
	v := &history.Version{Version: p.Version, Arch: p.Arch, Reason: p.Reason.String()}
	if pin, ok := pins.Package(p.Name); ok && pin.Version == p.Version {
		v.Repo, v.File, v.SHA256, v.Size = pin.Repository, pin.Filename, pin.SHA256, pin.Size
	}
	return v
}
