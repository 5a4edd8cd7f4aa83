// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/internal/boot/esptest"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/report"
	"github.com/rastos/rastos/internal/testkit"
)

// torn is a machine whose /etc/hosts is the machine's, with the node's beside it.
func torn(t *testing.T) (*box, string) {
	b := newBox(t, esptest.OldName)
	sys := b.system(1)
	d, err := sys.Deploys.Get(1)
	b.check(err)
	etc := sys.Deploys.EtcPath(d)
	b.check(os.WriteFile(filepath.Join(etc, "hosts"), []byte("a\nmine\nc\n"), 0o640))
	b.check(os.Chmod(filepath.Join(etc, "hosts"), 0o640))
	b.check(os.WriteFile(filepath.Join(etc, "hosts.rastnew"), []byte("a\ntheirs\nc\n"), 0o644))
	d.Conflicts = []EtcConflict{
		{Path: "hosts", Beside: "hosts.rastnew", Reason: "the same lines changed"},
		{Path: "gone", Beside: "gone.rastnew", Reason: "somebody removed it by hand"},
		{Path: "group", Reason: "group: web: left out"},
	}
	b.check(sys.Deploys.Put(d))
	return b, etc
}

func (b *box) conflicts() []string {
	b.t.Helper()
	open, err := b.EtcConflicts()
	b.check(err)
	return paths(open.Conflicts)
}

func paths(list []EtcConflict) (out []string) {
	for _, c := range list {
		out = append(out, c.Path)
	}
	return out
}

// files reads what lies in a folder with a prefix.
func (b *box) files(dir, prefix string) map[string]string {
	b.t.Helper()
	out := map[string]string{}
	b.check(filepath.WalkDir(dir, func(f string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, f)
		if err != nil || !e.Type().IsRegular() || !strings.HasPrefix(name, prefix) {
			return err
		}
		text, err := os.ReadFile(f)
		out[name] = string(text)
		return err
	}))
	return out
}

const mine, theirs = "a\nmine\nc\n", "a\ntheirs\nc\n"

func TestAConflictEndsAndNoSideIsLost(t *testing.T) {
	for how, tt := range map[Resolution]struct {
		want  map[string]string
		shown string // in the editor
	}{
		Ours:   {want: map[string]string{"hosts": mine, "hosts.rastold": theirs}},
		Theirs: {want: map[string]string{"hosts": theirs, "hosts.rastold": mine}},
		Merged: {want: map[string]string{"hosts": "a\nboth\n", "hosts.rastold": mine, "hosts.rastold.1": theirs}},
		Edited: {
			want:  map[string]string{"hosts": "edited\n", "hosts.rastold": mine, "hosts.rastold.1": theirs},
			shown: "a\n<<<<<<< this machine\nmine\n=======\ntheirs\n>>>>>>> the node\nc\n",
		},
	} {
		b, etc := torn(t)
		if got := b.conflicts(); !slices.Equal(got, []string{"hosts", "group"}) {
			t.Errorf("conflicts %q", got)
		}
		shown := ""
		b.Edit = func(_ context.Context, file string) error {
			text, err := os.ReadFile(file)
			b.check(err)
			shown = string(text)
			return os.WriteFile(file, []byte("edited\n"), 0o600)
		}
		out, err := b.EtcResolve(t.Context(), report.Discard{}, ResolveRequest{Path: "/etc/hosts", How: how, Merged: []byte("a\nboth\n")})
		b.check(err)
		if len(out.Kept) != len(tt.want)-1 || shown != tt.shown {
			t.Errorf("%s: kept %q, shown %q", how, out.Kept, shown)
		}
		if diff := cmp.Diff(tt.want, b.files(etc, "hosts")); diff != "" {
			t.Errorf("%s:\n%s", how, diff)
		}
		if info, err := os.Stat(filepath.Join(etc, "hosts")); err != nil || how != Theirs && info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", how, info.Mode(), err)
		}
		if got := b.conflicts(); !slices.Equal(got, []string{"group"}) {
			t.Errorf("%s: conflicts left: %q", how, got)
		}
		st, err := b.Status()
		if err != nil || st.Conflicts != 1 {
			t.Errorf("the status counts %d conflicts, %v", st.Conflicts, err)
		}
	}
}

// TestWhatARuleDecidedIsListedAndCanBeOverruled: one file that this machine removed
// and the node changed, in a folder that is gone, too; one that this machine changed
// and the node has no more.
func TestWhatARuleDecidedIsListedAndCanBeOverruled(t *testing.T) {
	for how, want := range map[Resolution]map[string]string{
		Ours:   {"app.own": "mine\n"},
		Theirs: {"app.own.rastold": "mine\n", "app.d/conf": "theirs\n"},
		Edited: nil,
		Merged: nil,
	} {
		b := newBox(t, esptest.OldName)
		sys := b.system(1)
		d, err := sys.Deploys.Get(1)
		b.check(err)
		etc := sys.Deploys.EtcPath(d)
		put(t, testTree{testkit.DirFiles{Dir: sys.Nodes.Root(1)}}, "etc/app.d/conf", "theirs\n")
		put(t, testTree{testkit.DirFiles{Dir: etc}}, "app.own", "mine\n")
		d.Notes = []EtcConflict{
			{Path: "app.d/conf", Reason: "deleted on this machine and changed in the new node: it stays deleted"},
			{Path: "app.own", Reason: "changed on this machine and gone from the new node: it stays"},
			{Path: "hosts", Reason: "deleted on this machine, and made again since"},
			{Path: "gone", Reason: "gone from the new node, and removed since"},
		}
		b.check(sys.Deploys.Put(d))
		for _, name := range []string{"app.d/conf", "app.own"} {
			_, err := b.EtcResolve(t.Context(), report.Discard{}, ResolveRequest{Path: name, How: how})
			if want == nil && (err == nil || !strings.Contains(err.Error(), "nothing to merge")) {
				t.Errorf("%s: %v", how, err)
			}
			if want != nil {
				b.check(err)
			}
		}
		open, err := b.EtcConflicts()
		b.check(err)
		got, left := b.files(etc, "app"), []string{"app.d/conf", "app.own"}
		if want != nil {
			left = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s:\n%s", how, diff)
			}
		}
		if !slices.Equal(paths(open.Decided), left) || len(open.Conflicts) != 0 {
			t.Errorf("%s: %+v is open", how, open)
		}
	}
}

func TestAnEditThatLeavesBothSidesChangesNothing(t *testing.T) {
	b, etc := torn(t)
	b.Edit = func(context.Context, string) error { return nil }
	_, err := b.EtcResolve(t.Context(), report.Discard{}, ResolveRequest{Path: "hosts", How: Edited})
	if err == nil || !strings.Contains(err.Error(), "still holds both sides") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(map[string]string{"hosts": mine, "hosts.rastnew": theirs}, b.files(etc, "hosts")); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeResolvedIsSaid(t *testing.T) {
	b, _ := torn(t)
	for _, tt := range []struct {
		path string
		how  Resolution
		want string
	}{
		{"group", Theirs, "merged by its entries"},
		{"release", Ours, "has no conflict"},
		{"/usr/lib", Ours, "is not below /etc"},
		{"/etc/../etc", Ours, "is not below /etc"},
		{"..", Ours, "names no file"},
	} {
		_, err := b.EtcResolve(t.Context(), report.Discard{}, ResolveRequest{Path: tt.path, How: tt.how})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: got %v, want %q", tt.path, tt.how, err, tt.want)
		}
	}
	if _, err := b.EtcResolve(t.Context(), report.Discard{}, ResolveRequest{Path: "group", How: Ours}); err != nil {
		t.Error(err)
	}
}

func TestEtcDiff(t *testing.T) {
	b, etc := torn(t)
	b.check(os.MkdirAll(filepath.Join(etc, "own.d/x"), 0o755))
	b.check(os.Remove(filepath.Join(etc, "release")))
	list, err := b.EtcDiff(nil)
	b.check(err)
	want := []EtcDifference{
		{Difference: deploy.Difference{Path: "hosts", What: "changed"}},
		{Difference: deploy.Difference{Path: "hosts.rastnew", What: "added"}},
		{Difference: deploy.Difference{Path: "own.d", What: "added"}},
		{Difference: deploy.Difference{Path: "release", What: "removed"}},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	if list, err = b.EtcDiff([]string{"/etc/hosts"}); err != nil || len(list) != 1 ||
		list[0].Diff != "--- node/etc/hosts\n+++ /etc/hosts\n@@ -1,3 +1,3 @@\n a\n-b\n+mine\n c\n" {
		t.Errorf("%+v, %v", list, err)
	}
}
