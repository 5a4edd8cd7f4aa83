// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/parcel"
	"github.com/rastos/rastos/internal/report"
)

const (
	// incomingDir holds parcels that are arriving, to be continued.
	incomingDir = node.Folder + "/incoming"
	// incomingAge is how long one waits for its rest.
	incomingAge = 7 * 24 * time.Hour
	offerMagic  = "rastos-offer 1\n"
)

// offer is the first word between two machines: what the one has to send.
type offer struct {
	Node    node.Node `json:"node"`
	Parents []string  `json:"parents"` // identities of nodes that it could build on, the best first
}

// answer is what the receiving machine says: to the offer, and at the end.
type answer struct {
	Have   int          `json:"have,omitempty"`   // it has that node, by this number
	Parent string       `json:"parent,omitempty"` // what the stream shall build on; "": nothing
	Point  parcel.Point `json:"point"`            // what it has of the stream
	Made   int          `json:"made,omitempty"`   // the number of the new node
	Error  string       `json:"error,omitempty"`
	Hint   string       `json:"hint,omitempty"`
	Exit   int          `json:"exit_code,omitempty"`
}

// remoteError is what went wrong at the other machine.
type remoteError struct{ a answer }

func (e *remoteError) Error() string { return "the other machine: " + e.a.Error }
func (e *remoteError) Hint() string  { return e.a.Hint }
func (e *remoteError) ExitCode() int { return e.a.Exit }

func (a answer) failure() error {
	if a.Error == "" {
		return nil
	}
	return &remoteError{a}
}

func failed(err error) answer {
	a := answer{Error: err.Error(), Hint: report.Hint(err)}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		a.Exit = coded.ExitCode()
	}
	return a
}

func writeOffer(w io.Writer, n node.Node, parents []node.Node) error {
	o := offer{Node: travelling(n), Parents: []string{}}
	for _, p := range parents {
		o.Parents = append(o.Parents, p.Identity())
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, offerMagic+string(text)+"\n")
	return err
}

// ReceiveRequest says what comes, and what people are to call it.
type ReceiveRequest struct {
	From  io.Reader
	Reply io.Writer // where an offer is answered
	Naming
}

// Received is what a received parcel became.
type Received struct {
	Node node.Node `json:"node"`
	// Had: it was here already, and nothing was done.
	Had bool `json:"had,omitempty"`
	// Told: the machine that sent it was told, by Reply.
	Told bool `json:"-"`
}

// ReceiveNode makes a node of a parcel, or talks with the machine that offers
// one. It is a child of the node that it builds on, else a root of the tree.
func (m *Machine) ReceiveNode(ctx context.Context, sink report.Sink, r ReceiveRequest) (Received, error) {
	in := bufio.NewReaderSize(r.From, 1<<20)
	head, _ := in.Peek(len(offerMagic))
	talks := string(head) == offerMagic
	got, err := m.receiveNode(ctx, sink, r, in, talks)
	got.Told = talks
	if talks && r.Reply != nil {
		last := answer{Made: got.Node.Number}
		if err != nil {
			last = failed(err)
		}
		if !got.Had {
			err = errors.Join(err, json.NewEncoder(r.Reply).Encode(last))
		}
	}
	return got, err
}

func (m *Machine) receiveNode(ctx context.Context, sink report.Sink, r ReceiveRequest, in *bufio.Reader, talks bool) (got Received, err error) {
	if err := r.check(); err != nil {
		return got, err
	}
	if err := m.needRoot("snapshot receive"); err != nil {
		return got, err
	}
	sys, err := m.Running()
	if err != nil {
		return got, err
	}
	defer sys.Close()
	if talks {
		return m.converse(ctx, sink, sys, r, in)
	}
	p, err := parcel.NewReader(in)
	if err != nil {
		return got, err
	}
	if p.From != 0 {
		return got, &parcel.DamagedError{What: "it is the rest of one"}
	}
	return m.unpackNode(ctx, sink, sys, p.Header, p, r.Naming)
}

// having finds the node that has an identity.
func (sys *System) having(id string) (node.Node, bool, error) {
	all, err := sys.Nodes.List()
	if err != nil {
		return node.Node{}, false, err
	}
	for _, n := range all {
		if n.Identity() == id && id != "" && !n.Doomed {
			return n, true, nil
		}
	}
	return node.Node{}, false, nil
}

// identity is what may name a file.
var identity = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// converse answers an offer and takes what follows, by way of a file that keeps
// what came when it is interrupted.
func (m *Machine) converse(ctx context.Context, sink report.Sink, sys *System, r ReceiveRequest, in *bufio.Reader) (got Received, err error) {
	if _, err := in.Discard(len(offerMagic)); err != nil {
		return got, err
	}
	line, err := in.ReadBytes('\n')
	if err != nil {
		return got, fmt.Errorf("read the offer of the other machine: %w", err)
	}
	var o offer
	if err := json.Unmarshal(line, &o); err != nil {
		return got, fmt.Errorf("read the offer of the other machine: %w", err)
	}
	if !identity.MatchString(o.Node.UUID) {
		return got, &parcel.DamagedError{What: fmt.Sprintf("%q is no identity of a node", o.Node.UUID)}
	}
	var here bool
	if got.Node, here, err = sys.having(o.Node.UUID); err != nil || here {
		got.Had = here
		return got, errors.Join(err, json.NewEncoder(r.Reply).Encode(answer{Have: got.Node.Number}))
	}
	a := answer{}
	for _, p := range o.Parents {
		if _, here, err := sys.having(p); err != nil {
			return got, err
		} else if here {
			a.Parent = p
			break
		}
	}
	return m.fetchParcel(ctx, sink, sys, r, in, o.Node, a)
}

func (m *Machine) fetchParcel(ctx context.Context, sink report.Sink, sys *System, r ReceiveRequest, in io.Reader, n node.Node, a answer) (got Received, err error) {
	if err := sys.files.MkdirAll(incomingDir, 0o700); err != nil {
		return got, err
	}
	name := path.Join(incomingDir, n.UUID+".parcel")
	full := filepath.Join(sys.Nodes.Top, filepath.FromSlash(name))
	release, err := m.Hold(full + ".lock")
	if err != nil {
		return got, err
	}
	defer release()
	f, err := os.OpenFile(full, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return got, err
	}
	defer f.Close()
	h, err := parcelHeader(n, a.Parent)
	if err != nil {
		return got, err
	}
	spool, err := parcel.OpenSpool(f, h)
	if err != nil {
		return got, err
	}
	if spool.Complete() {
		// A cut came between the last piece and the node.
		return m.arrived(ctx, sink, sys, r, spool, name)
	}
	a.Point = spool.Point()
	if err := json.NewEncoder(r.Reply).Encode(a); err != nil {
		return got, err
	}
	task := report.Begin(sink, "receive a node", 0, "")
	p, err := parcel.NewReader(in)
	if err == nil {
		err = spool.Fill(p)
	}
	task.End(err, "")
	if err != nil {
		return got, err
	}
	return m.unspool(ctx, sink, sys, r.Naming, spool, name)
}

// arrived is for a parcel that came whole in an earlier run.
func (m *Machine) arrived(ctx context.Context, sink report.Sink, sys *System, r ReceiveRequest, spool *parcel.Spool, name string) (Received, error) {
	got, err := m.unspool(ctx, sink, sys, r.Naming, spool, name)
	if err != nil {
		return got, err
	}
	got.Had = true
	return got, json.NewEncoder(r.Reply).Encode(answer{Have: got.Node.Number})
}

// unspool makes a node of a parcel that came whole.
func (m *Machine) unspool(ctx context.Context, sink report.Sink, sys *System, name Naming, spool *parcel.Spool, file string) (got Received, err error) {
	p, err := spool.Open()
	if err != nil {
		return got, err
	}
	if got, err = m.unpackNode(ctx, sink, sys, p.Header, p, name); err != nil {
		return got, err
	}
	return got, sys.files.RemoveAll(file)
}

// absentParentError says that a parcel builds on a node that is not here.
type absentParentError struct{ id string }

func (e *absentParentError) Error() string {
	return fmt.Sprintf("the node builds on another one (%s), which is not here", e.id)
}
func (e *absentParentError) Hint() string {
	return "receive that one first, or have this one sent without --parent"
}

// unpackNode makes a node of what is told of it and its stream, whose end comes
// when all of it was verified. Until it is sealed, a cut leaves nothing.
func (m *Machine) unpackNode(ctx context.Context, sink report.Sink, sys *System, h parcel.Header, stream io.Reader, name Naming) (got Received, err error) {
	var sent node.Node
	if err := json.Unmarshal(h.Node, &sent); err != nil {
		return got, &parcel.DamagedError{What: "its node.json: " + err.Error()}
	}
	if !identity.MatchString(h.ID) {
		return got, &parcel.DamagedError{What: fmt.Sprintf("%q is no identity of a node", h.ID)}
	}
	if got.Node, got.Had, err = sys.having(h.ID); err != nil || got.Had {
		return got, err
	}
	parent, here, err := sys.having(h.Parent)
	if err == nil && !here && h.Parent != "" {
		err = &absentParentError{h.Parent}
	}
	if err != nil {
		return got, err
	}
	var work *node.Work
	err = m.locked(sys, sink, func() (err error) {
		work, err = sys.Nodes.Begin(parent.Number, "snapshot receive")
		return err
	})
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, work.Discard()) }() // after the seal there is nothing to discard
	from := ""
	if parent.Number != 0 {
		from = sys.Nodes.Root(parent.Number)
	}
	task := report.Begin(sink, "unpack the node", 0, "")
	err = m.unpack(ctx, stream, work.Root(), from, sent)
	task.End(err, "")
	if err != nil {
		return got, err
	}
	err = m.lockedPatiently(ctx, sys, sink, func() error {
		n := travelling(sent)
		n.Reason, n.Kernel = oneLine(sent.Reason), oneLine(sent.Kernel)
		n.Origin, n.Label, n.Alias = h.ID, name.Label, name.Alias
		got.Node, err = work.Seal(n)
		return err
	})
	return got, err
}

// oneLine makes a text of a stranger fit for a terminal.
func oneLine(text string) string {
	const most = 200
	r := []rune(strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, text))
	return string(r[:min(len(r), most)])
}

// unpack carries the stream out, reads it to its verified end, and holds
// the packages in the tree against what the sender said of it.
func (m *Machine) unpack(ctx context.Context, stream io.Reader, root, parent string, sent node.Node) error {
	if err := m.Streams.Receive(ctx, stream, root, parent); err != nil {
		return err
	}
	rest, err := io.Copy(io.Discard, stream)
	if err != nil {
		return err
	}
	if rest > 0 {
		return &parcel.DamagedError{What: fmt.Sprintf("%d bytes follow the end of its stream", rest)}
	}
	if sent.Packages == "" {
		return nil
	}
	digest, _, err := packageDigest(root)
	if err == nil && digest != sent.Packages {
		err = &parcel.DamagedError{What: "the packages in it are not those that its sender says"}
	}
	return err
}

// tidyIncoming removes parcels that arrived, and those whose rest did not come.
func (m *Machine) tidyIncoming(sys *System) (removed []string, err error) {
	entries, err := sys.files.ReadDir(incomingDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".parcel")
		if !ok {
			continue
		}
		_, here, err := sys.having(id)
		if err != nil {
			return removed, err
		}
		name := path.Join(incomingDir, e.Name())
		info, err := sys.files.Lstat(name)
		if err != nil {
			return removed, err
		}
		if !here && m.Now().Sub(info.ModTime()) < incomingAge {
			continue
		}
		release, err := m.Hold(filepath.Join(sys.Nodes.Top, filepath.FromSlash(name)) + ".lock")
		if err != nil {
			continue // it is arriving
		}
		err = sys.files.RemoveAll(name)
		release()
		if err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, nil
}
