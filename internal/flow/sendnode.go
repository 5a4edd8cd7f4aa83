// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/parcel"
	"github.com/rastos/rastos/internal/report"
)

// SendRequest says which node goes where.
type SendRequest struct {
	Node   string
	Parent string // the node that the receiver has; "": whole, or what the other machine has
	Whole  bool   // build on nothing, whatever the other machine has
	File   string // a file to write, by way of FILE.part, which is continued; "": see Out and Argv
	Out    io.Writer
	Argv   []string // a program that leads to `rastos snapshot receive -` of another machine
}

// Sent is what was sent.
type Sent struct {
	Node   node.Node `json:"node"`
	Parent int       `json:"parent,omitempty"` // the node that it builds on
	Had    int       `json:"had,omitempty"`    // the number that the receiver had it by already: nothing was sent
	Got    int       `json:"got,omitempty"`    // the number that the receiver gave it
	parcel.Trailer
	Resumed int `json:"resumed,omitempty"` // pieces that had been sent before
}

// sending is one node on its way.
type sending struct {
	m    *Machine
	sys  *System
	sink report.Sink
	sent Sent
}

// SendNode sends a node to a file, a stream or another machine.
func (m *Machine) SendNode(ctx context.Context, sink report.Sink, r SendRequest) (Sent, error) {
	if err := m.needRoot("snapshot send"); err != nil {
		return Sent{}, err
	}
	sys, err := m.Running()
	if err != nil {
		return Sent{}, err
	}
	defer sys.Close()
	s := sending{m: m, sys: sys, sink: sink}
	if s.sent.Node, err = sys.find(r.Node); err != nil {
		return s.sent, err
	}
	parent := node.Node{}
	if r.Parent != "" {
		if parent, err = sys.find(r.Parent); err != nil {
			return s.sent, err
		}
	}
	// The kernel deletes no subvolume that is being sent.
	switch {
	case len(r.Argv) > 0:
		return s.sent, s.remote(ctx, r, parent)
	case r.File != "":
		return s.sent, s.file(ctx, r.File, parent)
	}
	return s.sent, s.pack(ctx, r.Out, parent, parcel.Point{})
}

// travelling is what is told of a node elsewhere: not what holds for this machine,
// nor what people call it here, which would keep it there.
func travelling(n node.Node) node.Node {
	n.UUID, n.Origin = n.Identity(), ""
	n.Number, n.Parent, n.Replaces, n.With = 0, 0, 0, 0
	n.Label, n.Alias, n.Pinned, n.Doomed, n.Owned, n.Taken = "", "", false, false, false, false
	return n
}

func parcelHeader(n node.Node, parent string) (parcel.Header, error) {
	n = travelling(n)
	text, err := json.Marshal(n)
	return parcel.Header{ID: n.UUID, Parent: parent, Node: text}, err
}

// pack writes the parcel, without the pieces that the receiver has.
func (s *sending) pack(ctx context.Context, w io.Writer, parent node.Node, after parcel.Point) error {
	h, err := parcelHeader(s.sent.Node, parent.Identity())
	if err != nil {
		return err
	}
	from := ""
	if parent.Number != 0 {
		from = s.sys.Nodes.Root(parent.Number)
	}
	p, err := parcel.NewWriter(w, h, after)
	if err != nil {
		return err
	}
	what := "whole"
	if from != "" {
		what = "on top of node " + strconv.Itoa(parent.Number)
	}
	task := report.Begin(s.sink, fmt.Sprintf("send node %d %s", s.sent.Node.Number, what), 0, "")
	if err = s.m.Streams.Send(ctx, p, s.sys.Nodes.Root(s.sent.Node.Number), from); err == nil {
		s.sent.Trailer, err = p.Close()
	}
	task.End(err, report.Size(s.sent.Size))
	s.sent.Parent, s.sent.Resumed = parent.Number, after.Pieces
	return err
}

// file writes a parcel beside its place, continuing one that was interrupted, and
// then into it.
func (s *sending) file(ctx context.Context, name string, parent node.Node) (err error) {
	h, err := parcelHeader(s.sent.Node, parent.Identity())
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name+".part", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	spool, err := parcel.OpenSpool(f, h)
	if err != nil {
		return err
	}
	if !spool.Complete() {
		err := s.through(ctx, parent, spool.Point(), func(r io.Reader) error {
			pieces, err := parcel.NewReader(r)
			if err != nil {
				return err
			}
			return spool.Fill(pieces)
		})
		if err != nil {
			return err
		}
	} else if s.sent.Trailer, err = completed(spool); err != nil {
		return err
	}
	if err := os.Rename(name+".part", name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// completed reads the end of a parcel that an earlier run completed.
func completed(s *parcel.Spool) (t parcel.Trailer, err error) {
	r, err := s.Open()
	if err != nil {
		return t, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return t, err
	}
	t, _ = r.Trailer()
	return t, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// through packs into a reader. Where the stream is another than the one that was
// begun, it begins anew.
func (s *sending) through(ctx context.Context, parent node.Node, after parcel.Point, take func(io.Reader) error) error {
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := s.pack(ctx, w, parent, after)
		var diverged *parcel.DivergedError
		if errors.As(err, &diverged) {
			report.Notef(s.sink, "%v: it is sent from its beginning", err)
			err = s.pack(ctx, w, parent, parcel.Point{})
		}
		w.CloseWithError(err)
		packed <- err
	}()
	err := take(r)
	r.CloseWithError(errors.Join(errors.New("the receiver ended"), err))
	sent := <-packed
	if sent != nil && (err == nil || ctx.Err() != nil) {
		return sent
	}
	return err
}

// remote sends to another machine, which says what it has.
func (s *sending) remote(ctx context.Context, r SendRequest, parent node.Node) error {
	parents, err := s.candidates(r, parent)
	if err != nil {
		return err
	}
	return s.m.Remote(ctx, r.Argv, func(to io.WriteCloser, from io.Reader) error {
		defer to.Close()
		answers := json.NewDecoder(bufio.NewReader(from))
		if err := writeOffer(to, s.sent.Node, parents); err != nil {
			return err
		}
		var a answer
		if err := answers.Decode(&a); err != nil {
			return fmt.Errorf("the other machine does not answer as `rastos snapshot receive -` does: %w", err)
		}
		if err := a.failure(); err != nil {
			return err
		}
		if a.Have != 0 {
			s.sent.Had = a.Have
			return to.Close()
		}
		base := node.Node{}
		if i := slices.IndexFunc(parents, func(n node.Node) bool { return n.Identity() == a.Parent }); i >= 0 {
			base = parents[i]
		} else if a.Parent != "" {
			return fmt.Errorf("the other machine wants to build on %q, which was not offered", a.Parent)
		}
		err := s.through(ctx, base, a.Point, func(r io.Reader) error {
			_, err := io.Copy(to, r)
			return err
		})
		// Where it ended in the middle, its own word says why.
		to.Close()
		var done answer
		if derr := answers.Decode(&done); derr == nil {
			if ferr := done.failure(); ferr != nil {
				return ferr
			}
			s.sent.Got = done.Made
		} else if err == nil {
			return fmt.Errorf("the other machine ended without a word: %w", derr)
		}
		return err
	})
}

// candidates are the nodes that a stream could build on, the best first: what the
// node came from, then the newest.
func (s *sending) candidates(r SendRequest, parent node.Node) ([]node.Node, error) {
	if parent.Number != 0 || r.Whole {
		if parent.Number == 0 {
			return nil, nil
		}
		return []node.Node{parent}, nil
	}
	all, err := s.sys.Nodes.List()
	if err != nil {
		return nil, err
	}
	known := map[int]node.Node{}
	for _, n := range all {
		known[n.Number] = n
	}
	var out []node.Node
	seen := map[int]bool{s.sent.Node.Number: true}
	add := func(n node.Node) {
		if n.Number != 0 && !seen[n.Number] && !n.Doomed {
			seen[n.Number] = true
			out = append(out, n)
		}
	}
	for queue := []int{s.sent.Node.Number}; len(queue) > 0; queue = queue[1:] {
		n := known[queue[0]]
		for _, up := range []int{n.Replaces, n.Parent} {
			if !seen[up] && known[up].Number != 0 {
				queue = append(queue, up)
			}
			add(known[up])
		}
	}
	for _, n := range slices.Backward(all) {
		add(n)
	}
	return out, nil
}
