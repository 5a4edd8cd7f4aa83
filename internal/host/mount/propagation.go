// SPDX-License-Identifier: GPL-3.0-or-later

package mount

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// KeepOwn makes the mounts of the namespace that the caller was just given its
// own: with unix.MS_PRIVATE nothing spreads in or out, with unix.MS_SLAVE what
// the host mounts is still seen here.
//
// The kernel does that for mounts only, and the root of a chroot(8) often is
// none. It becomes one then: a copy of the tree, in which the process goes on.
func KeepOwn(propagation uintptr) error {
	set := func() error { return unix.Mount("", "/", "", unix.MS_REC|propagation, "") }
	err := retry(set)
	if errors.Is(err, unix.EINVAL) {
		if err = mountRoot(); err == nil {
			err = retry(set)
		}
	}
	if err != nil {
		return &Error{Op: "keep apart the mounts below", Target: "/", Err: err}
	}
	return nil
}

// mountRoot puts a copy of the root and of all that is mounted below it where
// it is the root of a mount, and makes that this process's root. The place is
// /proc, since it is a mount in every tree that programs work in: attached to
// "/" itself the copy would show outside the chroot too.
func mountRoot() error {
	const place = "/proc"
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := unix.Mount("", place, "", unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, place, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	if err := unix.Fchdir(tree); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Chdir(here)
}
