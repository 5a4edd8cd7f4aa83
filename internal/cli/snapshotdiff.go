// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/report"
)

func snapshotDiff(s *session) *cobra.Command {
	var stat bool
	cmd := &cobra.Command{
		Use:   "diff NODE NODE",
		Short: "Show what differs between two nodes",
		Long: `Diff shows what the second node has in another way than the first: the kernel, the
manifest, packages, /etc, and all other files. It does not walk the trees: the
kernel compares what they do not share, so that a small change is found at once
in a system of any size. Times alone are no difference, nor is a file that was
written again with what it held.`,
		Example: "  rastos snapshot diff 3 4\n  rastos snapshot diff booted head --stat\n  rastos snapshot diff 3 web --json",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := s.Machine.SnapshotDiff(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			if s.flags.json {
				if stat {
					return s.printJSON(d.Stat)
				}
				return s.printJSON(d)
			}
			if stat {
				return s.printStat(d)
			}
			return printDiff(s.Stdout, d)
		},
	}
	cmd.Flags().BoolVar(&stat, "stat", false, "only count")
	return cmd
}

// marks stand for what happened, one letter a line.
var marks = map[string]string{
	"added": "+", "removed": "-", "changed": "~", "renamed": ">", "upgraded": "↑", "downgraded": "↓",
}

// printDiff prints all that differs, the few and large before the many and small.
func printDiff(out io.Writer, d *flow.SnapshotDiff) error {
	var b strings.Builder
	if d.Kernel != nil {
		fmt.Fprintf(&b, "kernel: %s → %s\n", orDash(d.Kernel.From), orDash(d.Kernel.To))
	}
	section(&b, "manifest", d.Manifest, func(c flow.KeyChange) string {
		switch {
		case c.Was == "":
			return "+ " + c.Key + " = " + c.Is
		case c.Is == "":
			return "- " + c.Key + " = " + c.Was
		}
		return "~ " + c.Key + " = " + c.Was + " → " + c.Is
	})
	section(&b, "packages", d.Packages, func(p flow.PackageChange) string {
		switch {
		case p.From == "" || p.To == "":
			return marks[p.Op] + " " + p.Name + " " + p.From + p.To
		}
		return marks[p.Op] + " " + p.Name + " " + p.From + " → " + p.To
	})
	section(&b, "/etc", d.Etc, fileLine)
	section(&b, "files", d.Files, fileLine)
	if b.Len() == 0 {
		b.WriteString("nothing differs\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func section[T any](b *strings.Builder, title string, list []T, line func(T) string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", title)
	for _, e := range list {
		fmt.Fprintf(b, "  %s\n", line(e))
	}
}

// fileLine says what a path is now, and what of it differs. A name may hold
// anything, a line break too.
func fileLine(c flow.FileChange) string {
	text := marks[string(c.Op)] + " " + printable(c.Path)
	if c.From != "" {
		text = marks[string(c.Op)] + " " + printable(c.From) + " → " + printable(c.Path)
	}
	var what []string
	for _, a := range c.What {
		switch {
		case a == "mode":
			what = append(what, fmt.Sprintf("mode %s → %s", c.Was.Mode, c.Is.Mode))
		case a == "owner":
			what = append(what, fmt.Sprintf("owner %d:%d → %d:%d", c.Was.UID, c.Was.GID, c.Is.UID, c.Is.GID))
		case a == "type":
			what = append(what, c.Was.Type+" → "+c.Is.Type)
		default:
			what = append(what, string(a))
		}
	}
	if len(what) > 0 {
		text += "  (" + strings.Join(what, ", ") + ")"
	}
	return text
}

func printable(p string) string {
	if q := fmt.Sprintf("%q", p); q != `"`+p+`"` {
		return q
	}
	return p
}

func (s *session) printStat(d *flow.SnapshotDiff) error {
	t := report.NewTable("", "#ADDED", "#REMOVED", "#CHANGED", "#RENAMED", "#UPGRADED", "#DOWNGRADED")
	for _, row := range []struct {
		name   string
		counts map[string]int
	}{{"packages", d.Stat.Packages}, {"/etc", d.Stat.Etc}, {"files", d.Stat.Files}} {
		n := func(op string) string { return fmt.Sprint(row.counts[op]) }
		t.Row(row.name, n("added"), n("removed"), n("changed"), n("renamed"), n("upgraded"), n("downgraded"))
	}
	if err := t.Print(s.Stdout, s.outStyle()); err != nil {
		return err
	}
	sign := "+"
	if d.Stat.Bytes < 0 {
		sign = "-"
	}
	_, err := fmt.Fprintf(s.Stdout, "size of all files: %s%s\n", sign, report.Size(max(d.Stat.Bytes, -d.Stat.Bytes)))
	return err
}
