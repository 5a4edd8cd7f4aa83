// SPDX-License-Identifier: GPL-3.0-or-later

package run

import (
	"context"
	"io"
	"os"
	"syscall"
)

// Conversation is a program that is spoken to over its standard streams.
type Conversation struct {
	In  io.WriteCloser
	Out io.Reader

	p    *Process
	kill context.CancelFunc
	out  *os.File
}

// Converse starts a program and keeps its standard input and output. It gets a
// pipe each, so that both ends see when the other is gone. Wait must be called.
func (r Runner) Converse(argv ...string) (*Conversation, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer theirOut.Close()
	ctx, kill := context.WithCancel(context.Background())
	p, err := r.Start(ctx, Command{Argv: argv, Stdin: theirIn, Stdout: theirOut})
	if err != nil {
		kill()
		in.Close()
		out.Close()
		return nil, err
	}
	return &Conversation{In: in, Out: out, p: p, kill: kill, out: out}, nil
}

// Wait returns when the program has ended, as Process.Wait does. What it wrote
// and nobody read is lost then.
func (c *Conversation) Wait() error {
	_, err := c.p.Wait()
	c.kill()
	if err != nil {
		// What it started must not go on without it.
		_ = syscall.Kill(-c.p.Pid(), syscall.SIGKILL)
	}
	_ = c.out.Close()
	return err
}

// Kill ends the program and what it started: TERM, and after the grace KILL.
func (c *Conversation) Kill() { c.kill() }
