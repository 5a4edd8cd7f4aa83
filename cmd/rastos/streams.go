// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"io"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/compare"
	"github.com/rastos/rastos/btrfs/receive"
	"github.com/rastos/rastos/btrfs/stream"
)

// streams sends and receives by the kernel of this machine.
type streams struct{}

// Send sends data as it is compressed on the disk where the kernel can: it is
// less, and nothing has to be packed and unpacked.
func (streams) Send(ctx context.Context, w io.Writer, root, parent string) error {
	o := btrfs.SendOptions{Parent: parent}
	if btrfs.StreamVersion() >= 2 {
		o.Version, o.Compressed = 2, true
	}
	return btrfs.Send(ctx, w, root, o)
}

func (streams) Receive(ctx context.Context, r io.Reader, root, parent string) error {
	s, err := stream.NewReader(r)
	if err != nil {
		return err
	}
	origin, err := receive.Apply(ctx, s, root, receive.Options{Parent: parent})
	if err != nil {
		return err
	}
	if err := btrfs.SyncFS(root); err != nil {
		return err
	}
	return btrfs.SetReceived(root, origin.UUID, origin.Generation)
}

func (streams) Compare(ctx context.Context, before, now string) ([]compare.Change, error) {
	return compare.Subvolumes(ctx, before, now)
}
