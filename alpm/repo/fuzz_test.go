// SPDX-License-Identifier: GPL-3.0-or-later

package repo

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// FuzzRead reads a database of somebody else's, and what is written of it again:
// entries that stay keep every byte.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"core.db.tar.gz", "signed.db.tar.zst", "signed.files.tar.zst"} { // by repo-add
		data, err := os.ReadFile(filepath.Join("../syncdb/testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		db, plain := newDatabase(), new(bytes.Buffer)
		if err := db.read(bytes.NewReader(data), "db"); err != nil {
			f.Fatal(err)
		}
		entries := slices.Sorted(maps.Keys(db.records))
		for _, entry := range entries[min(2, len(entries)):] {
			delete(db.records, entry)
		}
		if err := db.encode(f.Context(), plain, "db", "tar", time.Time{}); err != nil {
			f.Fatal(err)
		}
		f.Add(plain.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		db := newDatabase()
		if db.read(bytes.NewReader(data), "db") != nil || db.settle() != nil {
			return
		}
		var out bytes.Buffer
		if err := db.encode(t.Context(), &out, "db", "tar", time.Time{}); err != nil {
			t.Fatalf("%d entries cannot be written: %v", len(db.records), err)
		}
		again := newDatabase()
		if err := again.read(&out, "db"); err != nil {
			t.Fatal(err)
		}
		if len(again.records) != len(db.records) {
			t.Fatalf("%d entries became %d", len(db.records), len(again.records))
		}
		for entry, r := range db.records {
			if got := again.records[entry]; got == nil || !reflect.DeepEqual(got.db, r.db) {
				t.Fatalf("%q became %+v", entry, got)
			}
		}
	})
}
