// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/btrfs/compare"
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/registry"
	"github.com/rastos/rastos/internal/vm"
)

// Machine is every effect that the stories have, and every fact that they ask
// the machine for.
type Machine struct {
	Programs Programs
	Chroot   Chroot
	// Enter runs a program in a system tree, in the host's network.
	Enter      func(ctx context.Context, root string, s Session) (exit int, err error)
	Mounts     Mounts
	Init       Init
	Loops      Loops
	Btrfs      Btrfs
	Streams    Streams
	Space      trans.Space
	Subvolumes func(top string) ([]btrfs.Subvolume, error)
	Extents    func(top string, subvolume uint64) (btrfs.Extents, error)
	Libalpm    PackageEngine // the host's library; nil: this program comes without it
	VMs        *vm.Host
	Tree       func(root string) (Tree, error)      // files below a system root, every write durable
	FastTree   func(root string) (Tree, error)      // the same for a tree that a crash throws away
	EtcDir     func(dir string) (deploy.Dir, error) // files of one /etc
	MountedESP func(dir string) (boot.ESP, error)
	Lock       func(path string) (unlock func(), err error) // exclusive; the error names the holder
	WaitLock   func(ctx context.Context, path string) (unlock func(), err error)
	Hold       func(path string) (release func(), err error) // as Lock; the lock's file goes with it
	Executable func() (string, error)                        // path of the running binary
	Version    string                                        // what this build of rastos calls itself
	Processor  string                                        // what uname -m says
	// Transfer runs a program that downloads (XferCommand) in a directory.
	Transfer func(ctx context.Context, dir string, argv []string) (exit int, err error)
	// Registry names a repository of an OCI registry; plain: without TLS.
	Registry func(name string, plain bool) (store registry.Store, tag string, err error)
	// Remote runs a program that leads to another machine, and lets talk with it
	// by its standard streams. It ends when both have.
	Remote func(ctx context.Context, argv []string, talk func(to io.WriteCloser, from io.Reader) error) error
	// Edit lets the person change a text file in their editor.
	Edit    func(ctx context.Context, file string) error
	Cmdline func() (string, error)    // of the kernel
	Started func() (time.Time, error) // when that was started, by the clock of now
	Geteuid func() int
	Environ []string // of this process
	Command []string // as it was typed, for the history
	User    string   // who typed it
	Now     func() time.Time
	Sleep   func(ctx context.Context, d time.Duration) error // an error: ctx has ended
	NewUUID func() (string, error)
	Random  io.Reader // for keys

	manifestPath string // of the running machine; "": where a system has it
	top          string // where its top level is mounted; "": where the initramfs does
	syncDir      string // of its repositories' databases; "": pacman's
	gpgDir       string // of the keyring that it judges by; "": pacman's
}

// Programs runs programs of the host.
type Programs interface {
	// Output runs a program with nothing on its standard input and returns its standard output.
	Output(ctx context.Context, argv ...string) ([]byte, error)
}

// Chroot runs programs inside a system tree, apart from the host.
type Chroot interface {
	Run(ctx context.Context, root string, argv []string, stdin io.Reader, output io.Writer) (exit int, err error)
}

// Mounts mounts file systems.
type Mounts interface {
	Mount(source, target, fstype, options string) error
	// Release unmounts everything at and below a folder, the last first.
	Release(dir string) error
	// Below lists where something is mounted below a folder, itself left out.
	Below(dir string) ([]string, error)
	// Detach takes the last mount on a folder away, with all below it.
	Detach(dir string) error
	// Shows tells whether a folder is seen at dir, mounted there or not.
	Shows(dir, folder string) (bool, error)
}

// Init is the machine's first process.
type Init interface {
	// Mapped lists the files that it runs from.
	Mapped() ([]string, error)
	// Apart tells whether it sees other mounts than this process.
	Apart() (bool, error)
}

// Loops makes block devices of parts of files.
type Loops interface {
	Attach(file string, offset, size int64) (path string, detach func() error, err error)
}

// Btrfs is what nodes and deployments need, and the file system's UUID.
type Btrfs interface {
	deploy.Subvolumes
	UUID(path string) (string, error)
	// MountedAt tells where a subvolume is mounted; "": nowhere.
	MountedAt(path string) (string, error)
}

// Streams sends, receives and compares subvolumes.
type Streams interface {
	// Send writes what makes the read-only subvolume root, or what leads to it
	// from parent, where that is not "".
	Send(ctx context.Context, w io.Writer, root, parent string) error
	// Receive carries that out in the writable subvolume root, which is empty or
	// a snapshot of parent, and records there where it came from.
	Receive(ctx context.Context, r io.Reader, root, parent string) error
	Compare(ctx context.Context, before, now string) ([]compare.Change, error)
}

// Tree is the files below a system root. Names are slash-separated and relative;
// links are resolved inside the root.
type Tree interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Symlink(target, name string) error
	Readlink(name string) (string, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Remove(name string) error
	RemoveAll(name string) error
	Chown(name string, uid, gid int) error
	Chmod(name string, mode fs.FileMode) error
	Close() error
}
