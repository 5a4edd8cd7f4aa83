// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// Session is one program that works in a node's tree.
type Session struct {
	Argv     []string
	Env      []string
	Hostname string
	Stdin    io.Reader // nil: none
	Output   io.Writer // nil: the person's terminal, where there is one
}

// ShellRequest says what runs in a copy of a node.
type ShellRequest struct {
	Node string
	Argv []string // nil: root's shell
	Env  []string
	Naming
	Stdin  io.Reader
	Output io.Writer // as in Session
	// Keep is asked whether the changes stay although the program failed; nil:
	// they do not.
	Keep func(failure string) bool
}

// ShellDone is how it ended.
type ShellDone struct {
	Exit int        `json:"exit"`
	Node *node.Node `json:"node,omitempty"` // the new version; nil: nothing stays
}

// Shell runs a program in a copy of a node, in namespaces of its own. Where it
// ends well, the copy becomes a new version of the node; else nothing stays. The
// system may be changed meanwhile, but not the node that it works on.
func (m *Machine) Shell(ctx context.Context, sink report.Sink, r ShellRequest) (done ShellDone, err error) {
	if err := r.check(); err != nil {
		return done, err
	}
	if err := m.needRoot("snapshot shell"); err != nil {
		return done, err
	}
	sys, err := m.Running()
	if err != nil {
		return done, err
	}
	defer sys.Close()
	verb := "snapshot shell"
	if len(r.Argv) > 0 {
		verb = "run " + shorten(r.Argv)
	}
	s := shell{m: m, sys: sys, r: r}
	err = m.locked(sys, sink, func() error { return s.open(verb) })
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, s.work.Discard()) }() // after the seal there is nothing to discard
	if done.Exit, err = m.Enter(ctx, s.work.Root(), s.session()); err != nil {
		return done, err
	}
	if done.Exit != 0 && (r.Keep == nil || !r.Keep(fmt.Sprintf("it ended with exit code %d", done.Exit))) {
		return done, nil
	}
	err = m.lockedPatiently(ctx, sys, sink, func() error {
		n, err := s.seal(verb)
		if err != nil {
			return err
		}
		done.Node = &n
		return nil
	})
	return done, err
}

// shorten makes one short line of a command, for lists of nodes.
func shorten(argv []string) string {
	const most = 60
	line := strings.Join(strings.Fields(strings.Join(argv, " ")), " ")
	if r := []rune(line); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return line
}

// shell is one copy of a node that somebody works in.
type shell struct {
	m    *Machine
	sys  *System
	r    ShellRequest
	base node.Node
	work *node.Work
}

// open makes the copy.
func (s *shell) open(verb string) (err error) {
	if s.base, err = s.sys.find(s.r.Node); err != nil {
		return err
	}
	if s.work, err = s.sys.Nodes.Begin(s.base.Number, verb); err != nil {
		return err
	}
	t, err := s.m.FastTree(s.work.Root())
	if err == nil {
		err = errors.Join(s.m.liveAccounts(s.sys, t), t.Close())
	}
	if err != nil {
		return errors.Join(err, s.work.Discard())
	}
	return nil
}

func (s *shell) session() Session {
	argv := s.r.Argv
	if len(argv) == 0 {
		argv = []string{s.m.rootShell(s.work.Root())}
	}
	return Session{
		Argv: argv, Env: append([]string{fmt.Sprintf("RASTOS_NODE=%d", s.base.Number)}, s.r.Env...),
		Hostname: fmt.Sprintf("node-%d", s.base.Number), Stdin: s.r.Stdin, Output: s.r.Output,
	}
}

// rootShell is the shell that root has in a tree.
func (m *Machine) rootShell(root string) string {
	const fallback = "/bin/sh"
	t, err := m.Tree(root)
	if err != nil {
		return fallback
	}
	defer t.Close()
	passwd, err := t.ReadFile("etc/passwd")
	if err != nil {
		return fallback
	}
	for line := range strings.Lines(string(passwd)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) == 7 && fields[0] == "root" && fields[6] != "" {
			if _, err := t.ReadFile(strings.TrimPrefix(fields[6], "/")); err == nil {
				return fields[6]
			}
		}
	}
	return fallback
}

// seal makes the copy the new version of its node.
func (s *shell) seal(verb string) (n node.Node, err error) {
	t, err := s.m.FastTree(s.work.Root())
	if err != nil {
		return n, err
	}
	defer t.Close()
	kernel, err := s.m.kernelPackage(s.sys, s.base)
	if err != nil {
		return n, err
	}
	n = node.Node{Label: s.r.Label, Alias: s.r.Alias, Reason: verb, Manifest: s.base.Manifest, Replaces: s.base.Number, Files: true}
	return s.m.seal(s.sys, s.work, t, n, kernel)
}

// failedRun is a command of tree-run that did not end well in one node.
type failedRun struct {
	argv []string
	exit int
}

func (e *failedRun) Error() string {
	return fmt.Sprintf("%s: exit code %d", shorten(e.argv), e.exit)
}
func (e *failedRun) Hint() string { return "no node was changed" }

// TreeRun runs a command in copies of a node and of all that is below it. Where
// it ends well in all of them, each gets a new version; else nothing stays.
func (m *Machine) TreeRun(ctx context.Context, sink report.Sink, s Settings, r ShellRequest) (TreeDone, error) {
	if err := m.needRoot("snapshot tree-run"); err != nil {
		return TreeDone{}, err
	}
	w, err := m.World(s, Place{})
	if err != nil {
		return TreeDone{}, err
	}
	mf, err := m.runningManifest()
	if err != nil {
		return TreeDone{}, err
	}
	p, err := m.PlanTree(w, Where{Node: r.Node, Tree: true}, func(w *World) (*ChangePlan, error) {
		return w.Plan("run", &trans.Plan{}), nil
	})
	if err != nil {
		return TreeDone{}, err
	}
	for i := range p.Nodes {
		c := &p.Nodes[i]
		number := c.Node.Number
		c.Keep = false
		c.work = &nodeWork{mf: mf, reason: "run " + shorten(r.Argv), files: true, tree: func(ctx context.Context, env trans.Env, _ Tree) error {
			report.Notef(sink, "node %d: %s", number, shorten(r.Argv))
			exit, err := m.Enter(ctx, env.Root, Session{
				Argv: r.Argv, Env: append([]string{fmt.Sprintf("RASTOS_NODE=%d", number)}, r.Env...),
				Hostname: fmt.Sprintf("node-%d", number), Output: r.Output,
			})
			if err == nil && exit != 0 {
				err = &failedRun{r.Argv, exit}
			}
			return err
		}}
	}
	return m.RunTree(ctx, sink, w, p)
}
