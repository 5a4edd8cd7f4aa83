// SPDX-License-Identifier: GPL-3.0-or-later

// Package fat32 makes, reads and changes FAT32 file systems in files, without
// mounting them: the EFI system partition of an image on a host whose kernel
// has no vfat, or where nobody may mount.
//
// Implemented: long names (UTF-16, 255 units), short aliases, case-insensitive
// lookup, reading, replacing, removing and renaming files, directories, the
// free-cluster summary, two copies of the table, the backup boot sector. Not
// implemented: FAT12 and FAT16, sector sizes other than 512, attributes other
// than those of directory and file, timestamps other than those of writing.
//
// A file is replaced by writing the new contents into free clusters and then
// changing one directory entry, so that the old or the new file is there at any
// time; Sync makes that last. Times are stored in UTC.
//
// The format is specified by Microsoft's "FAT: General Overview of On-Disk
// Format" (fatgen103) and by UEFI 2.10, section 13.3.
package fat32
