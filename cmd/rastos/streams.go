// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"io"
	"os"

	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/compare"
	"github.com/rastos/rastos/btrfs/receive"
	"github.com/rastos/rastos/btrfs/stream"
	"github.com/rastos/rastos/internal/host/run"
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

// remote runs ssh, or what a person put in its place, and talks with what is at
// the other end. What it says of itself goes beside what rastos prints.
func remote(ctx context.Context, argv []string, talk func(to io.WriteCloser, from io.Reader) error) error {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		return err
	}
	defer out.Close()
	p, err := run.Runner{KeepLocale: true}.Start(ctx, run.Command{Argv: argv, Stdin: theirIn, Stdout: theirOut, Stderr: os.Stderr})
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		return err
	}
	err = talk(in, out)
	in.Close()
	out.Close()
	_, ended := p.Wait()
	if err != nil {
		return err // it knows more than an exit code
	}
	return ended
}
