// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"oras.land/oras-go/v2/content/oci"

	"github.com/rastos/rastos/btrfs/compare"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/parcel"
	"github.com/rastos/rastos/internal/registry"
	"github.com/rastos/rastos/internal/report"
)

// cutStreams makes one file of a stream, in two effects.
type cutStreams struct{ b *box }

func (c cutStreams) Send(_ context.Context, w io.Writer, _, _ string) error {
	_, err := w.Write(bytes.Repeat([]byte("tree"), 3<<20))
	return err
}

func (c cutStreams) Receive(_ context.Context, r io.Reader, root, _ string) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	name := filepath.Join(root, filepath.FromSlash(initPath))
	if err := errors.Join(c.b.power.effect(), os.MkdirAll(filepath.Dir(name), 0o755)); err != nil {
		return err
	}
	if err := os.WriteFile(name, data[:len(data)/2], 0o755); err != nil {
		return err
	}
	if err := c.b.power.effect(); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o755)
}

func (cutStreams) Compare(context.Context, string, string) ([]compare.Change, error) { return nil, nil }

// TestReceivingCutAnywhereLeavesANodeOrNoneAndGoesOn cuts the power in every
// effect of receiving from another machine, and receives again.
func TestReceivingCutAnywhereLeavesANodeOrNoneAndGoesOn(t *testing.T) {
	with := func(b *box) {
		b.Streams = cutStreams{b}
		b.Hold = func(string) (func(), error) { return func() {}, b.power.effect() }
	}
	from := newBox(t, 0)
	with(from)
	n, err := from.system(1).Nodes.Get(1)
	from.check(err)
	n.UUID = "far-away"
	offered := func(after parcel.Point) io.Reader {
		var buf bytes.Buffer
		from.check(writeOffer(&buf, n, nil))
		s := sending{m: from.Machine, sys: from.system(1), sink: report.Discard{}, sent: Sent{Node: n}}
		from.check(s.pack(t.Context(), &buf, node.Node{}, after))
		return &buf
	}
	took := func(b *box) (Received, error) {
		return b.ReceiveNode(t.Context(), report.Discard{}, ReceiveRequest{From: offered(parcel.Point{}), Reply: io.Discard, Naming: Naming{Alias: "far"}})
	}
	none, one, goneOn := 0, 0, 0
	atEveryCut(t, with, func(b *box) error {
		_, err := took(b)
		return err
	}, func(b *box, done bool) {
		b.whole()
		sys := b.system(1)
		list, err := sys.Nodes.List()
		b.check(err)
		left, err := os.ReadDir(filepath.Join(b.top, filepath.FromSlash(incomingDir)))
		if err != nil && !os.IsNotExist(err) {
			b.check(err)
		}
		switch {
		case len(list) == 1 && !done:
			none++
			goneOn += len(left)
		case len(list) == 2 && len(left) == 0:
			one++
			data, err := os.ReadFile(filepath.Join(sys.Nodes.Root(list[1].Number), filepath.FromSlash(initPath)))
			if err != nil || len(data) != 12<<20 {
				b.t.Errorf("the node holds %d bytes, %v", len(data), err)
			}
		default:
			b.t.Errorf("done: %v; %d nodes, and left is %v", done, len(list), left)
		}
		got, err := took(b)
		b.check(err)
		if got.Node.Identity() != "far-away" || len(list) == 2 && !got.Had {
			b.t.Errorf("received again: %+v", got)
		}
		b.whole()
		if left, _ := os.ReadDir(filepath.Join(b.top, filepath.FromSlash(incomingDir))); len(left) != 0 {
			b.t.Errorf("left: %v", left)
		}
	})
	if none == 0 || one == 0 || goneOn == 0 {
		t.Errorf("none %d times, one %d times, %d parcels to go on with", none, one, goneOn)
	}
}

// TestPullingCutAnywhereLeavesWholeNodesAndGoesOn cuts the power in every effect of
// pulling a chain of three, and pulls again.
func TestPullingCutAnywhereLeavesWholeNodesAndGoesOn(t *testing.T) {
	store, err := oci.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	with := func(b *box) {
		b.Streams = cutStreams{b}
		b.Registry = func(string, bool) (registry.Store, string, error) { return store, "stable", nil }
	}
	var img *registry.Image
	for _, id := range []string{"one", "two", "three"} {
		step := registry.Step{ID: id, Node: []byte(`{"uuid":"` + id + `","reason":"test","kernel":"1"}`)}
		var kept []registry.Step
		if img != nil {
			kept, step.Parent = img.Steps, img.Last().ID
		}
		img, _, err = registry.Push(t.Context(), store, "stable", img, kept, step, nil, func(w io.Writer) error {
			_, err := io.WriteString(w, "the tree of "+id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pull := func(b *box) (Received, error) {
		return b.PullNode(t.Context(), report.Discard{}, PullRequest{From: "oci://h/x", Unsigned: true, Naming: Naming{Alias: "far"}})
	}
	counts := map[int]int{}
	atEveryCut(t, with, func(b *box) error {
		_, err := pull(b)
		return err
	}, func(b *box, done bool) {
		b.whole()
		list, err := b.system(1).Nodes.List()
		b.check(err)
		counts[len(list)]++
		if done && (len(list) != 2 || list[1].Identity() != "three") {
			b.t.Errorf("acknowledged, and there is %+v", list)
		}
		got, err := pull(b)
		b.check(err)
		if got.Node.Identity() != "three" {
			b.t.Errorf("pulled again: %+v", got)
		}
		data, err := os.ReadFile(filepath.Join(b.system(1).Nodes.Root(got.Node.Number), filepath.FromSlash(initPath)))
		if err != nil || string(data) != "the tree of three" {
			b.t.Errorf("the node holds %q, %v", data, err)
		}
		b.whole()
	})
	if counts[1] == 0 || counts[2] == 0 || counts[3] == 0 {
		t.Errorf("nodes after a cut: %v", counts)
	}
}
