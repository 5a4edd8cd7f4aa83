// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

const snapshotPushLong = `Push puts a node into an OCI registry, as the image oci://HOST/REPOSITORY:TAG, for
any number of machines to pull. An image is a chain: a whole system, and steps that
lead on from it. A new version adds one step and what is in it; all else the
registry has already. A chain that grows long begins anew with a whole system.

The image is signed by the ed25519 key in --key, which
"openssl genpkey -algorithm ed25519 -out key.pem" makes; "openssl pkey -in key.pem
-pubout" prints the public half, for [update] keys of the machines. The tag is moved
last: who pulls meanwhile gets the version before.`

func snapshotPush(s *session) *cobra.Command {
	var r flow.PushRequest
	cmd := &cobra.Command{
		Use:     "push NODE IMAGE",
		Short:   "Put a node into an OCI registry",
		Long:    snapshotPushLong,
		Example: "  rastos snapshot push head oci://registry.example/fleet/web:stable --key key.pem\n  rastos snapshot push 7 oci://localhost:5000/try --unsigned --plain-http",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (r.Key == "") != r.Unsigned {
				return usage(cmd, errors.New("say either --key or --unsigned"))
			}
			r.Node, r.To = args[0], args[1]
			done, err := s.Machine.PushNode(cmd.Context(), s.sink(), r)
			if err != nil || s.flags.json {
				return orJSON(s, err, done)
			}
			switch {
			case done.Had:
				_, err = fmt.Fprintf(s.Stdout, "%s stands for node %d already\n", r.To, done.Node.Number)
			case done.Parent != 0:
				_, err = fmt.Fprintf(s.Stdout, "pushed node %d on top of node %d: %s in %d new layers of %d\n%s\n", done.Node.Number, done.Parent, report.Size(done.Bytes), done.New, done.Layers, done.Image)
			default:
				_, err = fmt.Fprintf(s.Stdout, "pushed node %d: %s in %d new layers of %d\n%s\n", done.Node.Number, report.Size(done.Bytes), done.New, done.Layers, done.Image)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&r.Key, "key", "", "sign with the private key in this `file`")
	cmd.Flags().BoolVar(&r.Unsigned, "unsigned", false, "do not sign it")
	cmd.Flags().BoolVar(&r.Whole, "whole", false, "push all of it, whatever the image has")
	cmd.Flags().BoolVar(&r.PlainHTTP, "plain-http", false, "speak to the registry without TLS")
	return cmd
}

// channelFlags are those of verbs that pull.
type channelFlags struct{ flow.PullRequest }

func (c *channelFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&c.Keys, "key", nil, "trust the public key in this `file`, in place of those in the manifest; may be given again")
	cmd.Flags().BoolVar(&c.Unsigned, "unsigned", false, "take it whoever pushed it")
	cmd.Flags().BoolVar(&c.PlainHTTP, "plain-http", false, "speak to the registry without TLS")
}

const snapshotPullLong = `Pull makes a node of an image that rastos snapshot push put into an OCI registry. The
image must be signed by a key of [update] keys in the manifest, or of --key; what is
not signed is refused, unless --unsigned says to take it. Only what this machine lacks
is fetched: the steps that lead on from a node of the chain that it has.

The node stands beside the others; rastos deploy makes it bootable, and rastos
upgrade --from does both.`

func snapshotPull(s *session) *cobra.Command {
	var c channelFlags
	cmd := &cobra.Command{
		Use:     "pull IMAGE",
		Short:   "Make a node of an image in an OCI registry",
		Long:    snapshotPullLong,
		Example: "  rastos snapshot pull oci://registry.example/fleet/web:stable --alias web\n  rastos snapshot pull oci://localhost:5000/try --unsigned --plain-http",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.From = args[0]
			got, err := s.Machine.PullNode(cmd.Context(), s.sink(), c.PullRequest)
			if err != nil {
				return err
			}
			return s.printReceived(got)
		},
	}
	c.add(cmd)
	named(cmd, &c.Naming)
	return cmd
}

// upgradeFrom follows a channel.
func (s *session) upgradeFrom(ctx context.Context, r flow.PullRequest, change changeFlags) error {
	p, err := s.Machine.PlanUpgradeFrom(ctx, s.sink(), r)
	if err != nil {
		return err
	}
	if s.flags.json && (change.dryRun || p.Deploy == nil) {
		return s.printJSON(p)
	}
	if p.Deploy == nil {
		_, err := fmt.Fprintf(s.Stdout, "node %d is what %s stands for\n", p.Node.Number, p.From)
		return err
	}
	if !s.flags.json {
		if err := s.printStat(p.Diff); err != nil {
			return err
		}
		fmt.Fprintf(s.Stdout, "\nnode %d is deployed; the running system is not touched\n", p.Node.Number)
	}
	if change.dryRun {
		return nil
	}
	if err := s.confirm("Go on?", change.yes); err != nil {
		return err
	}
	d, err := s.Machine.RunUpgradeFrom(ctx, s.sink(), p)
	if err != nil {
		return err
	}
	return s.printDone(flow.Changed{Reason: p.Deploy.Reason, Deployment: &d}, "")
}
