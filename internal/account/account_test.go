// SPDX-License-Identifier: GPL-3.0-or-later

package account

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDecodeKeepsEveryByte(t *testing.T) {
	for _, data := range []string{
		"", "\n", "\n\n", "root:x:0:0:root:/root:/bin/bash\n", "root:x:0:0:root:/root:/bin/bash",
		"# a comment\nroot:x:0:0::/:/bin/sh\n\n+::::::\n", "rubbish", "a:b\x00c:\xff\n", "a:x:-1:0:::\n", ":x:1:1:::\n",
	} {
		for _, kind := range Kinds {
			if got := string(Decode(kind, []byte(data)).Encode()); got != data {
				t.Errorf("%s: %q became %q", kind, data, got)
			}
		}
	}
}

func TestSetAndAdd(t *testing.T) {
	f := Decode(Group, []byte("# groups\nroot:x:0:\nwheel:x:10:root\nwheel:x:99:\n+:::"))
	f.Set(Entry{"wheel", "x", "10", "root,anna"})
	f.Set(Entry{"new", "x", "1000", ""})
	want := "# groups\nroot:x:0:\nwheel:x:10:root,anna\nwheel:x:99:\nnew:x:1000:\n+:::"
	if got := string(f.Encode()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	f = Decode(Group, []byte("root:x:0:"))
	f.Add(Entry{"bin", "x", "1", ""})
	if got := string(f.Encode()); got != "root:x:0:\nbin:x:1:\n" {
		t.Errorf("got %q", got)
	}
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name             string
		kind             Kind
		base, live, next string
		want             string
		conflicts        []string
	}{
		{"nothing changed", Passwd, "a:x:1:1::/:/s\n", "a:x:1:1::/:/s\n", "a:x:1:1::/:/s\n", "a:x:1:1::/:/s\n", nil},
		{"each side changed a field", Passwd, "a:x:1:1:A:/:/s\n", "a:x:1:1:B:/:/s\n", "a:x:1:1:A:/h:/s\n", "a:x:1:1:B:/h:/s\n", nil},
		{"both changed one field", Passwd, "a:x:1:1::/:/s\n", "a:x:1:1::/:/live\n", "a:x:1:1::/:/next\n", "a:x:1:1::/:/live\n",
			[]string{`passwd: a: the shell is "/live" on this machine and "/next" in the new node`}},
		{"two numbers", Passwd, "", "git:x:970:970::/:/s\n", "git:x:968:968::/:/s\n", "git:x:970:970::/:/s\n",
			[]string{`passwd: git: the uid is "970" on this machine and "968" in the new node`, `passwd: git: the gid is "970" on this machine and "968" in the new node`}},
		{"a primary group chosen live", Passwd, "a:x:1:1::/:/s\n", "a:x:1:100::/:/s\n", "a:x:1:1::/:/s\n", "a:x:1:100::/:/s\n", nil},
		{"new users at the end", Passwd, "a:x:1:1::/:/s\n", "# mine\nanna:x:1000:1000::/:/s\na:x:1:1::/:/s\n", "http:x:33:33::/:/s\na:x:1:1::/:/s\n",
			"# mine\nanna:x:1000:1000::/:/s\na:x:1:1::/:/s\nhttp:x:33:33::/:/s\n", nil},
		{"a number that is taken", Group, "", "bar:x:970:\n", "foo:x:970:\n", "bar:x:970:\n",
			[]string{"group: foo: left out: its number 970 belongs to bar on this machine"}},
		{"removed live", Passwd, "games:x:5:60::/:/s\n", "", "games:x:5:60:G:/:/s\n", "", nil},
		{"gone from next", Passwd, "http:x:33:33::/:/s\n", "http:x:33:33::/:/s\n", "", "http:x:33:33::/:/s\n", nil},
		{"members", Group, "wheel:x:10:root,old\n", "wheel:x:10:root,old,anna\n", "wheel:x:10:root,new\n", "wheel:x:10:root,anna,new\n", nil},
		{"a password is no reading matter", Shadow, "a:!:1::::::\n", "a:$6$live:1::::::\n", "a:$6$next:1::::::\n", "a:$6$live:1::::::\n",
			[]string{"shadow: a: the password changed on this machine and in the new node"}},
		{"a password set live", Shadow, "a:!:1::::::\n", "a:$6$live:2::::::\n", "a:!:1::::::\n", "a:$6$live:2::::::\n", nil},
		{"unknown lines", Passwd, "+::::::\n", "+::::::\n", "# new\n+::::::\n+@ops\n", "+::::::\n# new\n+@ops\n", nil},
		{"ranges", Subuid, "", "anna:100000:65536\n", "bert:165536:65536\nanna:100000:65536\n", "anna:100000:65536\nbert:165536:65536\n", nil},
		{"ranges that moved", Subuid, "", "anna:100000:65536\n", "anna:300000:65536\n", "anna:100000:65536\n",
			[]string{"subuid: anna: its ranges are others on this machine than in the new node"}},
		{"ranges that overlap", Subgid, "", "anna:100000:65536\n", "bert:150000:65536\n", "anna:100000:65536\n",
			[]string{"subgid: bert: left out: its range from 150000 overlaps that of anna on this machine"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, conflicts, err := MergeFile("etc/"+string(c.kind), []byte(c.base), []byte(c.live), []byte(c.next))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("merged:\n%s", diff)
			}
			if diff := cmp.Diff(c.conflicts, conflicts); diff != "" {
				t.Errorf("conflicts:\n%s", diff)
			}
		})
	}
	if _, _, err := MergeFile("fstab", nil, nil, nil); err == nil {
		t.Error("fstab was merged as accounts")
	}
}

// accounts draws a small passwd file, so that names and numbers meet often.
func accounts(t *rapid.T, label string) string {
	var out strings.Builder
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "# note", ""}), 0, 6).Draw(t, label) {
		if name == "" || name == "# note" {
			out.WriteString(name + "\n")
			continue
		}
		uid := rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "uid")
		shell := rapid.SampledFrom([]string{"/x", "/y"}).Draw(t, "shell")
		out.WriteString(name + ":x:" + uid + ":1::/:" + shell + "\n")
	}
	return out.String()
}

func TestMergeNeverRenumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, live, next := accounts(t, "base"), accounts(t, "live"), accounts(t, "next")
		merged, conflicts := Merge(Passwd, []byte(base), []byte(live), []byte(next))
		before, after := Decode(Passwd, []byte(live)), Decode(Passwd, merged)
		for _, e := range before.Entries() {
			old, _ := before.Get(e.Name())
			now, ok := after.Get(e.Name())
			if !ok || now[fieldUID] != old[fieldUID] {
				t.Fatalf("%v became %v", old, now)
			}
			if n, ok := Decode(Passwd, []byte(next)).Get(e.Name()); ok && n[fieldUID] != old[fieldUID] && len(conflicts) == 0 {
				t.Fatalf("%v and %v are no conflict", old, n)
			}
		}
		same, conflicts := Merge(Passwd, []byte(base), []byte(live), []byte(base))
		if string(same) != live || len(conflicts) > 0 && !renumbered(base, live) {
			t.Fatalf("an unchanged new node changed %q to %q, %v", live, same, conflicts)
		}
		again, _ := Merge(Passwd, []byte(next), merged, []byte(next))
		if string(again) != string(merged) {
			t.Fatalf("a second merge changed %q to %q", merged, again)
		}
	})
}

func renumbered(base, live string) bool {
	a, b := Decode(Passwd, []byte(base)), Decode(Passwd, []byte(live))
	for _, e := range a.Entries() {
		one, _ := a.Get(e.Name())
		if two, ok := b.Get(e.Name()); ok && one[fieldUID] != two[fieldUID] {
			return true
		}
	}
	return false
}

func TestReconcile(t *testing.T) {
	live := Set{
		Passwd: []byte("root:x:0:0::/root:/bin/bash\nhttp:x:970:970::/:/s\nanna:$6$old:1000:1000::/home/anna:/bin/bash\n"),
		Group:  []byte("root:x:0:\nhttp:x:970:\nanna:x:1000:\n"),
		Shadow: []byte("anna:$6$secret:1::::::\n"),
	}
	next := Set{Passwd: []byte("root:x:0:0::/root:/bin/bash\n"), Group: []byte("root:x:0:\n"), Shadow: []byte("root:!:1::::::\n")}
	got, conflicts := Reconcile(live, next)
	if len(conflicts) != 0 {
		t.Fatal(conflicts)
	}
	if want := "root:x:0:0::/root:/bin/bash\nhttp:x:970:970::/:/s\nanna:x:1000:1000::/home/anna:/bin/bash\n"; string(got[Passwd]) != want {
		t.Errorf("passwd:\n%s", got[Passwd])
	}
	if string(got[Group]) != string(live[Group]) || string(got[Shadow]) != string(next[Shadow]) {
		t.Errorf("group:\n%sshadow:\n%s", got[Group], got[Shadow])
	}
	if n := got.Numbers(); n.Users["http"] != 970 || n.Groups["anna"] != 1000 {
		t.Errorf("%+v", n)
	}

	live[Passwd] = append(live[Passwd], "svc:x:980:980::/:/s\n"...)
	next[Passwd] = []byte("http:x:33:33::/:/s\nother:x:980:1::/:/s\n")
	_, conflicts = Reconcile(live, next)
	var texts []string
	for _, c := range conflicts {
		texts = append(texts, c.String())
	}
	want := []string{`passwd: http: the uid is "970" on this machine and "33" in the new node`, "passwd: svc: its number 980 belongs to other in the new node"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
}

// A node carries the people of the day when it was built.
func TestPeopleWhoLeftOrMovedDoNotStopTheNextNode(t *testing.T) {
	live := Set{
		Passwd: []byte("root:x:0:0::/root:/s\nanna:x:1005:1005::/:/s\ncarol:x:1001:1001::/:/s\n"),
		Group:  []byte("root:x:0:\nanna:x:1005:\ncarol:x:1001:\n"),
	}
	next := Set{
		Passwd: []byte("root:x:0:0::/root:/s\nanna:x:1000:1000::/:/s\nbob:x:1001:1001::/:/s\nnobody:x:65534:65534::/:/s\n"),
		Group:  []byte("root:x:0:\nanna:x:1000:\nbob:x:1001:\n"),
	}
	got, conflicts := Reconcile(live, next)
	if len(conflicts) != 0 {
		t.Fatal(conflicts)
	}
	if want := "root:x:0:0::/root:/s\nnobody:x:65534:65534::/:/s\nanna:x:1005:1005::/:/s\ncarol:x:1001:1001::/:/s\n"; string(got[Passwd]) != want {
		t.Errorf("passwd:\n%s", got[Passwd])
	}
	if string(got[Group]) != string(live[Group]) {
		t.Errorf("group:\n%s", got[Group])
	}
}

func TestANumberChangedOnThisMachineAloneIsNoConflict(t *testing.T) {
	base := "anna:x:1000:1000::/:/s\n"
	merged, conflicts := Merge(Passwd, []byte(base), []byte("anna:x:1005:1005::/:/s\n"), []byte(base))
	if len(conflicts) != 0 || string(merged) != "anna:x:1005:1005::/:/s\n" {
		t.Errorf("%q, %v", merged, conflicts)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("a:x:1:1::/:/s\n", "a:x:2:1::/:/s", "b:x:1:1::/:/s\n")
	f.Add("+\n", "#\n\n", "a:b:c:d\n")
	f.Fuzz(func(t *testing.T, base, live, next string) {
		for _, kind := range Kinds {
			if got := string(Decode(kind, []byte(live)).Encode()); got != live {
				t.Errorf("%s: %q became %q", kind, live, got)
			}
			Merge(kind, []byte(base), []byte(live), []byte(next))
		}
	})
}
