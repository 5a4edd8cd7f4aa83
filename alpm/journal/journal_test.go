// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type note struct{ Text string }

// written makes a journal of three records, the second of them packed.
func written(t testing.TB) (path string, texts []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal")
	l, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	texts = []string{"first", strings.Repeat("a long one ", 1000), "third"}
	for i, text := range texts {
		if err := l.Append(Kind(i+1), note{text}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Sync(), l.Close()); err != nil {
		t.Fatal(err)
	}
	return path, texts
}

func check(t testing.TB, records []Record, texts []string) {
	t.Helper()
	if len(records) != len(texts) {
		t.Fatalf("%d records, want %d", len(records), len(texts))
	}
	for i, r := range records {
		var n note
		if err := r.Decode(&n); err != nil || n.Text != texts[i] || r.Kind != Kind(i+1) {
			t.Fatalf("record %d is %d %q, %v", i, r.Kind, n.Text, err)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	path, texts := written(t)
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a second journal: %v", err)
	}
	l, records, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	check(t, records, texts)
	if data, err := os.ReadFile(path); err != nil || len(data) > 500 {
		t.Errorf("%d bytes: nothing was packed (%v)", len(data), err)
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if there, err := Exists(path); there || err != nil {
		t.Errorf("after Remove: %v, %v", there, err)
	}
	if _, _, err := Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened what is not there: %v", err)
	}
}

// Cut anywhere, a journal has the records that were whole, and goes on.
func TestTornJournalHasItsWholeRecords(t *testing.T) {
	path, texts := written(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ends []int
	for n := range len(texts) {
		_, end := Read(whole)
		for i := n + 1; i < len(texts); i++ {
			_, end = Read(whole[:end-1])
		}
		ends = append(ends, end)
	}
	for cut := range len(whole) + 1 {
		want := 0
		for want < len(ends) && ends[want] <= cut {
			want++
		}
		for _, tail := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
			if err := os.WriteFile(path, append(bytes.Clone(whole[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			l, records, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			check(t, records, texts[:want])
			if err := errors.Join(l.Append(Kind(want+1), note{"more"}), l.Close()); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			records, length := Read(data)
			check(t, records, append(append([]string{}, texts[:want]...), "more"))
			if length != len(data) {
				t.Fatalf("cut at %d: %d of %d bytes are good", cut, length, len(data))
			}
		}
	}
}

func TestChangedByteEndsTheJournal(t *testing.T) {
	path, texts := written(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 0x55
		if records, _ := Read(bad); len(records) >= len(texts) {
			t.Fatalf("byte %d was changed and nothing noticed", i)
		}
	}
}

func FuzzRead(f *testing.F) {
	path, _ := written(f)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Fuzz(func(t *testing.T, data []byte) {
		records, length := Read(data)
		if length > len(data) || len(records) > 0 && length == 0 {
			t.Fatal(len(records), length)
		}
		again, _ := Read(data[:length])
		if len(again) != len(records) {
			t.Fatal("the good part alone reads otherwise")
		}
	})
}
