// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeysThatDiffer(t *testing.T) {
	const before = `
[system]
hostname = "atlas"
timezone = "UTC"
[packages]
official = ["base", "nano"]
[[user]]
name = "anna"
groups = ["wheel"]
[[user]]
name = "bob"
`
	const now = `
# in another order
[packages]
official = ["vim", "base"]
[system]
timezone = "UTC"
hostname = "atlas2"
keymap = "de"
[[user]]
name = "anna"
groups = ["wheel", "audio"]
`
	got, err := KeyChanges([]byte(before), []byte(now))
	if err != nil {
		t.Fatal(err)
	}
	want := []KeyChange{
		{Key: "packages.official", Is: `"vim"`},
		{Key: "packages.official", Was: `"nano"`},
		{Key: "system.hostname", Was: `"atlas"`, Is: `"atlas2"`},
		{Key: "system.keymap", Is: `"de"`},
		{Key: "user[anna].groups", Is: `"audio"`},
		{Key: "user[bob].name", Was: `"bob"`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if same, err := KeyChanges([]byte(before), []byte(before)); err != nil || len(same) != 0 {
		t.Errorf("%v, %v", same, err)
	}
	if _, err := KeyChanges([]byte("["), nil); err == nil {
		t.Error("a broken one was compared")
	}
}
