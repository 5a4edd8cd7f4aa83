// SPDX-License-Identifier: GPL-3.0-or-later

package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rastos/rastos/internal/deploy/etcmerge"
	"github.com/rastos/rastos/internal/node"
)

// Request says what to deploy.
type Request struct {
	Node   node.Node
	From   int    // deployment whose live /etc is merged in; 0: a first deployment, /etc is the node's
	AsWas  int    // take the /etc of this deployment as it was, merge nothing; 0: merge
	Reason string //
}

// Create stages a deployment: its /etc is complete and durable, and
// deploy.json names it, when Create returns. A boot entry is made later.
func (s *Store) Create(r Request) (Deployment, error) {
	number, err := s.Nodes.Count(func(st *node.State) *int { return &st.Deployment })
	if err != nil {
		return Deployment{}, err
	}
	d := Deployment{
		Number: number, Node: r.Node.Number, Etc: "etc.0", Created: s.Nodes.Now().UTC(),
		Reason: r.Reason, State: Staged,
	}
	if err := s.Nodes.Files.MkdirAll(name(number), 0o700); err != nil {
		return d, err
	}
	switch {
	case r.AsWas != 0:
		err = s.asWas(&d, r.AsWas)
	case r.From != 0:
		err = s.merged(&d, r.From)
	default:
		err = s.pristine(&d)
	}
	if err != nil {
		return d, err
	}
	if err := s.Subvols.Sync(s.Nodes.Top); err != nil {
		return d, err
	}
	return d, s.Put(d)
}

func (s *Store) pristineEtc(nodeNumber int) string {
	return filepath.Join(s.Nodes.Root(nodeNumber), "etc")
}

// pristine makes a first /etc: the node's own.
func (s *Store) pristine(d *Deployment) error {
	if err := s.Subvols.Create(s.abs(d.Number, d.Etc)); err != nil {
		return err
	}
	_, err := s.mergeInto(etcmerge.Merge, s.abs(d.Number, d.Etc), "", "", s.pristineEtc(d.Node))
	return err
}

func (s *Store) asWas(d *Deployment, old int) error {
	o, err := s.Get(old)
	if err != nil {
		return err
	}
	return s.Subvols.Snapshot(s.EtcPath(o), s.abs(d.Number, d.Etc), false)
}

// merged makes an /etc from the live one of deployment from and the node's.
func (s *Store) merged(d *Deployment, from int) error {
	old, err := s.Get(from)
	if err != nil {
		return err
	}
	d.From, d.FromEtc, d.FromBase = from, old.Etc, "etc.from"
	// The generation is read before the snapshot: an edit in between is then
	// folded once more, never missed.
	if d.FromGen, err = s.Subvols.Generation(s.EtcPath(old)); err != nil {
		return err
	}
	if err := s.Subvols.Snapshot(s.EtcPath(old), s.abs(d.Number, d.FromBase), true); err != nil {
		return err
	}
	if err := s.Subvols.Snapshot(s.abs(d.Number, d.FromBase), s.abs(d.Number, d.Etc), false); err != nil {
		return err
	}
	res, err := s.mergeInto(etcmerge.Merge, s.abs(d.Number, d.Etc), s.pristineEtc(old.Node), s.abs(d.Number, d.FromBase), s.pristineEtc(d.Node))
	d.Conflicts, d.Notes = res.Conflicts, res.Notes
	return err
}

// Fold carries what changed in the live /etc of the deployment that d was
// merged from, since then, into a new /etc of d. It reports whether there was
// anything to carry. It is run at shutdown, and again at d's first boot before
// /etc is mounted, where a power cut may have come between.
func (s *Store) Fold(d Deployment) (Deployment, bool, error) {
	if d.From == 0 || d.FromBase == "" {
		return d, false, nil
	}
	old, err := s.Get(d.From)
	var none *NotFoundError
	if errors.As(err, &none) {
		return d, false, nil // collected since: nothing of it can be late
	}
	if err != nil {
		return d, false, err
	}
	gen, err := s.Subvols.Generation(s.EtcPath(old))
	if err != nil || gen <= d.FromGen && old.Etc == d.FromEtc {
		return d, false, err
	}
	next := d
	k, err := strconv.Atoi(strings.TrimPrefix(d.Etc, "etc."))
	if err != nil {
		return d, false, fmt.Errorf("deployment %d: unexpected name of its /etc: %q", d.Number, d.Etc)
	}
	next.Etc = "etc." + strconv.Itoa(k+1)
	next.FromBase = "etc.from." + strconv.Itoa(k+1)
	next.FromEtc, next.FromGen = old.Etc, gen
	// A fold that was cut short may have left both names behind.
	for _, e := range []string{next.Etc, next.FromBase} {
		if err := s.dropEtc(d.Number, e); err != nil && !isNotExist(err) {
			return d, false, err
		}
	}
	if err := s.Subvols.Snapshot(s.EtcPath(old), s.abs(d.Number, next.FromBase), true); err != nil {
		return d, false, err
	}
	if err := s.Subvols.Snapshot(s.abs(d.Number, next.FromBase), s.abs(d.Number, next.Etc), false); err != nil {
		return d, false, err
	}
	res, err := s.mergeInto(etcmerge.Late, s.abs(d.Number, next.Etc), s.abs(d.Number, d.FromBase), s.abs(d.Number, next.FromBase), s.EtcPath(d))
	if err != nil {
		return d, false, err
	}
	next.Conflicts, next.Notes = append(next.Conflicts, res.Conflicts...), append(next.Notes, res.Notes...)
	if err := s.Subvols.Sync(s.Nodes.Top); err != nil {
		return d, false, err
	}
	return next, true, s.Put(next)
}

// merge is etcmerge.Merge, or Late.
type merge func(base, live, next etcmerge.Tree, src etcmerge.Source, keyed etcmerge.KeyedMerge) (etcmerge.Result, error)

// mergeInto changes the tree at target (a snapshot of live, or an empty
// subvolume where base and live are "") into the merge of the three trees.
func (s *Store) mergeInto(how merge, target, base, live, next string) (etcmerge.Result, error) {
	var sides [3]Dir
	for i, p := range []string{base, live, next} {
		if p == "" {
			continue
		}
		d, err := s.Open(p)
		if err != nil {
			return etcmerge.Result{}, err
		}
		defer d.Close()
		sides[i] = d
	}
	var trees [3]etcmerge.Tree
	for i, d := range sides {
		if d == nil {
			trees[i] = etcmerge.Tree{".": {}}
			continue
		}
		t, err := scan(d)
		if err != nil {
			return etcmerge.Result{}, err
		}
		trees[i] = t
	}
	res, err := how(trees[etcmerge.Base], trees[etcmerge.Live], trees[etcmerge.Next], source(sides), s.Keyed)
	if err != nil {
		return res, err
	}
	out, err := s.Open(target)
	if err != nil {
		return res, err
	}
	defer out.Close()
	if err := apply(out, sides[etcmerge.Next], res.Changes); err != nil {
		return res, err
	}
	return res, sweep(out, trees[etcmerge.Live])
}

// SweepEtc removes what was being written in a deployment's own /etc when the power
// went: temporary files from before the machine was started.
func (s *Store) SweepEtc(d Deployment, started time.Time) error {
	dir, err := s.Open(s.EtcPath(d))
	if err != nil {
		return err
	}
	defer dir.Close()
	var left []string
	err = dir.Walk(func(name string, info fs.FileInfo) error {
		if info.Mode().IsRegular() && node.Unfinished(path.Base(name)) && info.ModTime().Before(started) {
			left = append(left, name)
		}
		return nil
	})
	for _, name := range left {
		err = errors.Join(err, dir.Remove(name))
	}
	return err
}

// sweep removes what was being written in the live /etc when the power went, or it
// would be in every one from then on.
func sweep(out Dir, live etcmerge.Tree) error {
	for p, e := range live {
		if e.Type.IsRegular() && node.Unfinished(path.Base(p)) {
			if err := out.Remove(p); err != nil && !isNotExist(err) {
				return err
			}
		}
	}
	return nil
}

type source [3]Dir

func (s source) Content(side etcmerge.Side, p string) ([]byte, error) {
	return s[side].ReadFile(path.Clean(p))
}
