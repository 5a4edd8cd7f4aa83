// SPDX-License-Identifier: GPL-3.0-or-later

package repo_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/alpm/syncdb"
)

// TestManyWriters: whoever is refused comes again, nothing is lost, and a
// reader finds a whole database at any time.
func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "r.db.tar.gz")
	const writers = 8
	var paths []string
	for i := range writers {
		paths = append(paths, makePackage(t, dir, fmt.Sprintf("p%d", i), "1-1"))
	}
	_, err := repo.Add(t.Context(), db, nil, repo.Options{})
	must(t, err)
	var group sync.WaitGroup
	for _, path := range paths {
		group.Go(func() {
			for {
				_, err := repo.Add(t.Context(), db, []string{path}, repo.Options{})
				if err == nil {
					return
				}
				if !errors.Is(err, repo.ErrLocked) {
					t.Errorf("add %s: %v", path, err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for reading, last := true, 0; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		read, err := syncdb.Open(filepath.Join(dir, "r.db"))
		must(t, err)
		if n := len(read.Packages()); n < last {
			t.Fatalf("%d packages after %d", n, last)
		} else {
			last = n
		}
	}
	for _, kind := range []string{"r.db", "r.files"} {
		if n := len(contents(t, filepath.Join(dir, kind))); n != writers {
			t.Errorf("%s: %d packages of %d", kind, n, writers)
		}
	}
}
