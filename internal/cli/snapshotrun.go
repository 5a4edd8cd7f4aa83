// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

func snapshotShell(s *session) *cobra.Command {
	var r flow.ShellRequest
	cmd := &cobra.Command{
		Use:   "shell [NODE]",
		Short: "Work in a copy of a node, which becomes its new version",
		Long: `Shell opens root's shell in a copy of a node (without NODE, of the one that the next
change would build on), in mount, process and host-name namespaces of its own. When
the shell ends with exit code 0, the copy is sealed as a new version of the node;
otherwise nothing stays, unless the person says so when asked.

The node can be neither changed nor deleted by that; other changes of the system may
go on meanwhile. What is written to /tmp and /run is gone with the shell.`,
		Example: "  rastos snapshot shell web\n  rastos snapshot shell 3 --alias experiment",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Node = oneOr(args, "")
			return s.shell(cmd.Context(), r)
		},
	}
	named(cmd, &r.Naming)
	return cmd
}

func snapshotRun(s *session) *cobra.Command {
	var r flow.ShellRequest
	cmd := &cobra.Command{
		Use:   "run NODE -- COMMAND [ARGUMENT...]",
		Short: "Run a command in a copy of a node, which becomes its new version",
		Long: `Run runs a command in a copy of a node, as "rastos snapshot shell" does a shell.
When it ends with exit code 0, the copy is sealed as a new version of the node;
otherwise nothing stays, unless the person says so when asked, and the exit code is
the command's.`,
		Example: "  rastos snapshot run web -- useradd --system shop\n  rastos snapshot run 3 -- /bin/sh -c 'echo PermitRootLogin no >> /etc/ssh/sshd_config'",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.Node, r.Argv, err = nodeAndCommand(cmd, args); err != nil {
				return usage(cmd, err)
			}
			return s.shell(cmd.Context(), r)
		},
	}
	named(cmd, &r.Naming)
	return cmd
}

// nodeAndCommand splits NODE -- COMMAND.
func nodeAndCommand(cmd *cobra.Command, args []string) (node string, argv []string, err error) {
	if cmd.ArgsLenAtDash() != 1 || len(args) < 2 {
		return "", nil, errors.New("it takes a node, `--` and a command")
	}
	return args[0], args[1:], nil
}

// shell runs the request on the person's streams.
func (s *session) shell(ctx context.Context, r flow.ShellRequest) error {
	r.Stdin = s.Stdin
	if s.flags.json {
		r.Output = s.err // standard output is for the events and the result
	}
	if s.StdinIsTerminal && !s.flags.json {
		r.Keep = func(failure string) bool {
			return s.confirm(failure+". Keep the changes all the same?", false) == nil
		}
	}
	done, err := s.Machine.Shell(ctx, s.sink(), r)
	if err != nil {
		return err
	}
	switch {
	case s.flags.json:
		if err := s.printJSON(done); err != nil {
			return err
		}
	case done.Node != nil:
		fmt.Fprintf(s.Stdout, "node %d replaces node %d: %s\n", done.Node.Number, done.Node.Replaces, done.Node.Reason)
		return nil
	default:
		fmt.Fprintf(s.Stderr, "exit code %d: nothing was changed\n", done.Exit)
	}
	if done.Node != nil {
		return nil
	}
	return &silentError{done.Exit}
}

func snapshotTreeRun(s *session) *cobra.Command {
	var r flow.ShellRequest
	cmd := &cobra.Command{
		Use:   "tree-run NODE -- COMMAND [ARGUMENT...]",
		Short: "Run a command in copies of a node and all below it",
		Long: `Tree-run runs a command in a copy of a node and then of each node below it, without
a terminal and without input. When it ends with exit code 0 in all of them, all get
a new version, all at once; when it fails in one, nothing stays.`,
		Example: "  rastos snapshot tree-run web -- sed -i s/old/new/ /etc/app.conf",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.Node, r.Argv, err = nodeAndCommand(cmd, args); err != nil {
				return usage(cmd, err)
			}
			r.Output = s.Stderr
			done, err := s.Machine.TreeRun(cmd.Context(), s.sink(), s.settings(), r)
			if err != nil {
				return err
			}
			return s.printTreeDone(done)
		},
	}
	return cmd
}
