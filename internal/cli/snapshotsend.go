// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

const snapshotSendLong = `Send writes a node to a file, to standard output (-), or to another rastOS machine
by ssh (ssh://[USER@]HOST[:PORT]). What it writes, a parcel, holds what is known of
the node and its tree, in compressed pieces with digests; rastos snapshot receive
makes a node of it again, and nothing of what was damaged on its way.

Another machine says which nodes it has, and gets only what differs from the best
of these. For a file, --parent says what who receives it has.

A transfer that was interrupted goes on where it stopped when it is started again.`

func snapshotSend(s *session) *cobra.Command {
	var r flow.SendRequest
	var ssh, remote string
	cmd := &cobra.Command{
		Use:   "send NODE TARGET",
		Short: "Send a node to a file or to another machine",
		Long:  snapshotSendLong,
		Example: `  rastos snapshot send 7 /media/stick/web.parcel
  rastos snapshot send 8 step.parcel --parent 7
  rastos snapshot send web ssh://root@host.example
  rastos snapshot send head ssh://anna@host.example:2222 --remote "sudo rastos"
  rastos snapshot send 7 - --whole | gpg -e -r anna > web.parcel.gpg`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.Whole && r.Parent != "" {
				return usage(cmd, errors.New("--whole and --parent exclude each other"))
			}
			r.Node = args[0]
			switch target := args[1]; {
			case target == "-":
				r.Out = s.Stdout
			case strings.Contains(target, "://"):
				argv, err := sshCommand(target, ssh, remote)
				if err != nil {
					return usage(cmd, err)
				}
				r.Argv = argv
			default:
				r.File = target
			}
			sent, err := s.Machine.SendNode(cmd.Context(), s.sink(), r)
			if err != nil || r.Out != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(sent)
			}
			_, err = fmt.Fprintln(s.Stdout, sentLine(sent))
			return err
		},
	}
	cmd.Flags().StringVar(&r.Parent, "parent", "", "send what leads on from this `node`, which the receiver has")
	cmd.Flags().BoolVar(&r.Whole, "whole", false, "send all of it, whatever the other machine has")
	cmd.Flags().StringVar(&ssh, "ssh", "ssh", "the `command` that leads to other machines, with its options")
	cmd.Flags().StringVar(&remote, "remote", "rastos", "the `command` that is rastos there")
	return cmd
}

// sshCommand is what to run for ssh://[USER@]HOST[:PORT].
func sshCommand(target, ssh, remote string) ([]string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	host := u.Hostname()
	if u.Scheme != "ssh" || host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no target: a file, -, or ssh://[USER@]HOST[:PORT]", target)
	}
	if name := u.User.Username(); name != "" {
		host = name + "@" + host
	}
	argv := append(strings.Fields(ssh), "-T")
	if u.Port() != "" {
		argv = append(argv, "-p", u.Port())
	}
	// After -- a host that begins like an option is none.
	return append(argv, "--", host, remote+" snapshot receive -"), nil
}

func sentLine(s flow.Sent) string {
	if s.Had != 0 {
		return fmt.Sprintf("node %d is there already, as node %d", s.Node.Number, s.Had)
	}
	line := fmt.Sprintf("sent node %d", s.Node.Number)
	if s.Parent != 0 {
		line += fmt.Sprintf(" on top of node %d", s.Parent)
	}
	line += fmt.Sprintf(": %s in %d pieces", report.Size(s.Size), s.Pieces)
	if s.Resumed > 0 {
		line += fmt.Sprintf(", %d of them sent before", s.Resumed)
	}
	if s.Got != 0 {
		line += fmt.Sprintf("; it is node %d there", s.Got)
	}
	return line
}

const snapshotReceiveLong = `Receive makes a node of a parcel that rastos snapshot send wrote, from a file or
from standard input (-). The node gets a number of this machine and is a child of
the one that it builds on, or a root of the tree; rastos deploy makes it bootable.
One that is here already is left as it is.

Every piece is verified before it is used, and nothing stays of a parcel that is
damaged or not complete. Who sent it is not: receive what you would run as root.
Nodes from registries are signed, see rastos snapshot pull.`

func snapshotReceive(s *session) *cobra.Command {
	var r flow.ReceiveRequest
	cmd := &cobra.Command{
		Use:     "receive FILE",
		Short:   "Make a node of what was sent",
		Long:    snapshotReceiveLong,
		Example: "  rastos snapshot receive /media/stick/web.parcel --alias web\n  gpg -d web.parcel.gpg | rastos snapshot receive -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.From, r.Reply = s.Stdin, s.Stdout
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				r.From, r.Reply = f, nil
			}
			got, err := s.Machine.ReceiveNode(cmd.Context(), s.sink(), r)
			if err != nil || got.Told {
				return err
			}
			return s.printReceived(got)
		},
	}
	named(cmd, &r.Naming)
	return cmd
}

// printReceived tells of a node that came from elsewhere.
func (s *session) printReceived(got flow.Received) error {
	if s.flags.json {
		return s.printJSON(got)
	}
	if got.Had {
		_, err := fmt.Fprintf(s.Stdout, "it is here already: node %d\n", got.Node.Number)
		return err
	}
	return s.printMade(got.Node)
}
