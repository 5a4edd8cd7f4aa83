// SPDX-License-Identifier: GPL-3.0-or-later

// Package differential_test lets rastOS and the real pacman take the same
// steps on copies of the same root, and compares all that they show and leave:
// the exit code, what is printed (the plan in it), every file (type, content,
// mode, owner, links, and the time of files of packages), the local database
// and what scriptlets and hooks saw. A third root is written without a journal,
// as nodes and images are, and must end like the one with it.
//
// A story is a text, one statement a line. Stories are generated from a seed;
// one in which the programs differ is made as short as it can be and printed.
// Put into testdata, it is told at every run.
//
//	conf KEY VALUE…            a line of pacman.conf's [options], from here on
//	pkg NAME VERSION KEY=LIST… makes an archive; the indented lines below it:
//	 f PATH MODE OWNER TEXT    a file; OWNER is uid:gid
//	 d PATH MODE OWNER         a directory
//	 l PATH TARGET             a symbolic link
//	 h PATH TARGET             a hard link
//	 s FUNCTION…               scriptlets, which write down what they see
//	 x FUNCTION PATH           a scriptlet that removes a file, too
//	repo NAME ENTRY…           a repository holds these archives, from here on
//	hook NAME KEY=VALUE…       a hook, which writes down its targets, and with
//	                           Removes=PATH removes a file
//	write PATH MODE TEXT       a person writes a file; mkdir PATH MODE, link
//	                           PATH TARGET and remove PATH likewise
//	run ARGUMENT…              pacman, both; "@app-1-1" is the path of an archive
package differential_test

import (
	"fmt"
	"slices"
	"strings"
)

// story is the statements of a text, each with the lines that belong to it.
type story []statement

// statement is a line and what is indented below it.
type statement struct {
	words []string
	under [][]string
}

func (s statement) verb() string { return s.words[0] }

// parseStory reads a text. A line that begins with # is a comment.
func parseStory(text string) (story, error) {
	var out story
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0, words[0][0] == '#':
		case line[0] == ' ' && len(out) > 0 && out[len(out)-1].verb() == "pkg":
			last := &out[len(out)-1]
			last.under = append(last.under, words)
		case slices.Contains(verbs(), words[0]):
			out = append(out, statement{words: words})
		default:
			return nil, fmt.Errorf("line %d: no statement begins with %q", n+1, line)
		}
	}
	return out, nil
}

func verbs() []string {
	return []string{"conf", "pkg", "repo", "hook", "write", "mkdir", "link", "remove", "run"}
}

func (s story) String() string {
	var b strings.Builder
	for _, st := range s {
		b.WriteString(strings.Join(st.words, " ") + "\n")
		for _, words := range st.under {
			b.WriteString(" " + strings.Join(words, " ") + "\n")
		}
	}
	return b.String()
}

// runs counts the transactions.
func (s story) runs() (n int) {
	for _, st := range s {
		if st.verb() == "run" {
			n++
		}
	}
	return n
}

// word returns the nth word, or nothing: what was shortened may lack some.
func word(words []string, n int) string {
	if n < len(words) {
		return words[n]
	}
	return ""
}
