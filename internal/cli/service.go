// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/services"
	"github.com/rastos/rastos/rinit"
)

func serviceCommand(s *session) *cobra.Command {
	return group("service", "Run services, and look after their files",
		serviceSupervise(s),
		serviceList(s),
		serviceStatus(s),
		serviceStart(s),
		serviceStop(s),
		serviceRestart(s),
		serviceReload(s),
		serviceEnable(s),
		serviceDisable(s),
		serviceLogs(s),
		serviceCheck(s),
		serviceFmt(s),
		serviceGraph(s),
	)
}

const serviceFilesLong = `

A FOLDER stands for the files in it that end in .system or .user; where two have a
file of one name, the first holds. Without any, the folders of this system are
meant, /etc/rinit/system and /usr/share/rinit/system, or those below --root.`

// completeServiceFiles completes paths; the shell knows folders by itself.
func completeServiceFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"system", "user"}, cobra.ShellCompDirectiveFilterFileExt
}

func serviceCheck(s *session) *cobra.Command {
	r := services.Files{Stdin: s.Stdin}
	cmd := &cobra.Command{
		Use:   "check [FILE|FOLDER...]",
		Short: "Find every mistake in service files",
		Long: `Check reads service files of rinit and tells every mistake at once: in each of them,
and between them, as names that no service has, runlevels that do not fit and
cycles. What rinit allows and hardly anybody means is a warning.

Where only files are named, the services that they name may be elsewhere.` + serviceFilesLong,
		Example: `  rastos service check
  rastos service check nginx.system
  rastos service check ./services --json`,
		ValidArgsFunction: completeServiceFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			r.Paths = args
			return s.serviceCheck(r)
		},
	}
	cmd.Flags().StringVar(&r.Root, "root", "", "look for the system's folders below this `folder`")
	return cmd
}

func (s *session) serviceCheck(r services.Files) error {
	check, err := services.Of(s.Machine).Check(r)
	if err != nil {
		return err
	}
	if s.flags.json {
		err = s.printJSON(check)
	} else {
		s.printServiceMistakes(s.Stdout, check.Mistakes, check.Warnings)
		_, err = fmt.Fprintf(s.Stdout, "%s: %s\n", counted(len(check.Files), "service file"), verdict(len(check.Mistakes), len(check.Warnings)))
	}
	if err == nil && len(check.Mistakes) > 0 {
		return &silentError{ExitManifest}
	}
	return err
}

func (s *session) printServiceMistakes(w io.Writer, wrong, warnings rinit.Mistakes) {
	style := s.outStyle()
	for _, m := range wrong {
		printMistake(w, style, style.Bad("error:"), m)
	}
	for _, m := range warnings {
		printMistake(w, style, style.Warn("warning:"), m)
	}
}

// verdict sums up what was found.
func verdict(mistakes, warnings int) string {
	found := "no mistakes"
	if mistakes > 0 {
		found = counted(mistakes, "mistake")
	}
	if warnings > 0 {
		found += ", " + counted(warnings, "warning")
	}
	return found
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func serviceFmt(s *session) *cobra.Command {
	r := services.Files{Stdin: s.Stdin}
	var write, check bool
	cmd := &cobra.Command{
		Use:   "fmt [FILE|FOLDER...]",
		Short: "Bring service files into the one form",
		Long: `Fmt writes service files of rinit in the one form: blanks around "=", one blank
line before each section, lists sorted. Comments and code stay as they are. A file
with a mistake is not formatted, and then no other is written.

Of one file, what becomes of it goes to standard output unless --write is given;
"-" reads standard input.` + serviceFilesLong,
		Example: `  rastos service fmt nginx.system
  rastos service fmt --write ./services
  rastos service fmt --check ./services`,
		ValidArgsFunction: completeServiceFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Paths = args
			return s.serviceFmt(cmd, r, write, check)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&write, "write", "w", false, "write the files, and name those that change")
	f.BoolVar(&check, "check", false, "only name the files that would change; end with 1 if there are any")
	f.StringVar(&r.Root, "root", "", "look for the system's folders below this `folder`")
	return cmd
}

func (s *session) serviceFmt(cmd *cobra.Command, r services.Files, write, check bool) error {
	switch {
	case write && check:
		return usage(cmd, errors.New("--check writes nothing: it does not go with --write"))
	case write && slices.Contains(r.Paths, "-"):
		return usage(cmd, errors.New("standard input cannot be written to"))
	}
	formats, err := services.Of(s.Machine).Format(r, write)
	if err != nil {
		return s.serviceMistakes(err)
	}
	if !write && !check && len(formats) > 1 {
		return usage(cmd, fmt.Errorf("%d files cannot all go to standard output: give --write or --check", len(formats)))
	}
	changed := false
	for _, f := range formats {
		changed = changed || f.Changed
		switch {
		case s.flags.json:
		case !write && !check:
			_, err = s.Stdout.Write(f.Text)
		case f.Changed:
			_, err = fmt.Fprintln(s.Stdout, f.File)
		}
	}
	if s.flags.json {
		err = s.printJSON(formats)
	}
	if err == nil && check && changed {
		return &silentError{ExitFailure}
	}
	return err
}

// serviceMistakes shows the mistakes of service files that cannot be worked with.
func (s *session) serviceMistakes(err error) error {
	var wrong rinit.Mistakes
	if !errors.As(err, &wrong) || s.flags.json {
		return err
	}
	s.printServiceMistakes(s.Stderr, wrong, nil)
	fmt.Fprintln(s.Stderr, verdict(len(wrong), 0))
	return &silentError{ExitManifest}
}
