// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/parcel"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/testkit/grove"
)

// grown makes nodes, each on top of the one before, of trees grown by chance.
func (b *diskBox) grown(seed uint64, n int) (out []node.Node) {
	base := 0
	for i := range n {
		one := b.node(base, node.Node{Label: "grown", Owned: true}, func(tree testTree) {
			g := grove.New(b.t, tree.Dir, seed+uint64(i))
			if base == 0 {
				g.Plant(50)
				big := make([]byte, 9<<20) // some pieces
				_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(big)
				b.check(os.WriteFile(filepath.Join(tree.Dir, "big"), big, 0o644))
			}
			g.Change(40)
		})
		out, base = append(out, one), one.Number
	}
	return out
}

// sameNode holds a received node against the one that was sent.
func (b *diskBox) sameNode(from *diskBox, sent node.Node, number int) {
	b.t.Helper()
	got, err := b.sys.Nodes.Get(number)
	b.check(err)
	if got.Identity() != sent.Identity() || got.Origin != sent.Identity() || got.UUID == sent.UUID || got.Reason != sent.Reason || got.Owned {
		b.t.Errorf("received %+v of %+v", got, sent)
	}
	if diff := cmp.Diff(grove.Walk(b.t, from.sys.Nodes.Root(sent.Number)), grove.Walk(b.t, b.sys.Nodes.Root(number))); diff != "" {
		b.t.Errorf("node %d: -sent +received:\n%s", sent.Number, diff)
	}
}

func (b *diskBox) clean() {
	b.t.Helper()
	for _, dir := range []string{"work", "incoming"} {
		entries, err := os.ReadDir(filepath.Join(b.sys.Nodes.Top, node.Folder, dir))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			b.t.Fatal(err)
		}
		for _, e := range entries {
			b.t.Errorf("left: %s/%s", dir, e.Name())
		}
	}
}

func TestNodesTravelByFiles(t *testing.T) {
	testkit.Integration(t)
	a, b := newDiskBox(t), newDiskBox(t)
	nodes := a.grown(11, 2)
	ctx, whole, step := t.Context(), filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "step")

	sent, err := a.SendNode(ctx, report.Discard{}, SendRequest{Node: "1", File: whole})
	a.check(err)
	if sent.Parent != 0 || sent.Pieces < 3 {
		t.Errorf("sent %+v", sent)
	}
	sent, err = a.SendNode(ctx, report.Discard{}, SendRequest{Node: "2", Parent: "1", File: step})
	a.check(err)
	if sent.Parent != 1 || sent.Size > 4<<20 {
		t.Errorf("sent %+v", sent)
	}
	take := func(name string) (Received, error) {
		f, err := os.Open(name)
		b.check(err)
		defer f.Close()
		return b.ReceiveNode(ctx, report.Discard{}, ReceiveRequest{From: f})
	}
	var absent *absentParentError
	if _, err := take(step); !errors.As(err, &absent) {
		t.Errorf("a step without what it builds on: %v", err)
	}
	for i, name := range []string{whole, step} {
		got, err := take(name)
		b.check(err)
		b.sameNode(a, nodes[i], got.Node.Number)
		if again, err := take(name); err != nil || !again.Had || again.Node.Number != got.Node.Number {
			t.Errorf("received again: %+v, %v", again, err)
		}
	}
	if n, err := b.sys.Nodes.Get(2); err != nil || n.Parent != 1 {
		t.Errorf("the step is %+v, %v", n, err)
	}
	b.clean()

	// Sent on, it is the same node still.
	c := newDiskBox(t)
	var stream bytes.Buffer
	_, err = b.SendNode(ctx, report.Discard{}, SendRequest{Node: "1", Out: &stream})
	b.check(err)
	got, err := c.ReceiveNode(ctx, report.Discard{}, ReceiveRequest{From: &stream, Naming: Naming{Label: "from b"}})
	c.check(err)
	if got.Node.Label != "from b" {
		t.Errorf("%+v", got)
	}
	c.sameNode(a, nodes[0], got.Node.Number)
}

func TestWhatIsDamagedMakesNoNode(t *testing.T) {
	testkit.Integration(t)
	a, b := newDiskBox(t), newDiskBox(t)
	a.grown(12, 1)
	var stream bytes.Buffer
	_, err := a.SendNode(t.Context(), report.Discard{}, SendRequest{Node: "1", Out: &stream})
	a.check(err)
	good := stream.Bytes()
	for _, bad := range [][]byte{good[:len(good)/2], good[:len(good)-1], flipped(good, len(good)/2), flipped(good, len(good)-5), nil} {
		_, err := b.ReceiveNode(t.Context(), report.Discard{}, ReceiveRequest{From: bytes.NewReader(bad)})
		var damaged *parcel.DamagedError
		if !errors.As(err, &damaged) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
		if list, err := b.sys.Nodes.List(); err != nil || len(list) != 0 {
			t.Errorf("there is a node: %v, %v", list, err)
		}
		b.clean()
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// wire connects a sending machine with a receiving one. It breaks after so many
// bytes; a negative number: never.
func wire(to *diskBox, breaks int) func(context.Context, []string, func(io.WriteCloser, io.Reader) error) error {
	return func(ctx context.Context, _ []string, talk func(io.WriteCloser, io.Reader) error) error {
		theirIn, in := io.Pipe()
		out, theirOut := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			_, err := to.ReceiveNode(ctx, report.Discard{}, ReceiveRequest{From: theirIn, Reply: theirOut})
			theirIn.CloseWithError(errBroken)
			theirOut.Close()
			ended <- err
		}()
		err := talk(&breaking{in, breaks}, out)
		in.Close()
		out.CloseWithError(errBroken)
		<-ended
		return err
	}
}

var errBroken = errors.New("the wire broke")

type breaking struct {
	*io.PipeWriter
	left int
}

func (w *breaking) Write(b []byte) (int, error) {
	if w.left >= 0 {
		if w.left < len(b) {
			w.CloseWithError(errBroken)
			return 0, errBroken
		}
		w.left -= len(b)
	}
	return w.PipeWriter.Write(b)
}

func TestNodesTravelToAnotherMachineAndGoOnWhereTheWireBroke(t *testing.T) {
	testkit.Integration(t)
	a, b := newDiskBox(t), newDiskBox(t)
	nodes := a.grown(13, 3)
	send := func(ref string, breaks int) (Sent, error) {
		a.Remote = wire(b, breaks)
		return a.SendNode(t.Context(), report.Discard{}, SendRequest{Node: ref, Argv: []string{"ssh"}})
	}
	for _, breaks := range []int{0, 100, 3000, 3 << 20, 5 << 20} {
		if _, err := send("1", breaks); err == nil {
			t.Fatalf("a wire that breaks after %d bytes told of nothing", breaks)
		}
		if list, err := b.sys.Nodes.List(); err != nil || len(list) != 0 {
			t.Fatalf("there is a node: %v, %v", list, err)
		}
	}
	sent, err := send("1", -1)
	a.check(err)
	if sent.Resumed == 0 || sent.Got != 1 {
		t.Errorf("it began anew: %+v", sent)
	}
	b.sameNode(a, nodes[0], 1)

	// The parent is chosen by what the other machine has: node 3 came from 2, which
	// it lacks, and that from 1.
	sent, err = send("3", -1)
	a.check(err)
	if sent.Parent != 1 || sent.Got != 2 {
		t.Errorf("sent %+v", sent)
	}
	b.sameNode(a, nodes[2], 2)
	if sent, err = send("3", -1); err != nil || sent.Had != 2 || sent.Pieces != 0 {
		t.Errorf("sent again: %+v, %v", sent, err)
	}
	b.clean()
	a.Remote = func(_ context.Context, _ []string, talk func(io.WriteCloser, io.Reader) error) error {
		return talk(&breaking{nopPipe(), -1}, strings.NewReader("Welcome!\n"))
	}
	if _, err := a.SendNode(t.Context(), report.Discard{}, SendRequest{Node: "1", Argv: []string{"ssh"}}); err == nil || !strings.Contains(err.Error(), "does not answer as") {
		t.Errorf("a machine that does not know it: %v", err)
	}
}

func nopPipe() *io.PipeWriter {
	r, w := io.Pipe()
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return w
}

func TestWhatAStrangerSaysFitsATerminal(t *testing.T) {
	if got := oneLine("upgrade\x1b[2J\nglibc\u202e " + strings.Repeat("ü", 300)); !strings.HasPrefix(got, "upgrade[2Jglibc ü") || len([]rune(got)) != 200 {
		t.Errorf("%q", got)
	}
}

// TestAFileIsContinued: what was written stands, but for the last piece.
func TestAFileIsContinued(t *testing.T) {
	testkit.Integration(t)
	a := newDiskBox(t)
	a.grown(14, 1)
	name := filepath.Join(t.TempDir(), "node")
	_, err := a.SendNode(t.Context(), report.Discard{}, SendRequest{Node: "1", File: name})
	a.check(err)
	want, err := os.ReadFile(name)
	a.check(err)
	for _, cut := range []int{10, len(want) / 2, len(want)} {
		a.check(os.WriteFile(name+".part", want[:cut], 0o600))
		sent, err := a.SendNode(t.Context(), report.Discard{}, SendRequest{Node: "1", File: name})
		a.check(err)
		if cut == len(want)/2 && sent.Resumed == 0 {
			t.Errorf("it began anew: %+v", sent)
		}
		got, err := os.ReadFile(name)
		a.check(err)
		if !bytes.Equal(got, want) || sent.Digest == "" {
			t.Errorf("cut after %d: it has %d bytes of %d; %+v", cut, len(got), len(want), sent)
		}
		if _, err := os.Lstat(name + ".part"); err == nil {
			t.Error("the part is there still")
		}
	}
}
