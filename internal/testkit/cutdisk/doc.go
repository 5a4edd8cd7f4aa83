// SPDX-License-Identifier: GPL-3.0-or-later

// Package cutdisk is disks that lose power. They are files of a small FUSE file
// system, so that loop devices and virtual machines can work with them, and
// remember in which order they were written and flushed. A power cut at any
// moment of that can be made up later, as often as a test likes: what was flushed
// is on the disk then, and of what was not, a volatile cache has written back any
// sectors, in any order.
package cutdisk
