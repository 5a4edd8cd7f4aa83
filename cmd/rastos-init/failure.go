// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rastos/rastos/internal/host/linux"
	"github.com/rastos/rastos/internal/host/run"
)

// failureFile lies beside deploy.json: why the initramfs could not boot the
// deployment. The next system that runs reads it to say so.
const failureFile = "failure"

// log writes a line into the kernel's log.
func (b *initramfs) log(text string) {
	if b.kmsg != nil {
		fmt.Fprintf(b.kmsg, "<6>rastos-init: %s\n", text)
	}
}

// fail says why, keeps it where the next boot finds it, and reboots: a machine
// that stands still falls back to nothing.
func (b *initramfs) fail(reason error) {
	text := strings.TrimSpace(fmt.Sprint(reason))
	fmt.Fprintf(b.console, "\r\nrastos-init: this boot failed: %s\r\n", strings.ReplaceAll(text, "\n", "\r\n  "))
	if b.kmsg != nil {
		fmt.Fprintf(b.kmsg, "<2>rastos-init: this boot failed: %s\n", strings.ReplaceAll(text, "\n", "; "))
	}
	b.keepFailure(text)
	if b.cmd.restart < 0 {
		fmt.Fprintf(b.console, "rastos-init: panic=0: waiting for somebody to reset the machine\r\n")
		for {
			time.Sleep(time.Hour)
		}
	}
	fmt.Fprintf(b.console, "rastos-init: reboot in %v\r\n", b.cmd.restart)
	time.Sleep(b.cmd.restart)
	b.restart()
	// PID 1 must not end; the kernel's own panic= reboots then.
	panic("rastos-init: " + text)
}

func (b *initramfs) keepFailure(text string) {
	if b.top == "" || b.cmd.deploy == 0 {
		return
	}
	dir := filepath.Join(b.top, deployDir(b.cmd.deploy))
	if _, err := os.Stat(filepath.Join(dir, "deploy.json")); err != nil {
		return // no deployment of ours
	}
	tmp := filepath.Join(dir, failureFile+".tmp")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	_, err = f.WriteString(text + "\n")
	if cerr := f.Close(); err != nil || cerr != nil {
		return
	}
	if err := linux.Publish(tmp, filepath.Join(dir, failureFile)); err != nil {
		fmt.Fprintf(b.console, "rastos-init: %v\r\n", err)
	}
}

// foldTimeout bounds what a fold may hold up a boot.
const foldTimeout = 2 * time.Minute

// fold lets the node's own rastos carry the last changes of the /etc that ran
// before into this deployment's, which is not mounted yet. The merge is not a
// part of the initramfs: the node brings it. Nothing about it stops a boot.
func (b *initramfs) fold() {
	const program = "/usr/bin/rastos"
	if _, err := os.Lstat(sysroot + program); err != nil {
		b.log("no fold of /etc: the node has no " + program)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), foldTimeout)
	defer cancel()
	err := b.inNode(ctx, program, "etc", "fold", "--top", topDir, "--deployment", fmt.Sprint(b.cmd.deploy))
	if err != nil {
		b.log(fmt.Sprintf("fold of /etc: %v", err))
	}
}

// inNode runs a program of the node on the console, with the node as its root.
func (b *initramfs) inNode(ctx context.Context, argv ...string) error {
	attr := &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux", "HOME=/"},
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Chroot: sysroot, Setsid: true},
	}
	p, err := os.StartProcess(argv[0], argv, attr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.Kill() })
	defer stop()
	state, err := p.Wait()
	if err != nil {
		return fmt.Errorf("wait for %s: %w", argv[0], err)
	}
	if !state.Success() {
		return &run.ExitError{Argv: argv, Code: state.ExitCode()}
	}
	return nil
}

// shell is rastos.break: a shell of the node before its init starts.
func (b *initramfs) shell() {
	fmt.Fprintf(b.console, "\r\nrastos-init: rastos.break: a shell in the node; the boot goes on when it ends\r\n")
	if err := b.inNode(context.Background(), "/bin/sh"); err != nil {
		fmt.Fprintf(b.console, "rastos-init: the shell: %v\r\n", err)
	}
}
