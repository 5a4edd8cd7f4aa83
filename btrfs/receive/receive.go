// SPDX-License-Identifier: GPL-3.0-or-later

package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/stream"
)

// Options says what a stream may build on.
type Options struct {
	// Parent is the read-only subvolume that the stream leads on from; "": it
	// must be a whole one.
	Parent string
	// Sources are more read-only subvolumes that the stream may clone from.
	Sources []string
	// Decode writes compressed data decoded: it is then checked on its way in.
	Decode bool
}

// Origin is what was sent.
type Origin struct {
	Name       string // of the subvolume, there
	UUID       btrfs.UUID
	Generation uint64
	Commands   int   // that were carried out
	Bytes      int64 // of data that were written
}

// ParentError says that a stream builds on another subvolume than Parent.
type ParentError struct {
	Want btrfs.UUID // zero: on none
	Have string
}

func (e *ParentError) Error() string {
	switch {
	case e.Want.IsZero():
		return "receive: the stream is a whole system, and builds on none"
	case e.Have == "":
		return fmt.Sprintf("receive: the stream builds on the subvolume %s, which is not here", e.Want)
	}
	return fmt.Sprintf("receive: the stream builds on the subvolume %s, and %s is another", e.Want, e.Have)
}

// Hint says how such a stream can be had in another way.
func (e *ParentError) Hint() string {
	if e.Want.IsZero() {
		return ""
	}
	return "receive what it builds on first, or have it sent whole"
}

// Receive makes the subvolume dst out of the stream, read-only. Where it fails,
// what is there by then stays, writable: delete it.
func Receive(ctx context.Context, r *stream.Reader, dst string, o Options) (Origin, error) {
	var err error
	if o.Parent == "" {
		err = btrfs.Create(dst)
	} else {
		err = btrfs.Snapshot(o.Parent, dst, false)
	}
	if err != nil {
		return Origin{}, err
	}
	origin, err := Apply(ctx, r, dst, o)
	if err != nil {
		return origin, err
	}
	if err := btrfs.SyncFS(dst); err != nil {
		return origin, err
	}
	if err := btrfs.SetReceived(dst, origin.UUID, origin.Generation); err != nil {
		return origin, err
	}
	return origin, btrfs.SetReadOnly(dst, true)
}

// Apply carries the stream out in the writable subvolume root: an empty one, or
// a snapshot of o.Parent. Nobody else may change that meanwhile. Nothing is
// synced.
func Apply(ctx context.Context, r *stream.Reader, root string, o Options) (origin Origin, err error) {
	a := &applier{decode: o.Decode}
	defer func() { err = errors.Join(err, a.close()) }()
	first, err := r.Next()
	if err != nil {
		return origin, err
	}
	origin = Origin{Name: first.Path, UUID: btrfs.UUID(first.UUID), Generation: first.Ctransid}
	if err := checkParent(first, o.Parent); err != nil {
		return origin, err
	}
	if err := a.open(root, first.UUID, o); err != nil {
		return origin, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return origin, context.Cause(ctx)
		}
		c, err := r.Next()
		if err == io.EOF {
			return origin, a.closeFile()
		}
		if err != nil {
			return origin, err
		}
		if err := a.do(c); err != nil {
			return origin, fmt.Errorf("receive: %s %q: %w", c.Kind, c.Path, err)
		}
		origin.Commands++
		origin.Bytes = a.written
	}
}

// checkParent holds that the stream begins with what it builds on, and that this
// is what is here.
func checkParent(first *stream.Command, parent string) error {
	switch {
	case first.Kind == stream.Subvol && parent == "":
		return nil
	case first.Kind == stream.Subvol:
		return &ParentError{Have: parent}
	case first.Kind != stream.Snapshot:
		return fmt.Errorf("receive: the stream begins with %s", first.Kind)
	}
	want := btrfs.UUID(first.CloneUUID)
	if parent == "" {
		return &ParentError{Want: want}
	}
	info, err := btrfs.Info(parent)
	if err != nil {
		return err
	}
	if !info.ReadOnly || info.UUID != want && info.ReceivedUUID != want {
		return &ParentError{Want: want, Have: parent}
	}
	return nil
}

// open opens the root to work below, and those to clone from.
func (a *applier) open(root string, self stream.UUID, o Options) (err error) {
	if a.root, err = openDir(root); err != nil {
		return err
	}
	a.sources = map[stream.UUID]*os.File{self: a.root}
	paths := o.Sources
	if o.Parent != "" {
		paths = append([]string{o.Parent}, paths...)
	}
	for _, p := range paths {
		info, err := btrfs.Info(p)
		if err != nil {
			return err
		}
		dir, err := openDir(p)
		if err != nil {
			return err
		}
		a.opened = append(a.opened, dir)
		for _, id := range []btrfs.UUID{info.UUID, info.ReceivedUUID} {
			if _, taken := a.sources[stream.UUID(id)]; !taken && !id.IsZero() {
				a.sources[stream.UUID(id)] = dir
			}
		}
	}
	return nil
}
