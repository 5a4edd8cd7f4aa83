// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"

	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// Resolution is what a person wants of a conflict of /etc.
type Resolution string

// The resolutions.
const (
	Ours   Resolution = "ours"   // this machine's side
	Theirs Resolution = "theirs" // the node's side
	Edited Resolution = "edit"   // what the person makes of both in an editor
	Merged Resolution = "merged" // what the person made of both before
)

// Resolved says what became of a conflict.
type Resolved struct {
	Path string     `json:"path"`
	How  Resolution `json:"how"`
	Kept []string   `json:"kept,omitempty"` // where the sides lie that were not taken
}

// keptSuffix marks a side that was not taken.
const keptSuffix = ".rastold"

// resolveError says why a conflict cannot be resolved so.
type resolveError struct{ text, hint string }

func (e *resolveError) Error() string { return e.text }
func (e *resolveError) Hint() string  { return e.hint }

// ResolveRequest says how a conflict is to end.
type ResolveRequest struct {
	Path   string
	How    Resolution
	Merged []byte // the content, for Merged
}

// EtcResolve ends a conflict of the running /etc. No side is lost: what is not
// taken stays beside the file, as <file>.rastold.
func (m *Machine) EtcResolve(ctx context.Context, sink report.Sink, r ResolveRequest) (Resolved, error) {
	name, err := etcName(r.Path)
	if err != nil {
		return Resolved{}, err
	}
	if err := m.needRoot("etc resolve"); err != nil {
		return Resolved{}, err
	}
	sys, d, err := m.runningDeployment()
	if err != nil {
		return Resolved{}, err
	}
	defer sys.Close()
	c, decided, err := pending(sys, d, name)
	if err != nil {
		return Resolved{}, err
	}
	if decided && r.How != Ours && r.How != Theirs {
		return Resolved{}, &resolveError{
			fmt.Sprintf("/etc/%s: %s; only one side has it, so that there is nothing to merge", c.Path, c.Reason),
			"leave it so with --ours, or take the node's side with --theirs",
		}
	}
	etc, err := os.OpenRoot(sys.Deploys.EtcPath(d))
	if err != nil {
		return Resolved{}, err
	}
	defer etc.Close()
	// A person at an editor must not hold the lock.
	if r.How == Edited {
		if r.Merged, err = editBoth(ctx, etc, c, m.Edit); err != nil {
			return Resolved{}, err
		}
	}
	out := Resolved{Path: c.Path, How: r.How}
	err = m.locked(sys, sink, func() error {
		if decided {
			out.Kept, err = overrule(sys, d, etc, c.Path, r.How)
		} else {
			out.Kept, err = resolve(etc, c, r.How, r.Merged)
		}
		if err != nil {
			return err
		}
		// The files first: a record that says nothing of an open conflict would hide it.
		if err := m.Btrfs.Sync(sys.Nodes.Top); err != nil {
			return err
		}
		return sys.Deploys.Settled(d.Number, c.Path)
	})
	return out, err
}

// pending finds what there is about a name, and whether a rule has decided it.
func pending(sys *System, d deploy.Deployment, name string) (c EtcConflict, decided bool, err error) {
	open, err := openOf(sys, d)
	if err != nil {
		return c, false, err
	}
	about := func(c EtcConflict) bool { return c.Path == name || c.Beside == name }
	if i := slices.IndexFunc(open.Conflicts, about); i >= 0 {
		return open.Conflicts[i], false, nil
	}
	if i := slices.IndexFunc(open.Decided, about); i >= 0 {
		return open.Decided[i], true, nil
	}
	return c, false, &resolveError{fmt.Sprintf("/etc/%s has no conflict", name), "`rastos etc conflicts` lists them"}
}

// overrule takes the node's side where a rule kept this machine's, if that is asked
// for. What the machine has goes aside.
func overrule(sys *System, d deploy.Deployment, etc *os.Root, name string, how Resolution) (kept []string, err error) {
	if how == Ours {
		return nil, nil
	}
	if _, err := etc.Lstat(name); err == nil {
		old, err := unusedName(etc, name)
		if err != nil {
			return nil, err
		}
		if err := etc.Rename(name, old); err != nil {
			return nil, err
		}
		kept = []string{old}
	}
	return kept, sys.Deploys.TakeShipped(d, name)
}

// resolve changes the files. Each step leaves both sides somewhere, and what a cut
// leaves is a conflict still, or one that is done.
func resolve(etc *os.Root, c EtcConflict, how Resolution, merged []byte) (kept []string, err error) {
	if c.Beside == "" {
		if how != Ours {
			return nil, &resolveError{
				fmt.Sprintf("/etc/%s was merged by its entries: there is no other file to take", c.Path),
				"change the entry, with vipw or usermod, then resolve it with --ours",
			}
		}
		return nil, nil
	}
	old, err := unusedName(etc, c.Path)
	if err != nil {
		return nil, err
	}
	switch how {
	case Ours:
		return []string{old}, etc.Rename(c.Beside, old)
	case Theirs:
		if err := keepLive(etc, c.Path, old); err != nil {
			return nil, err
		}
		return []string{old}, etc.Rename(c.Beside, c.Path)
	}
	if err := keepLive(etc, c.Path, old); err != nil {
		return nil, err
	}
	if err := replaceContent(etc, c.Path, old, merged); err != nil {
		return nil, err
	}
	theirs, err := unusedName(etc, c.Path)
	if err != nil {
		return nil, err
	}
	return []string{old, theirs}, etc.Rename(c.Beside, theirs)
}

// keepLive gives this machine's side a second name. A folder has only one: it moves.
func keepLive(etc *os.Root, name, old string) error {
	info, err := etc.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return etc.Rename(name, old)
	}
	return etc.Link(name, old)
}

// replaceContent writes a file with the owner and the mode of the side that was
// live, under another name first.
func replaceContent(etc *os.Root, name, live string, data []byte) error {
	info, err := etc.Lstat(live)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &resolveError{fmt.Sprintf("/etc/%s is no file whose content could be set", name), "take a side with --ours or --theirs"}
	}
	tmp := path.Join(path.Dir(name), node.TempPrefix+path.Base(name))
	if err := etc.RemoveAll(tmp); err != nil {
		return err
	}
	if err := etc.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	if uid, gid, ok := ownerOf(info); ok {
		if err := etc.Lchown(tmp, uid, gid); err != nil {
			return err
		}
	}
	if err := etc.Chmod(tmp, info.Mode()); err != nil {
		return err
	}
	return etc.Rename(tmp, name)
}

// unusedName is where a side that is not taken can lie without hiding another.
func unusedName(etc *os.Root, name string) (string, error) {
	for i := 0; ; i++ {
		old := name + keptSuffix
		if i > 0 {
			old = fmt.Sprintf("%s.%d", old, i)
		}
		if _, err := etc.Lstat(old); errors.Is(err, fs.ErrNotExist) {
			return old, nil
		} else if err != nil {
			return "", err
		}
	}
}

// The lines that part the sides in an editor, as version control draws them.
const (
	markOurs   = "<<<<<<< this machine\n"
	markMiddle = "=======\n"
	markTheirs = ">>>>>>> the node\n"
)

// editBoth lets a person make one text of both sides.
func editBoth(ctx context.Context, etc *os.Root, c EtcConflict, edit func(ctx context.Context, file string) error) ([]byte, error) {
	if c.Beside == "" {
		return nil, nil // resolve says why
	}
	var sides [2][]byte
	for i, name := range []string{c.Path, c.Beside} {
		info, err := etc.Lstat(name)
		if err == nil && !info.Mode().IsRegular() {
			err = &resolveError{fmt.Sprintf("/etc/%s is no file that could be edited", name), "take a side with --ours or --theirs"}
		}
		if err == nil {
			sides[i], err = etc.ReadFile(name)
		}
		if err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "rastos-etc-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := path.Join(dir, path.Base(c.Path))
	if err := os.WriteFile(file, markSides(sides[0], sides[1]), 0o600); err != nil {
		return nil, err
	}
	if err := edit(ctx, file); err != nil {
		return nil, fmt.Errorf("edit /etc/%s: %w", c.Path, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for _, mark := range []string{markOurs, markTheirs} {
		if bytes.Contains(text, []byte(mark)) {
			return nil, &resolveError{fmt.Sprintf("/etc/%s still holds both sides: nothing was changed", c.Path), "make one text of them, and take the lines with <<<<<<< and >>>>>>> out"}
		}
	}
	return text, nil
}

// markSides is one text of two, with marks only where they differ.
func markSides(ours, theirs []byte) []byte {
	a, b := bytes.SplitAfter(ours, []byte("\n")), bytes.SplitAfter(theirs, []byte("\n"))
	head := 0
	for head < min(len(a), len(b)) && bytes.Equal(a[head], b[head]) {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && bytes.Equal(a[len(a)-1-tail], b[len(b)-1-tail]) {
		tail++
	}
	var out bytes.Buffer
	out.Write(bytes.Join(a[:head], nil))
	out.WriteString(markOurs)
	writeLines(&out, a[head:len(a)-tail])
	out.WriteString(markMiddle)
	writeLines(&out, b[head:len(b)-tail])
	out.WriteString(markTheirs)
	out.Write(bytes.Join(a[len(a)-tail:], nil))
	return out.Bytes()
}

// writeLines ends the last line too: a mark begins one.
func writeLines(out *bytes.Buffer, lines [][]byte) {
	text := bytes.Join(lines, nil)
	out.Write(text)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		out.WriteByte('\n')
	}
}

func ownerOf(info fs.FileInfo) (uid, gid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}
