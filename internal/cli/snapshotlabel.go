// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
)

func snapshotLabel(s *session) *cobra.Command {
	var r flow.LabelRequest
	cmd := &cobra.Command{
		Use:   "label NODE [TEXT]",
		Short: "Name a node for people",
		Long: `Label says in one line what a node is, and gives it an alias: a short name that may
stand wherever the number of a node may. An alias leads to the newest version of
its node, and is taken away from the node that had it before. A node with a label
or an alias is not deleted to make room.`,
		Example: "  rastos snapshot label 7 \"web server, as audited\"\n  rastos snapshot label 7 \"\"\n  rastos snapshot label 7 --alias web\n  rastos snapshot label 7 --alias web --forget",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Node = args[0]
			if len(args) == 2 {
				r.Label = &args[1]
			}
			switch {
			case r.Label == nil && r.Alias == "":
				return usage(cmd, errors.New("neither a text nor --alias is given"))
			case r.Forget && r.Alias == "":
				return usage(cmd, errors.New("--forget needs --alias"))
			}
			n, err := s.Machine.Label(s.sink(), r)
			if err != nil || s.flags.json {
				return orJSON(s, err, n)
			}
			_, err = fmt.Fprintf(s.Stdout, "node %d: %s\n", n.Number, orDash(n.Label))
			return err
		},
	}
	cmd.Flags().StringVar(&r.Alias, "alias", "", "let this `name` lead to the node and its newer versions")
	cmd.Flags().BoolVar(&r.Forget, "forget", false, "take the alias away")
	return cmd
}

func snapshotPin(s *session) *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use:     "pin NODE",
		Short:   "Keep a node from being deleted",
		Long:    `Pin keeps a node until the pin is taken off: no rule and no verb deletes it.`,
		Example: "  rastos snapshot pin 7\n  rastos snapshot pin web --off",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := s.Machine.Pin(s.sink(), args[0], !off)
			if err != nil || s.flags.json {
				return orJSON(s, err, n)
			}
			state := "pinned"
			if !n.Pinned {
				state = "not pinned"
			}
			_, err = fmt.Fprintf(s.Stdout, "node %d is %s\n", n.Number, state)
			return err
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "take the pin off")
	return cmd
}

// orJSON prints a result where there is no error.
func orJSON(s *session, err error, result any) error {
	if err != nil {
		return err
	}
	return s.printJSON(result)
}
