// SPDX-License-Identifier: GPL-3.0-or-later

package compare

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/stream"
)

// Subvolumes tells what differs in now against before, both read-only, sorted by
// path. They need not be related; related ones share what the kernel can skip.
func Subvolumes(ctx context.Context, before, now string) ([]Change, error) {
	book, err := readStream(ctx, before, now)
	if err != nil {
		return nil, err
	}
	c := &comparer{}
	if c.before, err = os.Open(before); err != nil {
		return nil, err
	}
	defer c.before.Close()
	if c.now, err = os.Open(now); err != nil {
		return nil, err
	}
	defer c.now.Close()

	paths, err := book.candidates(func(dir string) ([]string, error) { return namesIn(c.before, dir) })
	if err != nil {
		return nil, err
	}
	if err := c.otherNames(paths); err != nil {
		return nil, err
	}
	changes, err := c.lookAtAll(ctx, paths)
	if err != nil {
		return nil, err
	}
	return c.pairRenames(changes, paths)
}

// readStream lets the kernel compare the trees.
func readStream(ctx context.Context, before, now string) (*ledger, error) {
	book := newLedger()
	in, out := io.Pipe()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := btrfs.Send(ctx, out, now, btrfs.SendOptions{Parent: before, NoData: true})
		out.CloseWithError(err)
		return err
	})
	group.Go(func() (err error) {
		defer func() { in.CloseWithError(err) }()
		r, err := stream.NewReader(in)
		if err != nil {
			return err
		}
		for {
			c, err := r.Next()
			if err == io.EOF {
				_, err := io.Copy(io.Discard, in)
				return err
			}
			if err != nil {
				return err
			}
			if err := book.note(c); err != nil {
				return err
			}
		}
	})
	return book, group.Wait()
}

// comparer looks at paths in both trees.
type comparer struct {
	before, now *os.File // their roots
}

// otherNames adds the other names of files: a stream touches a file by one.
func (c *comparer) otherNames(paths map[string]candidate) error {
	more := map[string]candidate{}
	for p, cand := range paths {
		f, err := look(c.now, p)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if f.links < 2 || f.Type == "dir" {
			continue
		}
		names, err := btrfs.Names(c.now, f.inode)
		if err != nil {
			return err
		}
		for _, name := range names {
			known := paths[name]
			known.data = known.data || cand.data || more[name].data
			more[name] = known
		}
	}
	for p, cand := range more {
		paths[p] = cand
	}
	return nil
}

func (c *comparer) lookAtAll(ctx context.Context, paths map[string]candidate) (map[string]Change, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, runtime.NumCPU()))
	var mu sync.Mutex
	out := map[string]Change{}
	const batch = 64 // a goroutine a path would cost more than a look
	for list := range slices.Chunk(sortedKeys(paths), batch) {
		group.Go(func() error {
			for _, p := range list {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				change, differs, err := c.one(p, p, paths[p].data)
				if err != nil {
					return err
				}
				if differs {
					mu.Lock()
					out[p] = change
					mu.Unlock()
				}
			}
			return nil
		})
	}
	return out, group.Wait()
}

// pairRenames makes one change of a path that went and the one that it went to.
func (c *comparer) pairRenames(changes map[string]Change, paths map[string]candidate) ([]Change, error) {
	for _, p := range sortedKeys(changes) {
		from := paths[p].from
		if from == "" || changes[p].Op != Added || changes[from].Op != Removed {
			continue
		}
		change, _, err := c.one(from, p, paths[p].data)
		if err != nil {
			return nil, err
		}
		if slices.Contains(change.What, Type) {
			continue // another thing that got its inode number
		}
		change.Op, change.From, change.Path = Renamed, from, p
		changes[p] = change
		delete(changes, from)
	}
	out := make([]Change, 0, len(changes))
	for _, change := range changes {
		out = append(out, change)
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
