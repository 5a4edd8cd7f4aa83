// SPDX-License-Identifier: GPL-3.0-or-later

package mount

import (
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Mount mounts source on target. options are comma-separated words as in
// fstab: "ro,noatime,subvol=/@x". A bind mount with flags (bind,ro) takes the
// second call that the kernel wants; "private" and its like are set afterwards.
// When a later call fails, the mount is undone.
func Mount(source, target, fstype, options string) error {
	o := ParseOptions(options)
	if err := mountOnce(source, target, fstype, o); err != nil {
		return &Error{Op: "mount", Source: source, Target: target, Type: fstype, Err: err}
	}
	undo := o.Flags&(unix.MS_REMOUNT|unix.MS_MOVE) == 0 && source != ""
	for _, p := range o.Propagation {
		if err := retry(func() error { return unix.Mount("", target, "", p, "") }); err != nil {
			if undo {
				_ = unix.Unmount(target, unix.MNT_DETACH)
			}
			return &Error{Op: "change the propagation of", Target: target, Err: err}
		}
	}
	return nil
}

func mountOnce(source, target, fstype string, o Options) error {
	if fstype == "" && o.Flags == 0 && o.Data == "" && len(o.Propagation) > 0 {
		return nil // only a change of propagation
	}
	const bind = unix.MS_BIND | unix.MS_REC
	first := o.Flags
	isBind := o.Flags&unix.MS_BIND != 0 && o.Flags&unix.MS_REMOUNT == 0
	if isBind {
		first &= bind // the kernel ignores all other flags here
	}
	if err := retry(func() error { return unix.Mount(source, target, fstype, first, o.Data) }); err != nil {
		return err
	}
	if !isBind || o.Flags&^bind == 0 {
		return nil
	}
	// MS_REC means nothing for a remount: mounts below an rbind keep their flags.
	flags := (o.Flags &^ unix.MS_REC) | unix.MS_REMOUNT
	if err := retry(func() error { return unix.Mount("", target, "", flags, "") }); err != nil {
		_ = unix.Unmount(target, unix.MNT_DETACH)
		return err
	}
	return nil
}

// Unmount unmounts target and fails with EBUSY where it is in use. A path that
// is no mount point is not an error: the aim is reached.
func Unmount(target string) error {
	err := retry(func() error { return unix.Unmount(target, unix.UMOUNT_NOFOLLOW) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		if is, e := IsMountPoint(target); e == nil && is {
			return &Error{Op: "unmount", Target: target, Err: err}
		}
		return nil
	}
	if err != nil {
		return &Error{Op: "unmount", Target: target, Err: err}
	}
	return nil
}

// Detach takes target out of the tree at once; the file system goes when its
// last user does. For cleaning up only: it says nothing of when data is safe.
func Detach(target string) error {
	err := retry(func() error { return unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) })
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return &Error{Op: "detach", Target: target, Err: err}
	}
	return nil
}

// Release unmounts everything at and below dir, the last mounted first. What
// stays busy for longer than patience is detached, and the error of the
// unmount is returned all the same.
func Release(dir string, patience time.Duration) error {
	mounts, err := Under(dir)
	if err != nil {
		return err
	}
	slices.Reverse(mounts)
	deadline := time.Now().Add(patience)
	var errs []error
	for _, m := range mounts {
		for {
			err := Unmount(m.Target)
			if err == nil {
				break
			}
			if !errors.Is(err, unix.EBUSY) || !time.Now().Before(deadline) {
				errs = append(errs, err, Detach(m.Target))
				break
			}
			// Something that just ended may not have let go yet.
			time.Sleep(20 * time.Millisecond)
		}
	}
	return errors.Join(errs...)
}

// IsMountPoint tells whether path itself, not what a link there points to, is
// the root of a mount.
func IsMountPoint(path string) (bool, error) {
	var st unix.Statx_t
	err := retry(func() error {
		return unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, 0, &st)
	})
	if err != nil {
		return false, &Error{Op: "stat", Target: path, Err: err}
	}
	if st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
	}
	mounts, err := List() // a kernel before 5.8
	return slices.ContainsFunc(mounts, func(m Info) bool { return m.Target == strings.TrimRight(path, "/") }), err
}

func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
