// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/journal"
	"github.com/rastos/rastos/alpm/localdb"
	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// undo takes back everything that was staged, and ends the journal. It can be
// cut off and begun again.
func undo(env *Env, t *rootfs.Tree, local *localdb.DB, log *journal.Log, h *header) error {
	if t != nil {
		t.Forget()
		for _, dir := range h.Dirs {
			if err := removeTemps(env, t, dir, tempPrefix+h.ID+"-"); err != nil {
				return fmt.Errorf("take back what was staged: %w", err)
			}
		}
		for _, d := range slices.Backward(h.Made) {
			if err := env.step("unmake"); err != nil {
				return err
			}
			if err := removeEmpty(t, d.Path); err != nil {
				return fmt.Errorf("take back what was staged: %w", err)
			}
		}
	}
	if err := env.step("unstage"); err != nil {
		return err
	}
	if err := local.Unstage(); err != nil {
		return fmt.Errorf("take back what was staged: %w", err)
	}
	if err := flushAll(env, t, local.Dir(), h.Dirs); err != nil {
		return fmt.Errorf("take back what was staged: %w", err)
	}
	return log.Remove()
}

// removeTemps removes the staged files of one directory.
func removeTemps(env *Env, t *rootfs.Tree, dir, prefix string) error {
	names, err := t.Names(strings.TrimPrefix(dir, "."))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range names {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		if err := env.step("unstage"); err != nil {
			return err
		}
		if err := t.Remove(path.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// removeEmpty removes a directory that has nothing in it; anything else stays.
func removeEmpty(t *rootfs.Tree, dir string) error {
	info, err := t.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !info.IsDir() {
		return err
	}
	err = t.Remove(dir + "/")
	for _, kept := range []error{syscall.ENOTEMPTY, syscall.EEXIST, syscall.EBUSY, syscall.ENOTDIR, fs.ErrNotExist} {
		if errors.Is(err, kept) {
			return nil
		}
	}
	return err
}

// flushAll flushes every file system that holds one of the directories, the
// database or the journal.
func flushAll(env *Env, t *rootfs.Tree, local string, dirs []string) error {
	seen := map[uint64]bool{}
	flush := func(f *os.File, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if dev := deviceOf(info); !seen[dev] {
			seen[dev] = true
			return extract.SyncFileSystem(f)
		}
		return nil
	}
	for _, d := range dirs {
		if t == nil {
			break
		}
		if err := flush(t.OpenDir(strings.TrimPrefix(d, "."))); err != nil {
			return err
		}
	}
	for _, d := range []string{env.DBPath, path.Dir(local), local} {
		if err := flush(os.Open(d)); err != nil {
			return err
		}
	}
	return nil
}

func deviceOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Dev
	}
	return 0
}
