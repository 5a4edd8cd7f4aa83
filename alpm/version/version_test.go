// SPDX-License-Identifier: GPL-3.0-or-later

package version_test

import (
	"math/rand"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rastos/rastos/alpm/version"
	"github.com/rastos/rastos/internal/testkit"
)

// ordered holds versions from old to new, one kind of rule a row.
var ordered = [][]string{
	{"0", "1", "2", "10", "100"},                                // by value
	{"1.0", "1.0.1", "1.1", "1.10", "2"},                        // part after part
	{"1.9", "1.10", "1.11"},                                     // not by text
	{"1.0alpha", "1.0beta", "1.0rc1", "1.0rc2", "1.0", "1.0.1"}, // a letter at the end is before nothing
	{"1.0a", "1.0b", "1.0ba", "1.0"},                            // letters by text
	{"a", "b", "1"},                                             // digits are newer than letters
	{"1.0.a", "1.0.1"},                                          // the same, after a dot
	{"1.0", "1.0.a"},                                            // a separator, then a letter, is newer than the end
	{"1.0-1", "1.0-2", "1.0-10", "1.1-1"},                       // releases
	{"1.0-1", "1.0-1.1", "1.0-1.2", "1.0-2"},                    // rebuilds
	{"1.0rc1-5", "1.0-1"},                                       // version before release
	{"1", "1..0", "1...0"},                                      // longer separators are newer
	{"9:0", "10:0"},                                             // epochs by value
	{"999-9", "1:0-1", "2:0-1"},                                 // epochs before all else
	{"1.0.0.r9.gaaaaaaa", "1.0.0.r10.gaaaaaaa"},                 // VCS packages
	{"18446744073709551615", "18446744073709551616"},            // no integer type
	{"20220815.8413c63", "20220830.11ab"},
}

// equal holds versions that are the same.
var equal = [][2]string{
	{"1.0", "1.0"}, {"1.0-1", "1.0-1"},
	{"1.0", "1.0-1"}, {"1.0-9", "1.0"}, // a release missing on one side does not count
	{"0:1.0", "1.0"}, {":1.0", "1.0"}, {"00:1", "0:1"},
	{"1.01", "1.1"}, {"1.0", "1.00"}, {"007", "7"}, // leading zeros
	{"1_0", "1.0"}, {"1.0", "1+0"}, // one separator is like another
	{"", ""}, {"1.", "1."},
}

func TestOrder(t *testing.T) {
	for _, row := range ordered {
		for i, a := range row {
			for j, b := range row {
				want := 0
				switch {
				case i < j:
					want = -1
				case i > j:
					want = 1
				}
				if got := version.Compare(a, b); got != want {
					t.Errorf("Compare(%q, %q) = %d, want %d", a, b, got, want)
				}
			}
		}
	}
	for _, pair := range equal {
		if got := version.Compare(pair[0], pair[1]); got != 0 {
			t.Errorf("Compare(%q, %q) = %d, want 0", pair[0], pair[1], got)
		}
		if got := version.Compare(pair[1], pair[0]); got != 0 {
			t.Errorf("Compare(%q, %q) = %d, want 0", pair[1], pair[0], got)
		}
	}
}

// pairs are the table's, and random ones made of what versions are made of.
func pairs() [][2]string {
	var list [][2]string
	for _, row := range ordered {
		for i := 1; i < len(row); i++ {
			list = append(list, [2]string{row[i-1], row[i]}, [2]string{row[i], row[0]})
		}
	}
	list = append(list, equal...)
	pieces := []string{"1", "0", "01", "2", "10", "a", "b", "rc", ".", ".", "..", "-", ":", "_", "+", "~", "é", "A", "r5"}
	rnd := rand.New(rand.NewSource(1))
	random := func() string {
		var s strings.Builder
		for range 1 + rnd.Intn(6) {
			s.WriteString(pieces[rnd.Intn(len(pieces))])
		}
		return s.String()
	}
	for range 350 {
		a, b := random(), random()
		if rnd.Intn(2) == 0 { // differ late
			b = a + b
			a += random()
		}
		if a[0] != '-' && b[0] != '-' { // would be options of vercmp
			list = append(list, [2]string{a, b})
		}
	}
	return list
}

func TestTheSameAsVercmp(t *testing.T) {
	vercmp := testkit.NeedTool(t, "vercmp")
	for _, pair := range pairs() {
		if pair[0] == "" || pair[1] == "" {
			continue
		}
		cmd := exec.Command(vercmp, pair[0], pair[1])
		cmd.Env = []string{"LC_ALL=C"}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("vercmp %q %q: %v", pair[0], pair[1], err)
		}
		want, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatalf("vercmp %q %q: %q", pair[0], pair[1], out)
		}
		if got := version.Compare(pair[0], pair[1]); got != want {
			t.Errorf("Compare(%q, %q) = %d, vercmp says %d", pair[0], pair[1], got, want)
		}
	}
}

func TestAntisymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.StringMatching(`([0-9]:)?[0-9a-zA-Z._+~]{0,8}(-[0-9.]{1,3})?`)
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		if version.Compare(a, b) != -version.Compare(b, a) {
			t.Fatalf("Compare(%q, %q) and back do not agree", a, b)
		}
		if version.Compare(a, a) != 0 {
			t.Fatalf("%q differs from itself", a)
		}
	})
}

func TestNoGarbage(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() { version.Compare("1:2.3.4rc1-5", "1:2.3.4rc2-5") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCompare(f *testing.F) {
	for _, pair := range pairs()[:60] {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		c := version.Compare(a, b)
		if c < -1 || c > 1 {
			t.Fatalf("Compare(%q, %q) = %d", a, b, c)
		}
	})
}
