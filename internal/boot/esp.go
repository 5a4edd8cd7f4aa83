// SPDX-License-Identifier: GPL-3.0-or-later

package boot

import (
	"fmt"
	"io/fs"
)

// ESP is an EFI system partition. Paths are separated by slashes and relative
// to its root; case is no part of a name. What is not there is fs.ErrNotExist.
type ESP interface {
	ReadFile(name string) ([]byte, error)
	// WriteFile replaces a file: through a temporary file, fsync and rename
	// where the backend can. The folder must be there.
	WriteFile(name string, data []byte) error
	// Remove removes a file or an empty folder.
	Remove(name string) error
	// Rename replaces new, which must not be a folder.
	Rename(old, new string) error
	ReadDir(dir string) ([]fs.FileInfo, error)
	MkdirAll(dir string) error
	// Free is the room for files in bytes.
	Free() (int64, error)
	// Sync makes everything before durable.
	Sync() error
}

// Where things are on the partition.
const (
	EntriesDir = "loader/entries"
	BlobsDir   = "rastos"
	LoaderConf = "loader/loader.conf"
)

// NoSpaceError says that the partition is too full; nothing was written.
type NoSpaceError struct{ Need, Free int64 }

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("the EFI system partition has %d KiB free, %d KiB are needed", e.Free>>10, e.Need>>10)
}

// ExitCode is the class "no space left".
func (e *NoSpaceError) ExitCode() int { return 7 }

// Hint says what frees some.
func (e *NoSpaceError) Hint() string {
	return "remove deployments that are no longer needed (`rastos snapshot prune`), or give the image a larger esp in [disk]"
}
