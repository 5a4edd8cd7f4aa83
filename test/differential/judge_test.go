// SPDX-License-Identifier: GPL-3.0-or-later

package differential_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
)

// judge tells stories to several programs: pacman first.
type judge struct {
	dir      string // where roots are made
	shell    string // a static one
	programs []program
	compare  func(*reached) verdict
}

// verdict is how the programs differed, if they did.
type verdict struct {
	kind string // "exit code", "output", "tree", "tree without a journal"; empty: not at all
	text string
	// done counts the transactions that both carried out.
	done int
	// excepted names the exception that ended the story.
	excepted string
}

// telling is one story being told.
type telling struct {
	cache    string
	options  []string
	repos    []string
	roots    []*root // of each program
	compare  func(*reached) verdict
	packages map[string]*desc.Package
	done     int
}

// hear tells a story. An error means that it could not be told.
func (j *judge) hear(ctx context.Context, s story) (v verdict, err error) {
	dir, err := os.MkdirTemp(j.dir, "story-")
	if err != nil {
		return v, err
	}
	defer func() {
		if e := os.RemoveAll(dir); err == nil {
			err = e
		}
	}()
	t := &telling{cache: filepath.Join(dir, "pkg"), packages: map[string]*desc.Package{}, compare: j.compare}
	if err := os.Mkdir(t.cache, 0o755); err != nil {
		return v, err
	}
	for i, p := range j.programs {
		r, err := newRoot(filepath.Join(dir, fmt.Sprintf("root%d", i)), j.shell, p)
		if err != nil {
			return v, err
		}
		t.roots = append(t.roots, r)
	}
	for _, st := range s {
		if st.verb() == "run" {
			v, err = t.run(ctx, st)
		} else {
			err = t.set(st)
		}
		if err != nil {
			return v, fmt.Errorf("%s: %w", strings.Join(st.words, " "), err)
		}
		if v.kind != "" || v.excepted != "" {
			break
		}
	}
	v.done = t.done
	return v, nil
}

// set carries out a statement that prepares a transaction.
func (t *telling) set(st statement) error {
	switch st.verb() {
	case "conf":
		t.options = append(t.options, word(st.words, 1)+" = "+strings.Join(st.words[min(2, len(st.words)):], " ")+"\n")
		return nil
	case "pkg":
		p, err := archive(st, t.cache)
		if err == nil {
			t.packages[p.Entry()] = p
		}
		return err
	case "repo":
		return t.publish(word(st.words, 1), st.words[min(2, len(st.words)):])
	}
	for _, r := range t.roots {
		err := error(nil)
		if st.verb() == "hook" {
			err = os.WriteFile(filepath.Join(r.dir, "etc/pacman.d/hooks", word(st.words, 1)+".hook"), []byte(hook(st)), 0o644)
		} else {
			err = r.edit(st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *telling) publish(name string, entries []string) error {
	var list []*desc.Package
	for _, entry := range entries {
		if p := t.packages[entry]; p != nil {
			list = append(list, p)
		}
	}
	data, err := database(list)
	if err != nil {
		return err
	}
	if !slices.Contains(t.repos, name) {
		t.repos = append(t.repos, name)
	}
	for _, r := range t.roots {
		if err := os.WriteFile(filepath.Join(r.dir, "var/lib/pacman/sync", name+".db"), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// run lets all programs take a command, and compares.
func (t *telling) run(ctx context.Context, st statement) (verdict, error) {
	var at reached
	for _, r := range t.roots {
		if err := r.configure(t.cache, t.options, t.repos); err != nil {
			return verdict{}, err
		}
		argv := []string{"pacman", "--config", r.conf, "--noconfirm"}
		for _, w := range st.words[1:] {
			if entry, ok := strings.CutPrefix(w, "@"); ok {
				if t.packages[entry] == nil {
					return verdict{}, fmt.Errorf("there is no archive %s", entry)
				}
				w = filepath.Join(t.cache, entry+"-any.pkg.tar")
			}
			argv = append(argv, w)
		}
		o, err := r.program(ctx, argv)
		if err != nil {
			return verdict{}, err
		}
		o.out, o.err = strings.ReplaceAll(o.out, r.dir, "ROOT"), strings.ReplaceAll(o.err, r.dir, "ROOT")
		tree, err := r.tree()
		if err != nil {
			return verdict{}, err
		}
		at.outcomes, at.trees = append(at.outcomes, o), append(at.trees, tree)
	}
	v := t.compare(&at)
	if v.kind != "" {
		for _, e := range exceptions() {
			if e.shows(&at) {
				return verdict{excepted: e.name}, nil
			}
		}
		v.text = strings.Join(st.words, " ") + "\n" + v.text
	} else if at.outcomes[0].code == 0 {
		t.done++
	}
	return v, nil
}

// compareOurs compares pacman, ours, and ours without a journal.
func compareOurs(r *reached) verdict {
	// Ours tells of the directories of a package before its other files.
	if lines(r.outcomes[0].err) == lines(r.outcomes[1].err) {
		r.outcomes[1].err = r.outcomes[0].err
	}
	said := cmp.Diff(r.outcomes[0], r.outcomes[1], cmp.AllowUnexported(outcome{}))
	left := difference(r.trees[0], r.trees[1])
	if said != "" {
		said = "(-pacman +ours):\n" + said
	}
	switch {
	case r.outcomes[0].code != r.outcomes[1].code:
		return verdict{kind: "exit code", text: said + left}
	case left != "":
		return verdict{kind: "tree", text: left + said}
	case said != "":
		return verdict{kind: "output", text: said}
	}
	return r.compareBare()
}

// compareBare compares what ours leaves with a journal and without.
func (r *reached) compareBare() verdict {
	const log = "var/log/pacman.log"
	delete(r.trees[1], log)
	delete(r.trees[2], log)
	left := difference(r.trees[1], r.trees[2])
	if left == "" { // what is refused leaves all as it was
		return verdict{}
	}
	return verdict{kind: "tree without a journal", text: fmt.Sprintf("(ours, with a journal and without: %d, %d %s):\n%s",
		r.outcomes[1].code, r.outcomes[2].code, r.outcomes[2].err, left)}
}

// lines are those of a text in no order.
func lines(text string) string {
	list := strings.Split(text, "\n")
	slices.Sort(list)
	return strings.Join(list, "\n")
}
