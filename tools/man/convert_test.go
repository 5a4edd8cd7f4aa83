// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConvert(t *testing.T) {
	got, section, err := convert("# rastos-x(1)\n\n## NAME\n\nrastos-x - *do* **it**\n.hidden `a*b*-c`\n\n" +
		"- `--flag`: see rastos(1)\n  and on\n- two\n\n```\nrastos x\\y\n.dot\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	want := `.TH "RASTOS-X" "1" "" "rastOS" "rastOS Manual"
.SH NAME
.PP
rastos\-x \- \fIdo\fR \fBit\fR
\&.hidden \fBa*b*\-c\fR
.IP \(bu 2
\fB\-\-flag\fR: see \fBrastos\fR(1)
and on
.IP \(bu 2
two
.PP
.RS 4
.nf
rastos x\ey
\&.dot
.fi
.RE
`
	if diff := cmp.Diff(want, got); diff != "" || section != "1" {
		t.Errorf("section %s\n%s", section, diff)
	}
}

func TestUnknownMarkdownIsRefused(t *testing.T) {
	for _, text := range []string{"", "rastos", "# rastos", "# x(1)\n| a | b |", "# x(1)\n[a](b)", "# x(1)\n```\nopen"} {
		if _, _, err := convert(text); err == nil {
			t.Errorf("%q was converted", text)
		}
	}
}

func TestAllPages(t *testing.T) {
	dir := t.TempDir()
	if err := run("../../docs/man", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "rastos.1")); err != nil {
		t.Error(err)
	}
	if err := run(dir, dir); err == nil {
		t.Error("a folder without pages was accepted")
	}
}
