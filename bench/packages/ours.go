// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/host/linux"
	"github.com/rastos/rastos/internal/host/run"
)

// installCommand makes this program the installer that is measured.
const installCommand = "install-from"

// installChild does what `pacman -Sy TARGETS` does, with the package engine.
func installChild(ctx context.Context, order string) error {
	data, err := os.ReadFile(order)
	if err != nil {
		return err
	}
	var at site
	if err := json.Unmarshal(data, &at); err != nil {
		return err
	}
	stop, err := startProfile(at.Profile)
	if err != nil {
		return err
	}
	if err := installAll(ctx, &at); err != nil {
		return err
	}
	return stop()
}

func installAll(ctx context.Context, at *site) error {
	env, err := at.env()
	if err != nil {
		return err
	}
	show := func(e trans.Event) {
		if e.Kind == trans.EventWarning {
			fmt.Printf("warning: %s %s %s\n", e.Name, e.Path, e.Text)
		}
	}
	if _, err := trans.Sync(ctx, env, show); err != nil {
		return err
	}
	plan, err := trans.Prepare(ctx, env, at.request())
	if err != nil {
		return err
	}
	if len(plan.Install) != len(at.Targets) {
		return fmt.Errorf("the plan has %d packages instead of %d", len(plan.Install), len(at.Targets))
	}
	return trans.Run(ctx, env, plan, show)
}

func (at *site) request() trans.Request {
	if at.Upgrade {
		return trans.Request{SysUpgrade: true}
	}
	return trans.Request{Targets: at.Targets}
}

// env is the engine's view of a root, with the settings that rastos gives it
// for a tree that a failure throws away.
func (at *site) env() (trans.Env, error) {
	word := "Never"
	if at.Signed {
		word = "Required"
	}
	level, err := keyring.ParseSigLevel(keyring.SigLevel{}, word)
	if err != nil {
		return trans.Env{}, err
	}
	env := trans.Env{
		Root: at.Root, DBPath: filepath.Join(at.Root, dbPath), CacheDir: at.Cache,
		Repos:        []trans.Repo{{Name: at.Name, Servers: []string{"file://" + at.Repo}, SigLevel: level}},
		FileSigLevel: level, Arch: "x86_64", Chroot: run.InRoot{}, Space: space{},
		HookDirs: []string{filepath.Join(at.Root, hookDir), at.Masks},
		Workers:  at.Workers, Durable: at.Durable,
	}
	if at.Signed {
		env.Keyring, err = keyring.Load(at.GPG)
	}
	return env, err
}

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
