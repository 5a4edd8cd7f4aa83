// SPDX-License-Identifier: GPL-3.0-or-later

package compare

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rastos/rastos/btrfs/stream"
)

func TestNamesAreFollowedThroughAStream(t *testing.T) {
	l := newLedger()
	for _, c := range []stream.Command{
		{Kind: stream.Mkdir, Path: "o1"}, {Kind: stream.Rename, Path: "o1", PathTo: "new"},
		{Kind: stream.Rename, Path: "a/b", PathTo: "new/b"}, // a directory with c and d
		{Kind: stream.Unlink, Path: "new/b/c"},
		{Kind: stream.Rename, Path: "x", PathTo: "o2"}, {Kind: stream.Rename, Path: "y", PathTo: "x"}, {Kind: stream.Rename, Path: "o2", PathTo: "y"},
		{Kind: stream.Write, Path: "z"}, {Kind: stream.Utimes, Path: "quiet"},
	} {
		if err := l.note(&c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.candidates(func(dir string) ([]string, error) {
		if dir == "a/b" {
			return []string{"c", "d"}, nil
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "a/b a/b/c a/b/d new new/b new/b/d o1 o2 x y z"
	if keys := strings.Join(slices.Sorted(maps.Keys(got)), " "); keys != want {
		t.Errorf("%s, want %s", keys, want)
	}
	if got["x"].from != "y" || got["new/b/d"].from != "a/b/d" || !got["z"].data {
		t.Errorf("%+v", got)
	}
}

func TestAStreamThatNamesWhatIsNotThereIsRefused(t *testing.T) {
	for _, c := range []stream.Command{
		{Kind: stream.Chmod, Path: "new/x"}, {Kind: stream.Unlink, Path: "new/x"}, {Kind: stream.Rename, Path: "new/x", PathTo: "y"},
		{Kind: stream.Link, Path: "y", PathLink: "new/x"}, {Kind: stream.Mkfile, Path: "new/x/y"},
	} {
		l := newLedger()
		if err := l.note(&stream.Command{Kind: stream.Mkdir, Path: "new"}); err != nil {
			t.Fatal(err)
		}
		if err := l.note(&c); err == nil {
			t.Errorf("%s was noted", c.Kind)
		}
	}
}
