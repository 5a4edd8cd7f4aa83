// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"

	"github.com/rastos/rastos/btrfs/compare"
)

// copyStreams stands in for btrfs where there is none: the stream of a tree is all
// of it, in a tar archive.
type copyStreams struct{}

func (copyStreams) Send(_ context.Context, w io.Writer, root, _ string) error {
	t := tar.NewWriter(w)
	return errors.Join(t.AddFS(os.DirFS(root)), t.Close())
}

func (copyStreams) Receive(_ context.Context, r io.Reader, root, _ string) error {
	top, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer top.Close()
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeDir {
			if err := top.MkdirAll(h.Name, 0o755); err != nil {
				return err
			}
			continue
		}
		data, err := io.ReadAll(t)
		if err == nil {
			err = top.WriteFile(h.Name, data, 0o755)
		}
		if err != nil {
			return err
		}
	}
}

func (copyStreams) Compare(context.Context, string, string) ([]compare.Change, error) {
	return nil, nil
}
