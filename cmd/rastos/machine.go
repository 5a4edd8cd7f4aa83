// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/term"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/btrfs"
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/disk"
	"github.com/rastos/rastos/internal/flow"
	"github.com/rastos/rastos/internal/host/fsroot"
	"github.com/rastos/rastos/internal/host/linux"
	"github.com/rastos/rastos/internal/host/loop"
	"github.com/rastos/rastos/internal/host/mount"
	"github.com/rastos/rastos/internal/host/run"
	"github.com/rastos/rastos/internal/registry"
	"github.com/rastos/rastos/internal/vm"
)

// machine wires the effects of the host that this process runs on.
func machine() *flow.Machine {
	// Asked for now: in a mount namespace of its own, below the root of a
	// chroot, the kernel's answer can lead outside.
	self, selfErr := os.Executable()
	return &flow.Machine{
		Programs:   run.Runner{},
		Chroot:     run.InRoot{},
		Enter:      enter,
		Mounts:     mounts{},
		Init:       firstProcess{},
		Loops:      loops{},
		Btrfs:      subvolumes{},
		Streams:    streams{},
		Tree:       func(root string) (flow.Tree, error) { return openTree(root) },
		FastTree:   openFastTree,
		EtcDir:     func(dir string) (deploy.Dir, error) { return openTree(dir) },
		MountedESP: mountedESP,
		Lock:       lock,
		WaitLock:   waitLock,
		Hold:       hold,
		Executable: func() (string, error) { return self, selfErr },
		Space:      space{},
		Subvolumes: btrfs.List,
		Extents:    btrfs.ExtentsOf,
		Libalpm:    libalpmEngine(self),
		Version:    version,
		Processor:  linux.Processor(),
		Transfer:   transfer,
		Remote:     remote,
		Registry:   registry.Dial,
		Edit:       edit,
		Cmdline:    cmdline,
		Started:    started,
		Geteuid:    os.Geteuid,
		Command:    os.Args,
		User:       person(),
		Environ:    os.Environ(),
		Now:        time.Now,
		Sleep:      sleep,
		NewUUID:    newUUID,
		Random:     rand.Reader,
		VMs:        vm.NewHost(startProgram, rand.Reader),
	}
}

func openTree(root string) (*fsroot.FS, error) { return fsroot.Open(root) }

// openFastTree is for trees that a crash throws away anyway: no fsync.
func openFastTree(root string) (flow.Tree, error) {
	t, err := fsroot.Open(root)
	if err != nil {
		return nil, err
	}
	return t.WithoutSync(), nil
}

func newUUID() (string, error) {
	id, err := uuid.NewRandom()
	return id.String(), err
}

func cmdline() (string, error) {
	data, err := os.ReadFile("/proc/cmdline")
	return strings.TrimSpace(string(data)), err
}

// started tells when the kernel was.
func started() (time.Time, error) {
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return time.Time{}, err
	}
	var seconds float64
	if _, err := fmt.Sscan(string(data), &seconds); err != nil {
		return time.Time{}, fmt.Errorf("read /proc/uptime: %w", err)
	}
	return time.Now().Add(-time.Duration(seconds * float64(time.Second))), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lock takes the lock of a system, or says who holds it.
func lock(path string) (func(), error) {
	l, err := linux.TryLock(path)
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Unlock() }, nil
}

// hold is lock with a file that goes when the lock does.
func hold(path string) (func(), error) {
	l, err := linux.TryLock(path)
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Remove() }, nil
}

// waitLock waits for the lock of a system until ctx ends.
func waitLock(ctx context.Context, path string) (func(), error) {
	l, err := linux.WaitLock(ctx, path)
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Unlock() }, nil
}

// mountedESP opens the ESP of the running machine. A folder that nothing is
// mounted on would take boot entries that no firmware ever reads.
func mountedESP(dir string) (boot.ESP, error) {
	is, err := mount.IsMountPoint(dir)
	if err == nil && !is {
		err = errors.New("nothing is mounted there")
	}
	if err != nil {
		return nil, fmt.Errorf("open the EFI system partition at %s: %w", dir, err)
	}
	tree, err := fsroot.Open(dir)
	if err != nil {
		return nil, err
	}
	return disk.NewDirESP(tree, func() (int64, error) {
		space, err := linux.FreeSpace(dir)
		return space.Free, err
	}), nil
}

// space answers the package engine's question for room.
type space struct{}

func (space) FileSystem(path string) (trans.FileSystem, error) {
	s, err := linux.FreeSpace(path)
	if err != nil {
		return trans.FileSystem{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return trans.FileSystem{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return trans.FileSystem{ID: st.Dev, Free: s.Free, Total: s.Total, BlockSize: st.Blksize}, nil
}

type mounts struct{}

func (mounts) Mount(source, target, fstype, options string) error {
	return mount.Mount(source, target, fstype, options)
}
func (mounts) Release(dir string) error { return mount.Release(dir, 10*time.Second) }
func (mounts) Detach(dir string) error  { return mount.Detach(dir) }
func (mounts) Below(dir string) ([]string, error) {
	all, err := mount.Under(dir)
	var targets []string
	for _, info := range all {
		if info.Target != dir {
			targets = append(targets, info.Target)
		}
	}
	return targets, err
}
func (mounts) Shows(dir, folder string) (bool, error) {
	there, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	wanted, err := os.Stat(folder)
	return err == nil && os.SameFile(there, wanted), err
}

type firstProcess struct{}

func (firstProcess) Mapped() ([]string, error) { return linux.MappedFiles(1) }
func (firstProcess) Apart() (bool, error) {
	same, err := linux.SeesMountsOf(1)
	return !same, err
}

type loops struct{}

func (loops) Attach(file string, offset, size int64) (string, func() error, error) {
	dev, err := loop.Attach(file, offset, size)
	if err != nil {
		return "", nil, err
	}
	return dev.Path, dev.Detach, nil
}

type subvolumes struct{}

func (subvolumes) Create(path string) error { return btrfs.Create(path) }
func (subvolumes) Snapshot(src, dst string, readOnly bool) error {
	return btrfs.Snapshot(src, dst, readOnly)
}
func (subvolumes) Delete(path string) error              { return btrfs.Delete(path) }
func (subvolumes) Sync(path string) error                { return btrfs.SyncFS(path) }
func (subvolumes) IsSubvolume(path string) (bool, error) { return btrfs.IsSubvolume(path) }
func (subvolumes) Below(path string) ([]string, error)   { return btrfs.Below(path) }
func (subvolumes) MountedAt(path string) (string, error) { return btrfs.MountedAt(path) }
func (subvolumes) Generation(path string) (uint64, error) {
	info, err := btrfs.Info(path)
	return info.Generation, err
}
func (subvolumes) UUID(path string) (string, error) {
	info, err := btrfs.FSInfo(path)
	return info.UUID.String(), err
}

// startProgram lets virtual machines start through the runner.
func startProgram(ctx context.Context, argv []string, output io.Writer) (vm.Process, error) {
	p, err := run.Runner{}.Start(ctx, run.Command{Argv: argv, Stdout: output, Stderr: output})
	if err != nil {
		return nil, err
	}
	return process{p}, nil
}

type process struct{ *run.Process }

func (p process) Wait() (int, error) {
	res, err := p.Process.Wait()
	return res.Code, err
}

// person is who gave the command, also where they became root for it.
func person() string {
	for _, name := range []string{"SUDO_USER", "DOAS_USER"} {
		if who := os.Getenv(name); who != "" {
			return who
		}
	}
	if who, err := user.Current(); err == nil {
		return who.Username
	}
	return ""
}

// transfer runs the program that pacman.conf downloads with. What it shows
// goes beside what rastos prints.
func transfer(ctx context.Context, dir string, argv []string) (int, error) {
	return runOpenly(ctx, run.Command{Argv: argv, Dir: dir, Stdout: os.Stderr, Stderr: os.Stderr})
}

// enter lets a program work in a system tree: at the person's terminal, or where
// there is none by streams.
func enter(ctx context.Context, root string, s flow.Session) (int, error) {
	env := s.Env
	if name := os.Getenv("TERM"); name != "" {
		env = append(env, "TERM="+name)
	}
	in := run.InRoot{Network: true, Hostname: s.Hostname, Env: env}
	if s.Output == nil && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) {
		return in.OnTerminal(ctx, root, s.Argv, run.Terminal{In: os.Stdin, Out: os.Stdout})
	}
	var out io.Writer = os.Stdout
	if s.Output != nil {
		out = s.Output
	}
	return in.Run(ctx, root, s.Argv, s.Stdin, out)
}

// runOpenly runs a program as a person would, in their language.
func runOpenly(ctx context.Context, c run.Command) (int, error) {
	res, err := run.Runner{KeepLocale: true}.Run(ctx, c)
	var exit *run.ExitError
	if errors.As(err, &exit) {
		return exit.Code, nil
	}
	return res.Code, err
}

// edit starts the person's editor on a file. Its name may come with arguments, as
// for every program that asks for one.
func edit(ctx context.Context, file string) error {
	editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi")
	return run.Foreground(ctx, append(strings.Fields(editor), file))
}
