// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/rastos/rastos/alpm/trans/rootfs"
)

// operator carries out operations. Each of them first looks whether it was
// done before, so that all of a journal can be gone through again.
type operator struct {
	env  *Env
	tree *rootfs.Tree
	tell Events
	temp string // prefix of the temporary names
	// fresh are directories that were to be removed and hold staged files only:
	// the package that has them is to find them as if they were new.
	fresh map[string]bool
	times []madeDir // directories that were made here
	// stuck are files that could not get their place.
	stuck []error
}

func (o *operator) all(pkg string, ops []operation) error {
	for i := range ops {
		if err := o.env.step("switch " + ops[i].Do); err != nil {
			return err
		}
		if err := o.one(pkg, &ops[i]); err != nil {
			return err
		}
	}
	return nil
}

func (o *operator) one(pkg string, op *operation) error {
	done, err := o.carryOut(pkg, op)
	switch {
	case err == nil:
		if done && op.tell != nil {
			o.tell(*op.tell)
		}
		return nil
	case isTransient(err):
		return fmt.Errorf("%s /%s: %w", op.Do, op.Path, err)
	}
	// It will be no better another time: the rest is to be finished all the same.
	return o.leave(pkg, op, err)
}

func (o *operator) carryOut(pkg string, op *operation) (done bool, err error) {
	switch op.Do {
	case opMove:
		return o.move(op)
	case opDrop:
		err = o.tree.Remove(op.Path)
	case opRemove:
		if op.ID == "" || o.tree.Identity(op.Path) != op.ID {
			return false, nil
		}
		err = o.tree.Remove(op.Path)
	case opRename:
		return o.rename(op)
	case opMkdir:
		err = o.mkdir(pkg, op)
	case opRmdir:
		return o.rmdir(op)
	case opDress:
		if op.ID == "" || o.tree.Inode(op.Path) != op.ID {
			return false, nil
		}
		if err = o.tree.Dress(op.Path, *op.Dir); err == nil {
			err = o.tree.SetTimes(op.Path, op.Dir.Time)
		}
	default:
		err = fmt.Errorf("the journal has an operation %q", op.Do)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// move: the temporary name is used once, so that its being there tells that
// the move is still to be made.
func (o *operator) move(op *operation) (done bool, err error) {
	err = moveOver(o.tree, op.Path, op.To)
	if errors.Is(err, fs.ErrNotExist) {
		if o.tree.Identity(op.Path) == "" {
			return false, nil
		}
		dir, _ := rootfs.SplitPath(op.To)
		o.tree.Forget()
		if err = o.tree.MkdirAll(dir); err == nil {
			err = o.tree.Move(op.Path, op.To)
		}
	}
	if err != nil {
		return false, err
	}
	if o.tree.Remembers(op.To) {
		o.tree.Forget() // a link that leads elsewhere now
	}
	// Two links to one file: rename(2) then does nothing and leaves both.
	if err := o.tree.Remove(op.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	return true, nil
}

func (o *operator) rename(op *operation) (done bool, err error) {
	if op.ID == "" || o.tree.Identity(op.To) == op.ID || o.tree.Identity(op.Path) != op.ID {
		return false, nil
	}
	if err := o.tree.Move(op.Path, op.To); err != nil {
		return false, err
	}
	return true, nil
}

func (o *operator) mkdir(pkg string, op *operation) error {
	info, err := o.tree.Lstat(op.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		if !o.fresh[op.Path] {
			if have, ok := modeBits(info); ok && have != op.Dir.Mode {
				o.tell(dirModeWarning(pkg, op.Path, have, op.Dir.Mode))
			}
			return nil
		}
		delete(o.fresh, op.Path)
		o.times = append(o.times, madeDir{op.Path, op.Dir.Time})
		return o.tree.Dress(op.Path, *op.Dir)
	default:
		if _, err := o.tree.Dir(op.Path); err == nil && !op.Unlink {
			return nil // a link to one
		}
		if err := o.tree.Remove(op.Path); err != nil {
			return err
		}
	}
	o.tree.Forget()
	up, _ := rootfs.SplitPath(op.Path)
	if err := o.tree.MkdirAll(up); err != nil {
		return err
	}
	o.times = append(o.times, madeDir{op.Path, op.Dir.Time})
	return o.tree.Mkdir(op.Path, *op.Dir)
}

// modeBits is a mode as packages have it.
func modeBits(info fs.FileInfo) (mode uint32, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Mode & 0o7777, true
}

func (o *operator) rmdir(op *operation) (done bool, err error) {
	if op.ID == "" || o.tree.Identity(op.Path) != op.ID {
		return false, nil
	}
	err = o.tree.Remove(op.Path + "/")
	for _, kept := range []error{syscall.ENOTEMPTY, syscall.EEXIST, syscall.EBUSY, syscall.ENOTDIR} {
		if errors.Is(err, kept) {
			return false, o.refresh(op.Path)
		}
	}
	return err == nil, err
}

// refresh notes a directory that holds nothing but staged files.
func (o *operator) refresh(dir string) error {
	names, err := o.tree.Names(dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		if !strings.HasPrefix(e.Name(), o.temp) {
			return nil
		}
	}
	o.fresh[dir] = true
	return nil
}

// isTransient tells what may be better another time (a disk that is full or
// fails) from what a person has to look at.
func isTransient(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, errStopped} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// errStopped is what a test's Step returns to stop in the middle.
var errStopped = errors.New("stopped here")

// leave goes on past a file that cannot get its place: an immutable one, or a
// directory that somebody made there. The new one is put beside it.
func (o *operator) leave(pkg string, op *operation, cause error) error {
	text := cause.Error()
	if op.Do == opMove && !strings.HasSuffix(op.To, ".pacnew") {
		beside := path.Clean(op.To) + ".pacnew"
		if err := moveOver(o.tree, op.Path, beside); err == nil {
			text += "; the package's version is beside it"
			o.tell(Event{Kind: EventPacnew, Name: pkg, Path: beside, Text: "/" + op.To + " could not be replaced"})
		}
	}
	name := op.Path
	if op.Do == opMove {
		name = op.To
		_ = o.tree.Remove(op.Path) // it has no place at all
	}
	err := fmt.Errorf("%s /%s: %w", op.Do, name, cause)
	o.stuck = append(o.stuck, err)
	o.tell(Event{Kind: EventWarning, Name: pkg, Path: name, Text: text, Err: err})
	return nil
}

// moveOver moves a file over what is there; an empty directory is no obstacle to a
// .pacnew.
func moveOver(t *rootfs.Tree, from, to string) error {
	err := t.Move(from, to)
	if err == nil || !strings.HasSuffix(to, pacnewName("")) {
		return err
	}
	if info, e := t.Lstat(to); e != nil || !info.IsDir() || t.Remove(to+"/") != nil {
		return err
	}
	return t.Move(from, to)
}
