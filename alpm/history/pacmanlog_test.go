// SPDX-License-Identifier: GPL-3.0-or-later

package history

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sampleLog = `[2012-05-01 10:00] installed old (1.0-1)
[2012-05-01 10:00] upgraded older (1.0-1 -> 1.1-1)
[2022-10-05T12:34:56+0000] [PACMAN] Running 'pacman -S x y'
[2022-10-05T12:34:56+0000] [PACMAN] synchronizing package lists
[2022-10-05T12:34:57+0000] [ALPM] transaction started
[2022-10-05T12:34:57+0000] [ALPM] installed x (1-1)
[2022-10-05T12:34:57+0000] [ALPM-SCRIPTLET] installed nonsense (1)
[2022-10-05T12:34:58+0000] [ALPM] warning: /etc/x installed as /etc/x.pacnew
[2022-10-05T12:34:58+0000] [ALPM] upgraded y (1-1 -> 1:2-1)
[2022-10-05T12:34:58+0000] [ALPM] downgraded z (2-1 -> 1-1)
[2022-10-05T12:34:58+0000] [ALPM] reinstalled same (3-1)
[2022-10-05T12:34:59+0000] [ALPM] transaction completed
[2022-10-05T12:35:00+0000] [ALPM] running '30-systemd-update.hook'...
[2022-10-06T08:00:00+0200] [ALPM] transaction started
[2022-10-06T08:00:00+0200] [ALPM] removed x (1-1)
[2022-10-06T08:00:01+0200] [ALPM] transaction failed
[2022-10-07T08:00:00+0000] [PACMAN] Running 'pacman -Syu'
[2022-10-07T08:00:00+0000] [ALPM] transaction started
[2022-10-07T08:00:00+0000] [ALPM] removed y (1:2-1)
no line of a log
[2022-10-08T08:00:00+0000] [PACMAN] Running 'pacman -Syu'
[2022-10-08T08:00:00+0000] [ALPM] transaction started
[2022-10-08T08:00:01+0000] [ALPM] transaction completed
`

func TestReadPacmanLog(t *testing.T) {
	got, err := ReadPacmanLog(strings.NewReader(sampleLog))
	must(t, err)
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		must(t, err)
		return v
	}
	v := func(s string) *Version { return &Version{Version: s} }
	old := time.Date(2012, 5, 1, 10, 0, 0, 0, time.Local)
	want := []Entry{
		{ID: "p1", Time: old, Ended: old, Result: Done, Changes: []Change{{Name: "old", New: v("1.0-1")}, {Name: "older", Old: v("1.0-1"), New: v("1.1-1")}}},
		{ID: "p2", Time: at("2022-10-05T12:34:57Z"), Ended: at("2022-10-05T12:34:59Z"), Result: Done, Command: []string{"pacman", "-S", "x", "y"}, Changes: []Change{
			{Name: "x", New: v("1-1")}, {Name: "y", Old: v("1-1"), New: v("1:2-1")}, {Name: "z", Old: v("2-1"), New: v("1-1")}, {Name: "same", Old: v("3-1"), New: v("3-1")}}},
		{ID: "p3", Time: at("2022-10-06T06:00:00Z"), Ended: at("2022-10-06T06:00:01Z"), Result: Failed, Changes: []Change{{Name: "x", Old: v("1-1")}}},
		{ID: "p4", Time: at("2022-10-07T08:00:00Z"), Ended: at("2022-10-07T08:00:00Z"), Result: Unfinished, Command: []string{"pacman", "-Syu"}, Changes: []Change{{Name: "y", Old: v("1:2-1")}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMergeTakesATransactionOnce(t *testing.T) {
	pacmans, err := ReadPacmanLog(strings.NewReader(sampleLog))
	must(t, err)
	ours := []Entry{
		{ID: "1", Time: pacmans[1].Time.Add(-time.Second), Ended: pacmans[1].Ended, Changes: pacmans[1].Changes},
		{ID: "2", Time: pacmans[2].Time, Ended: pacmans[2].Ended, Changes: []Change{{Name: "other", New: &Version{Version: "1"}}}},
	}
	var ids []string
	for _, e := range Merge(ours, pacmans) {
		ids = append(ids, e.ID)
	}
	if diff := cmp.Diff([]string{"p1", "1", "2", "p3", "p4"}, ids); diff != "" {
		t.Error(diff)
	}
}

func FuzzReadPacmanLog(f *testing.F) {
	f.Add(sampleLog)
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := ReadPacmanLog(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, e := range entries {
			if len(e.Changes) == 0 || e.Result == "" {
				t.Errorf("an empty transaction: %+v", e)
			}
			for _, c := range e.Changes {
				if c.Name == "" || c.Old == nil && c.New == nil {
					t.Errorf("an empty change: %+v", c)
				}
			}
		}
	})
}
