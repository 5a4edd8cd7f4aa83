// SPDX-License-Identifier: GPL-3.0-or-later

package getopt_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/pacman/getopt"
)

func spec() getopt.Spec {
	return getopt.Spec{Short: "Qib:y", Long: []getopt.Long{
		{Name: "query", Key: "Q"}, {Name: "dbpath", Value: getopt.Required, Key: "dbpath"},
		{Name: "dbonly", Key: "dbonly"}, {Name: "debug", Value: getopt.Optional, Key: "debug"},
		{Name: "deps", Key: "deps"}, {Name: "dep", Key: "dep"},
	}}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"-Qi foo", "Q i | foo"},
		{"foo -Qi bar", "Q i | foo bar"},
		{"-Qb /db x", "Q b=/db | x"},
		{"-Qb/db x", "Q b=/db | x"},
		{"--query --dbp /db", "Q dbpath=/db |"},
		{"--dbpath=/db --dbpath=", "dbpath=/db dbpath= |"},
		{"--debug 2 --debug=2", "debug debug=2 | 2"},
		{"--dep --deps", "dep deps |"},
		{"-Q -- -i --query", "Q | -i --query"},
		{"- -Q", "Q | -"},
		{"-Qz", "! invalid option -- 'z'"},
		{"-Q:", "! invalid option -- ':'"},
		{"-b", "! option requires an argument -- 'b'"},
		{"--dbpath", "! option '--dbpath' requires an argument"},
		{"--query=1", "! option '--query' doesn't allow an argument"},
		{"--que=1", "! option '--query' doesn't allow an argument"},
		{"--nothing=1", "! unrecognized option '--nothing=1'"},
		{"--db", "! option '--db' is ambiguous; possibilities: '--dbpath' '--dbonly'"},
	} {
		options, operands, err := spec().Parse(strings.Fields(c.line))
		var got []string
		for _, o := range options {
			text := o.Key
			if o.HasValue {
				text += "=" + o.Value
			}
			got = append(got, text)
		}
		got = append(append(got, "|"), operands...)
		if err != nil {
			got = []string{"!", err.Error()}
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", c.line, diff)
		}
	}
}

func TestPermuted(t *testing.T) {
	for args, want := range map[string]string{
		"a -Q b --dbpath c d": "-Q --dbpath c a b d",
		"-Q -- -i a":          "-Q -- -i a",
		"a --nope":            "a --nope",
		"-b x y -bz":          "-b x -bz y",
	} {
		if got := strings.Join(spec().Permuted(strings.Fields(args)), " "); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}
