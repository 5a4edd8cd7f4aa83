// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/manifest"
	"github.com/rastos/rastos/internal/mistake"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/schema"
)

const checkLong = `Check reads a manifest and tells every mistake in it at once: where it is, what
is wrong, and, for a word that is not known, the nearest one that is.

FILE is rastos.toml when it is left out; "-" reads standard input.`

func checkCommand(s *session) *cobra.Command {
	var printSchema bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Find every mistake in a manifest",
		Long:  checkLong,
		Example: `  rastos check                        check rastos.toml
  rastos check machine.toml --json    the same for programs
  rastos check --schema > rastos.schema.json`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if printSchema {
				_, err := s.Stdout.Write(manifest.Schema())
				return err
			}
			file := manifest.DefaultName
			if len(args) > 0 {
				file = args[0]
			}
			return s.check(file)
		},
	}
	cmd.Flags().BoolVar(&printSchema, "schema", false, "print the manifest's JSON schema and check nothing")
	return cmd
}

func (s *session) check(file string) error {
	name, data, err := s.readManifest(file)
	if err != nil {
		return err
	}
	_, err = manifest.Parse(name, data)
	var wrong mistake.List
	if err != nil && !errors.As(err, &wrong) {
		return err
	}
	if s.flags.json {
		err = s.printJSON(struct {
			File     string       `json:"file"`
			Mistakes mistake.List `json:"mistakes"`
		}{name, wrong})
	} else {
		err = s.printMistakes(s.Stdout, name, wrong)
	}
	if err == nil && len(wrong) > 0 {
		return &silentError{ExitManifest}
	}
	return err
}

func (s *session) readManifest(file string) (name string, data []byte, err error) {
	if file == "-" {
		data, err = io.ReadAll(io.LimitReader(s.Stdin, schema.MaxSize+1))
		if err != nil {
			return "", nil, fmt.Errorf("read manifest from standard input: %w", err)
		}
		return "<stdin>", data, nil
	}
	data, err = manifest.ReadFile(file)
	return file, data, err
}

// printMistakes shows each mistake with the line that it is about.
func (s *session) printMistakes(w io.Writer, name string, wrong mistake.List) error {
	style := s.outStyle()
	for _, m := range wrong {
		printMistake(w, style, style.Bad("error:"), m)
	}
	var err error
	switch len(wrong) {
	case 0:
		_, err = fmt.Fprintf(w, "%s: no mistakes\n", name)
	case 1:
		_, err = fmt.Fprintf(w, "%s: 1 mistake\n", name)
	default:
		_, err = fmt.Fprintf(w, "%s: %d mistakes\n", name, len(wrong))
	}
	return err
}

// printMistake shows one mistake, marked as what it is.
func printMistake(w io.Writer, style report.Style, mark string, m mistake.Mistake) {
	line, marks := m.Excerpt()
	fmt.Fprintf(w, "%s %s %s\n", style.Bold(fmt.Sprintf("%s:%d:%d:", m.File, m.Line, m.Column)), mark, m.Message)
	fmt.Fprintf(w, "    %s\n    %s\n", line, style.Bad(marks))
	if m.Hint != "" {
		fmt.Fprintf(w, "    %s %s\n", style.Hint("hint:"), m.Hint)
	}
}

// printJSON writes a verb's answer for programs: one line.
func (s *session) printJSON(v any) error {
	enc := json.NewEncoder(s.Stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
