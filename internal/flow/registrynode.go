// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/parcel"
	"github.com/rastos/rastos/internal/registry"
	"github.com/rastos/rastos/internal/report"
)

// PushRequest says which node goes to which image.
type PushRequest struct {
	Node      string
	To        string // oci://HOST/REPOSITORY:TAG
	Key       string // file of the private key that signs it
	Unsigned  bool
	Whole     bool // build on nothing that the image has
	PlainHTTP bool
}

// Pushed is what a push led to.
type Pushed struct {
	Node   node.Node `json:"node"`
	Image  string    `json:"image"`            // digest of its manifest
	Steps  int       `json:"steps"`            // of its chain
	Parent int       `json:"parent,omitempty"` // the node that the pushed one builds on there
	Had    bool      `json:"had,omitempty"`    // the image stood for this node already
	registry.Traffic
}

// signKeyError is a key file that cannot be used.
type signKeyError struct {
	file string
	err  error
}

func (e *signKeyError) Error() string { return "key " + e.file + ": " + e.err.Error() }
func (e *signKeyError) Unwrap() error { return e.err }
func (e *signKeyError) Hint() string {
	return "`openssl genpkey -algorithm ed25519 -out key.pem` makes one, `openssl pkey -in key.pem -pubout` its public half"
}

func readPrivateKey(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	key, err := registry.ParsePrivateKey(text)
	if err != nil {
		return nil, &signKeyError{file, err}
	}
	return key, nil
}

// PushNode pushes a node to a registry: only what leads on from a node that the
// image has and this machine too, where there is one.
func (m *Machine) PushNode(ctx context.Context, sink report.Sink, r PushRequest) (done Pushed, err error) {
	if err := m.needRoot("snapshot push"); err != nil {
		return done, err
	}
	var key ed25519.PrivateKey
	if !r.Unsigned {
		if key, err = readPrivateKey(r.Key); err != nil {
			return done, err
		}
	}
	store, tag, err := m.Registry(r.To, r.PlainHTTP)
	if err != nil {
		return done, err
	}
	sys, err := m.Running()
	if err != nil {
		return done, err
	}
	defer sys.Close()
	if done.Node, err = sys.find(r.Node); err != nil {
		return done, err
	}
	old, err := registry.Load(ctx, store, tag)
	if err != nil {
		return done, err
	}
	if old != nil && key != nil {
		// What this key did not sign, it must not sign now as a part of something.
		if err := old.Verify(ctx, store, []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}); err != nil {
			report.Notef(sink, "%s is not built on: %v", r.To, err)
			old = nil
		}
	}
	if r.Whole {
		old = nil
	}
	return done, m.push(ctx, sink, sys, store, tag, old, key, &done)
}

func (m *Machine) push(ctx context.Context, sink report.Sink, sys *System, store registry.Store, tag string, old *registry.Image, key ed25519.PrivateKey, done *Pushed) error {
	id := done.Node.Identity()
	if old != nil && old.Last().ID == id {
		done.Had, done.Image, done.Steps = true, old.Descriptor.Digest.String(), len(old.Steps)
		return nil
	}
	kept := old.Keep(func(id string) bool { _, here, err := sys.having(id); return err == nil && here })
	var parent node.Node
	if len(kept) > 0 {
		parent, _, _ = sys.having(kept[len(kept)-1].ID)
	}
	write := func(w io.Writer) error {
		from := ""
		if parent.Number != 0 {
			from = sys.Nodes.Root(parent.Number)
		}
		return m.Streams.Send(ctx, w, sys.Nodes.Root(done.Node.Number), from)
	}
	if old != nil {
		if i := slices.IndexFunc(old.Steps, func(s registry.Step) bool { return s.ID == id }); i >= 0 {
			kept, parent, write = old.Steps[:i+1], node.Node{}, nil // back to a version that is there
		}
	}
	h, err := parcelHeader(done.Node, parent.Identity())
	if err != nil {
		return err
	}
	step := registry.Step{ID: h.ID, Parent: h.Parent, Node: h.Node}
	task := report.Begin(sink, fmt.Sprintf("push node %d", done.Node.Number), 0, "")
	img, traffic, err := registry.Push(ctx, store, tag, old, kept, step, key, write)
	task.End(err, report.Size(traffic.Bytes))
	if err != nil {
		return err
	}
	done.Traffic, done.Image, done.Steps, done.Parent = traffic, img.Descriptor.Digest.String(), len(img.Steps), parent.Number
	return nil
}

// PullRequest says which image is wanted, and who may have signed it.
type PullRequest struct {
	From      string
	Keys      []string // files of public keys, in place of those of the manifest
	Unsigned  bool     // take it whoever pushed it
	PlainHTTP bool
	Naming
}

// PullNode makes a node of an image. What leads to it from a node that is here is
// fetched, and no more; nodes in between stay until a deployment is made or collected.
func (m *Machine) PullNode(ctx context.Context, sink report.Sink, r PullRequest) (got Received, err error) {
	if err := r.check(); err != nil {
		return got, err
	}
	if err := m.needRoot("snapshot pull"); err != nil {
		return got, err
	}
	store, tag, err := m.Registry(r.From, r.PlainHTTP)
	if err != nil {
		return got, err
	}
	sys, err := m.Running()
	if err != nil {
		return got, err
	}
	defer sys.Close()
	img, err := m.trustedImage(ctx, sink, store, tag, r)
	if err != nil {
		return got, err
	}
	first := 0
	for i := len(img.Steps) - 1; i >= 0; i-- {
		n, here, err := sys.having(img.Steps[i].ID)
		if err != nil {
			return got, err
		}
		if here {
			if i == len(img.Steps)-1 {
				return Received{Node: n, Had: true}, nil
			}
			first = i + 1
			break
		}
	}
	return m.pullSteps(ctx, sink, sys, store, img, first, r.Naming)
}

// pullSteps makes the nodes of a chain from one on. Those that only lead to the
// last are given up when it is there.
func (m *Machine) pullSteps(ctx context.Context, sink report.Sink, sys *System, store registry.Store, img *registry.Image, first int, name Naming) (got Received, err error) {
	var between []int
	for i := first; i < len(img.Steps); i++ {
		step := img.Steps[i]
		stream, err := img.Open(ctx, store, i)
		if err != nil {
			return got, err
		}
		called := Naming{}
		if i == len(img.Steps)-1 {
			called = name
		}
		got, err = m.unpackNode(ctx, sink, sys, parcel.Header{ID: step.ID, Parent: step.Parent, Node: step.Node}, stream, called)
		if err != nil {
			return got, err
		}
		between = append(between, got.Node.Number)
	}
	if len(between) < 2 {
		return got, nil
	}
	return got, m.lockedPatiently(ctx, sys, sink, func() error {
		for _, n := range between[:len(between)-1] {
			if err := sys.Nodes.Own(n); err != nil {
				return err
			}
		}
		_, err := m.ownerless(sys)
		return err
	})
}

// trustedImage loads an image and looks who signed it.
func (m *Machine) trustedImage(ctx context.Context, sink report.Sink, store registry.Store, tag string, r PullRequest) (*registry.Image, error) {
	img, err := registry.Load(ctx, store, tag)
	if err != nil {
		return nil, err
	}
	if img == nil {
		return nil, report.WithHint(fmt.Errorf("there is no image %s", r.From), "`rastos snapshot push` makes one")
	}
	if r.Unsigned {
		report.Warnf(sink, "nobody looked who made %s", r.From)
		return img, nil
	}
	keys, err := m.trustedKeys(r.Keys)
	if err != nil {
		return nil, err
	}
	return img, img.Verify(ctx, store, keys)
}

// trustedKeys are those of the files, or of the running manifest.
func (m *Machine) trustedKeys(files []string) (out []ed25519.PublicKey, err error) {
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		key, err := registry.ParseKey(string(text))
		if err != nil {
			return nil, &signKeyError{f, err}
		}
		out = append(out, key)
	}
	if len(files) > 0 {
		return out, nil
	}
	mf, err := m.runningManifest()
	if err != nil {
		return nil, err
	}
	for _, text := range mf.Update.Keys {
		key, err := registry.ParseKey(text)
		if err != nil {
			return nil, &signKeyError{"of [update] keys", err}
		}
		out = append(out, key)
	}
	return out, nil
}

// PullPlan is what following a channel leads to.
type PullPlan struct {
	From   string        `json:"from"`
	Deploy *DeployPlan   `json:"deploy,omitempty"` // nil: the newest deployment runs that node already
	Node   node.Node     `json:"node"`
	Diff   *SnapshotDiff `json:"diff,omitempty"` // against what the next change would build on
}

// PlanUpgradeFrom pulls the node of a channel, and plans to deploy it. What it
// pulled is a node beside the others: nothing else is changed.
func (m *Machine) PlanUpgradeFrom(ctx context.Context, sink report.Sink, r PullRequest) (*PullPlan, error) {
	if r.From == "" {
		mf, err := m.runningManifest()
		if err != nil {
			return nil, err
		}
		if r.From = mf.Update.From; r.From == "" {
			return nil, report.WithHint(errors.New("no channel is named"), "say --from oci://HOST/REPOSITORY:TAG, or set [update] from in the manifest")
		}
	}
	got, err := m.PullNode(ctx, sink, r)
	if err != nil {
		return nil, err
	}
	p := &PullPlan{From: r.From, Node: got.Node}
	sys, err := m.Running()
	if err != nil {
		return nil, err
	}
	defer sys.Close()
	head, err := sys.find(node.Head)
	if err != nil || head.Number == got.Node.Number {
		return p, err
	}
	if err := m.fitsAccounts(sys, got.Node); err != nil {
		return nil, err
	}
	p.Diff = &SnapshotDiff{Before: head, After: got.Node}
	if err := m.fillDiff(ctx, sys, p.Diff); err != nil {
		return nil, err
	}
	p.Deploy, err = m.PlanDeploy(got.Node.Number)
	if err == nil {
		p.Deploy.Reason = "upgrade from " + r.From
	}
	return p, err
}

// fitsAccounts holds that no account of a node from elsewhere has another number
// there than here: its files would belong to somebody else.
func (m *Machine) fitsAccounts(sys *System, n node.Node) error {
	t, err := m.Tree(sys.Nodes.Root(n.Number))
	if err != nil {
		return err
	}
	defer t.Close()
	_, err = m.reconciled(sys, t)
	return err
}

// keepMounts gives a deployment of a node from elsewhere this machine's fstab: that
// of the node names the disks of the machine that it was made for.
func (m *Machine) keepMounts(sys *System, r deploy.Request, d deploy.Deployment) error {
	if r.Node.Origin == "" || r.From == 0 {
		return nil
	}
	from, err := sys.Deploys.Get(r.From)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(sys.Deploys.EtcPath(from), "fstab"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t, err := m.Tree(sys.Deploys.EtcPath(d))
	if err != nil {
		return err
	}
	return errors.Join(t.WriteFile("fstab", text, 0o644), t.Close())
}

// own lets a pulled node go with the last deployment that runs it.
func (m *Machine) own(sink report.Sink, number int) error {
	return m.changeNodes(sink, "upgrade", func(sys *System) error { return sys.Nodes.Own(number) })
}

// RunUpgradeFrom deploys what was pulled.
func (m *Machine) RunUpgradeFrom(ctx context.Context, sink report.Sink, p *PullPlan) (deploy.Deployment, error) {
	d, err := m.RunDeploy(ctx, sink, p.Deploy)
	if err != nil {
		return d, err
	}
	return d, m.own(sink, p.Node.Number)
}
