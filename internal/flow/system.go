// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rastos/rastos/internal/account"
	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/deploy"
	"github.com/rastos/rastos/internal/node"
	"github.com/rastos/rastos/internal/report"
)

// Where a booted rastOS has its parts; the initramfs mounts the first.
const (
	runningTop = "/run/rastos/top"
	runningESP = "/efi"
	lockName   = node.Folder + "/lock"
)

// exitLocked is the exit code of what another process keeps from being done.
const exitLocked = 10

func (m *Machine) topDir() string { return cmp.Or(m.top, runningTop) }

// System is one rastOS on disk: the running one, or one being built.
type System struct {
	Nodes   *node.Store
	Deploys *deploy.Store
	ESP     boot.ESP
	UUID    string // of the btrfs file system
	Booted  int    // number of the running deployment, 0 for none
	Live    int    // the one whose node and /etc are used: Booted, or one that was applied at once

	files Tree
}

// Close lets go of the top level.
func (sys *System) Close() error { return sys.files.Close() }

// notRunningError is the answer of a verb that needs a booted rastOS.
type notRunningError struct{ cause error }

func (e *notRunningError) Error() string {
	return "this machine does not run rastOS: " + e.cause.Error()
}
func (e *notRunningError) Unwrap() error { return e.cause }
func (e *notRunningError) Hint() string {
	return "`rastos image build` makes an image that does; this verb is for a machine booted from one"
}

// privilegeError is the answer to a person who is not root.
type privilegeError struct{ what string }

func (e *privilegeError) Error() string { return e.what + " needs root" }
func (e *privilegeError) Hint() string  { return "run it as root, for example with sudo" }
func (e *privilegeError) ExitCode() int { return 8 }

func (m *Machine) needRoot(what string) error {
	if m.Geteuid() != 0 {
		return &privilegeError{what}
	}
	return nil
}

// Running opens the system that this machine has booted.
func (m *Machine) Running() (*System, error) {
	booted, err := m.bootedNumber()
	if err != nil {
		return nil, err
	}
	sys, err := m.open(m.topDir())
	if err != nil {
		return nil, err
	}
	sys.Booted = booted
	if sys.Live, err = m.liveDeployment(booted); err != nil {
		return nil, err
	}
	if _, err := sys.Nodes.State(); err != nil {
		return nil, &notRunningError{err}
	}
	if sys.ESP, err = m.MountedESP(runningESP); err != nil {
		return nil, err
	}
	return sys, nil
}

// bootedNumber is the deployment that the kernel's command line names.
func (m *Machine) bootedNumber() (int, error) {
	line, err := m.Cmdline()
	if err != nil {
		return 0, err
	}
	booted, err := bootedDeployment(line)
	if err == nil && booted == 0 {
		err = &notRunningError{errors.New("its kernel command line names no deployment (rastos.deploy=)")}
	}
	return booted, err
}

// open makes the stores over a mounted top level.
func (m *Machine) open(top string) (*System, error) {
	files, err := m.Tree(top)
	if err != nil {
		return nil, err
	}
	uuid, err := m.Btrfs.UUID(top)
	if err != nil {
		return nil, err
	}
	nodes := &node.Store{
		Top: top, Files: files, Subvols: m.Btrfs, Now: m.Now, NewUUID: m.NewUUID,
		Hold: m.holdWork, Holder: node.Holder{PID: os.Getpid(), User: m.User},
	}
	return &System{
		UUID:    uuid,
		files:   files,
		Nodes:   nodes,
		Deploys: &deploy.Store{Nodes: nodes, Subvols: m.Btrfs, Open: m.EtcDir, Keyed: account.MergeFile},
	}, nil
}

// holdWork locks the folder of a transaction, or tells that another process does.
// What a trial shows, the machine itself works with.
func (m *Machine) holdWork(path string) (release func(), busy bool, err error) {
	if uses, err := m.trialUses(path); err != nil || uses {
		return nil, uses, err
	}
	release, err = m.Lock(path)
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) && coded.ExitCode() == exitLocked {
		return nil, true, nil
	}
	return release, false, err
}

func (sys *System) lockPath() string { return filepath.Join(sys.Nodes.Top, lockName) }

// locked runs change while this process alone may change the system, after
// taking back what an earlier one left half-done. A person is told at once who
// holds the lock.
func (m *Machine) locked(sys *System, sink report.Sink, change func() error) error {
	unlock, err := m.Lock(sys.lockPath())
	if err != nil {
		return err
	}
	defer unlock()
	return m.alone(sys, sink, change)
}

// lockedPatiently is locked for what no person waits for: it waits its turn.
func (m *Machine) lockedPatiently(ctx context.Context, sys *System, sink report.Sink, change func() error) error {
	unlock, err := m.WaitLock(ctx, sys.lockPath())
	if err != nil {
		return err
	}
	defer unlock()
	return m.alone(sys, sink, change)
}

func (m *Machine) alone(sys *System, sink report.Sink, change func() error) error {
	if err := m.recover(sys, sink); err != nil {
		return fmt.Errorf("recover from an earlier run: %w", err)
	}
	err := change()
	if err != nil {
		// What a failed change left must not wait for the next run: it may hold
		// the very room that was missing.
		if err := m.recover(sys, sink); err != nil {
			report.Warnf(sink, "clean up: %v", err)
		}
	}
	return err
}
