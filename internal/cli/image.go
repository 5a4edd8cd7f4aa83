// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/mistake"
	"github.com/rastos/rastos/internal/report"
)

func imageCommand(s *session) *cobra.Command {
	return group("image", "Build disk images and run them", imageBuild(s), imageBoot(s))
}

const imageBuildLong = `Build makes a bootable disk image from a manifest: partitions, file systems,
packages, configuration, kernel and initramfs, boot loader. The image appears
under its name only when it is whole; an interrupted build leaves nothing behind.

It needs root, loop devices and btrfs in the kernel, and mkfs.btrfs.`

func imageBuild(s *session) *cobra.Command {
	var r flow.BuildRequest
	cmd := &cobra.Command{
		Use:   "build [FILE]",
		Short: "Build a disk image from a manifest",
		Long:  imageBuildLong,
		Example: `  rastos image build rastos.toml
  rastos image build machine.toml --output build/machine --format raw --format qcow2
  rastos image build machine.toml --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := manifest.DefaultName
			if len(args) > 0 {
				file = args[0]
			}
			return s.apart(func() error { return s.imageBuild(cmd.Context(), file, r) })
		},
	}
	f := cmd.Flags()
	f.StringVarP(&r.Output, "output", "o", "", "`path` of the image without its ending; by default the hostname in this folder")
	f.StringArrayVar(&r.Formats, "format", nil, "write this format, raw or qcow2, in place of [disk] formats; may be repeated")
	f.BoolVar(&r.Force, "force", false, "replace an image that is there")
	return cmd
}

func (s *session) imageBuild(ctx context.Context, file string, r flow.BuildRequest) error {
	m, err := manifest.Load(file)
	if err != nil {
		return s.manifestError(file, err)
	}
	r.Manifest, r.ManifestFile = m, file
	r.Settings = s.settings()
	if r.Output == "" {
		r.Output = m.System.Hostname
	}
	res, err := s.Machine.BuildImage(ctx, s.sink(), r)
	if err != nil {
		return err
	}
	if s.flags.json {
		return s.printJSON(res)
	}
	for _, f := range res.Files {
		fmt.Fprintf(s.Stdout, "%s  %s\n", f.Path, report.Size(f.Size))
	}
	return nil
}

const imageBootLong = `Boot runs an image in QEMU, under KVM where that works, with the guest's serial
console on this terminal (Ctrl-A X ends the machine). Changes that the guest makes
are dropped unless --keep is given.

With --exec the command runs in the guest through a channel that needs no network;
its output and its exit code are those of this command, and the machine is powered
off after it. What follows -- is the command with its arguments.`

func imageBoot(s *session) *cobra.Command {
	var r flow.BootRequest
	var script string
	var showConsole bool
	cmd := &cobra.Command{
		Use:   "boot IMAGE [-- COMMAND...]",
		Short: "Run an image in a virtual machine",
		Long:  imageBootLong,
		Example: `  rastos image boot atlas.qcow2
  rastos image boot atlas.qcow2 --exec 'rastos status'
  rastos image boot atlas.raw --direct -- cat /etc/os-release`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Image, r.Exec = args[0], args[1:]
			switch {
			case script != "" && len(r.Exec) > 0:
				return usage(cmd, errors.New("--exec and a command after -- exclude each other"))
			case script != "":
				r.Exec = []string{"/bin/sh", "-c", script}
			}
			if showConsole {
				r.Console = s.Stderr
			}
			return s.imageBoot(cmd.Context(), r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&script, "exec", "", "run this shell `command` in the guest, then power off")
	f.StringVar(&r.Format, "format", "", "raw or qcow2; by default what the file's first bytes say")
	f.IntVar(&r.Memory, "memory", 1024, "memory in `MiB`")
	f.IntVar(&r.CPUs, "cpus", 1, "processors")
	f.BoolVar(&r.Direct, "direct", false, "start the kernel without firmware and boot loader: faster, no boot counting")
	f.BoolVar(&r.Keep, "keep", false, "let the guest change the image")
	f.BoolVar(&r.Network, "network", false, "give the guest a network behind this host")
	f.BoolVar(&showConsole, "console", false, "with --exec: show the serial console on standard error")
	return cmd
}

func (s *session) imageBoot(ctx context.Context, r flow.BootRequest) error {
	r.Accel, r.WorkDir = s.config.Accel, s.config.WorkDir
	r.Stdin, r.Stdout, r.Stderr, r.Terminal = s.Stdin, s.Stdout, s.Stderr, s.StdinIsTerminal
	if s.StdinIsTerminal && len(r.Exec) > 0 {
		r.Stdin = strings.NewReader("") // a person's keys are not the command's input
	}
	var sink report.Sink = report.Discard{}
	if s.flags.verbose > 0 {
		sink = s.sink()
	}
	code, err := s.Machine.BootImage(ctx, sink, r)
	if err != nil {
		return err
	}
	if code != 0 {
		return &silentError{code}
	}
	return nil
}

// manifestError shows every mistake of a manifest before the verb ends.
func (s *session) manifestError(file string, err error) error {
	var wrong mistake.List
	if !errors.As(err, &wrong) || s.flags.json {
		return err
	}
	if err := s.printMistakes(s.Stderr, file, wrong); err != nil {
		return err
	}
	return &silentError{ExitManifest}
}
