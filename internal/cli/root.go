// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// globalFlags are the flags that every verb has.
type globalFlags struct {
	json      bool
	verbose   int
	logLevel  string
	logFormat string
	color     string
	config    string
}

const rootLong = `rastOS builds, runs and keeps alive an Arch-compatible Linux system that can
always go back. One TOML file says what a machine is; rastos turns it into a
disk image. Every change after that happens in a new snapshot, and the old one
stays bootable.`

const rootExample = `  rastos check rastos.toml           find every mistake in a manifest
  rastos check --schema              print its JSON schema, for editors`

// newRoot builds the tree of verbs.
func newRoot(s *session) *cobra.Command {
	root := group("rastos", "Build, run and keep alive a system that can always go back",
		checkCommand(s),
		planCommand(s),
		applyCommand(s),
		driftCommand(s),
		statusCommand(s),
		imageCommand(s),
		repoCommand(s),
		upgradeCommand(s),
		pkgCommand(s),
		pacmanCommand(s),
		rollbackCommand(s),
		deployCommand(s),
		snapshotCommand(s),
		etcCommand(s),
		serviceCommand(s),
		bootCommand(s),
		versionCommand(s),
	)
	root.Long = rootLong
	root.Example = rootExample
	root.Version = s.Version
	root.SetVersionTemplate("rastos {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(s.Stdin)
	root.SetOut(s.Stdout)
	root.SetErr(s.Stderr)
	root.SetHelpCommand(helpCommand())
	root.InitDefaultCompletionCmd("completion")
	addGlobalFlags(root, &s.flags)
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return s.setUp() }
	refineTree(root)
	return root
}

func addGlobalFlags(root *cobra.Command, f *globalFlags) {
	flags := root.PersistentFlags()
	flags.BoolVar(&f.json, "json", false, "write events, results and errors as JSON, one object a line")
	flags.CountVarP(&f.verbose, "verbose", "v", "log more: -v information, -vv everything")
	flags.StringVar(&f.logLevel, "log-level", "", "log `level`: debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "", "log `format`: text or json")
	flags.StringVar(&f.color, "color", "", "colour: auto, always or never (`when`)")
	flags.StringVar(&f.config, "config", "", "read this settings `file` in place of /etc/rastos/config.toml")
}

// group makes a command that only holds others: alone it prints its help, and
// with a word that it does not know it says so.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownVerb(cmd, args[0])
	}
	cmd.AddCommand(subs...)
	return cmd
}

func unknownVerb(cmd *cobra.Command, name string) error {
	hint := fmt.Sprintf("`%s --help` lists what there is", cmd.CommandPath())
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf("did you mean `%s %s`?", cmd.CommandPath(), near[0])
	}
	return &usageError{fmt.Errorf("unknown command %q for %q", name, cmd.CommandPath()), hint}
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Show the help of a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownVerb(cmd.Root(), strings.Join(args, " "))
			}
			return target.Help()
		},
	}
}

// refineTree makes every command report a wrong flag or argument as a usage
// error with a hint, and keeps the order of flags as written.
func refineTree(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err == nil {
				err = cmd.ValidateFlagGroups() // cobra would, and its error have no code
			}
			if err != nil {
				return usage(cmd, err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		refineTree(sub)
	}
}

func usage(cmd *cobra.Command, err error) error {
	return &usageError{err, fmt.Sprintf("`%s --help` shows how it is used", cmd.CommandPath())}
}
