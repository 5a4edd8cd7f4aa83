// SPDX-License-Identifier: GPL-3.0-or-later

package fsroot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestChmodWithoutFchmodat2 takes the way of kernels before 6.6, whatever the
// one is that runs the test.
func TestChmodWithoutFchmodat2(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{os.WriteFile(filepath.Join(dir, "f"), nil, 0o600), os.Symlink("f", filepath.Join(dir, "l"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := chmodViaProc(r.dir, "f", 0o4711); err != nil {
		t.Error(err)
	}
	if err := chmodViaProc(r.dir, "l", 0o777); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("a link: %v", err)
	}
	if st, err := os.Stat(filepath.Join(dir, "f")); err != nil || st.Mode() != 0o711|os.ModeSetuid {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}
